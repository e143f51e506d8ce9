package jitter

import (
	"math"
	"slices"
	"time"
)

// Report is what came of a run. Times are in nanoseconds.
type Report struct {
	Loop     Loop   `json:"loop"`
	Idle     string `json:"idle,omitempty"`     // the reactor's idle strategy
	Instead  string `json:"instead,omitempty"`  // why that is not the one asked for
	Selector string `json:"selector,omitempty"` // the reactor's
	Busy     int    `json:"busy_percent"`
	CPU      int    `json:"cpu"` // -1: not pinned

	Threshold int64 `json:"threshold_ns"`
	// SeenFrom is from which length on every gap is seen, see the package comment.
	SeenFrom int64 `json:"seen_from_ns"`
	Watched  int64 `json:"watched_ns"`
	Looking  int64 `json:"looking_ns"` // at counters, not counted in Watched
	Steps    int64 `json:"steps"`      // readings of the clock
	// Unseen is how many voluntary switches and changes of P there were without
	// a gap over the threshold: most ended while the reactor would have waited
	// anyhow. Two in one millisecond that are changes of P count once.
	Unseen int64 `json:"unseen_switches"`

	Causes    []CauseCount `json:"causes"`    // those with gaps
	Histogram []Bucket     `json:"histogram"` // from the first to the last with gaps
	Longest   []Gap        `json:"longest"`   // ten at most, the longest first

	Process *Process `json:"process,omitempty"` // nil for the loop in C
	Machine *Machine `json:"machine,omitempty"`
	Stops   *Stops   `json:"stops,omitempty"` // where Config.GC asked for some

	Floor  *Report  `json:"floor,omitempty"` // of the loop in C, where one was run
	Advice []Advice `json:"advice,omitempty"`
}

// CauseCount are the gaps of one cause.
type CauseCount struct {
	Cause   Cause `json:"cause"`
	Go      bool  `json:"go"` // made by the Go runtime
	Count   int64 `json:"count"`
	Total   int64 `json:"total_ns"`
	Longest int64 `json:"longest_ns"`
}

// Bucket are the gaps from a length up to another one, which is not part of it.
type Bucket struct {
	From   int64 `json:"from_ns"`
	To     int64 `json:"to_ns"` // 0: no end
	Go     int64 `json:"go"`    // made by the Go runtime
	Others int64 `json:"others"`
}

// Process is what the process was set to.
type Process struct {
	GoVersion   string `json:"go"`
	GOMAXPROCS  int    `json:"gomaxprocs"`
	GCPercent   int    `json:"gc_percent"` // -1: off
	CPUs        int    `json:"cpus"`       // that the process may use
	Collections int64  `json:"collections"`
}

// Machine is what the machine did meanwhile. All but Kernel and RunDelay is of the
// CPU of the loop, and unknown where the loop was not pinned.
type Machine struct {
	Kernel   string `json:"kernel"`
	Isolated bool   `json:"isolated"`  // isolcpus, or an isolated cpuset
	NohzFull bool   `json:"nohz_full"` // no tick while one thread runs

	Seconds    float64      `json:"seconds"` // over which these were counted
	Interrupts []Interrupts `json:"interrupts,omitempty"`
	Steal      int64        `json:"steal_ns"` // kept by the host, to 10 ms

	RunDelay int64 `json:"run_delay_ns"` // for how long the thread was ready to run and did not
}

// Interrupts are those of one kind on one CPU.
type Interrupts struct {
	Name  string `json:"name"`  // in /proc/interrupts: "LOC", "36"
	About string `json:"about"` // "Local timer interrupts"
	Count int64  `json:"count"`
}

// Stops tell how collections asked for on another goroutine got through.
type Stops struct {
	Count   int64 `json:"count"`
	Longest int64 `json:"longest_ns"` // a whole collection, as its caller sees it
	// Stopping is the longest time that it took to stop the world for the
	// collector, rounded up to a bucket of runtime/metrics.
	Stopping int64 `json:"stopping_ns"`
}

// report is what the detector has seen.
func (d *Detector) report() *Report {
	r := d.tally.report(d.threshold)
	r.Watched, r.Looking, r.Steps, r.Unseen = d.watched(), d.looking, d.steps, d.unseen
	return r
}

func (t *tally) report(threshold int64) *Report {
	r := &Report{Threshold: threshold, SeenFrom: threshold, Causes: []CauseCount{}, Histogram: []Bucket{}}
	for c, n := range t.count {
		if n > 0 {
			r.Causes = append(r.Causes, CauseCount{Cause(c), Cause(c).GoMade(), n, t.total[c], t.longest[c]})
		}
	}
	for i := range len(bounds) - 1 {
		b := Bucket{From: max(bounds[i], min(threshold, bounds[i+1]))}
		if bounds[i+1] != math.MaxInt64 {
			b.To = bounds[i+1]
		}
		for c, n := range t.buckets[i] {
			if Cause(c).GoMade() {
				b.Go += n
			} else {
				b.Others += n
			}
		}
		if b.Go+b.Others > 0 || len(r.Histogram) > 0 {
			r.Histogram = append(r.Histogram, b)
		}
	}
	for n := len(r.Histogram); n > 0 && r.Histogram[n-1].Go+r.Histogram[n-1].Others == 0; n-- {
		r.Histogram = r.Histogram[:n-1]
	}
	r.Longest = slices.Clone(t.kept[:t.n])
	return r
}

// Of returns the gaps of one cause.
func (r *Report) Of(c Cause) CauseCount {
	for _, n := range r.Causes {
		if n.Cause == c {
			return n
		}
	}
	return CauseCount{Cause: c, Go: c.GoMade()}
}

// GoMade adds up the gaps that the Go runtime made, Others the rest.
func (r *Report) GoMade() CauseCount { return r.sum(true) }

// Others adds up the gaps that the Go runtime did not make.
func (r *Report) Others() CauseCount { return r.sum(false) }

func (r *Report) sum(goMade bool) CauseCount {
	s := CauseCount{Go: goMade}
	for _, n := range r.Causes {
		if n.Go == goMade {
			s.Count += n.Count
			s.Total += n.Total
			s.Longest = max(s.Longest, n.Longest)
		}
	}
	return s
}

// PerSecond is a count over the time watched; 0 when nothing was watched.
func (r *Report) PerSecond(count int64) float64 {
	if r.Watched <= 0 {
		return 0
	}
	return float64(count) / time.Duration(r.Watched).Seconds()
}
