package microbench

import (
	"fmt"
	"slices"
	"strings"
)

// Rounds is how often a Runner measures everything.
const Rounds = 7

// Result is what came of one case on its CPUs.
type Result struct {
	Name string `json:"name"`
	CPUs []int  `json:"cpus"` // where it was measured, and the CPU of the other side if it has one
	// Served says that the first CPU was measured, and the second one only answered;
	// else two CPUs are a pair.
	Served   bool   `json:"served,omitempty"`
	Distance string `json:"distance,omitempty"` // of two CPUs, a [Distance]
	Figures
	Batch  int       `json:"batch,omitempty"`  // operations a sample, in the last round; 0: each was timed alone
	Rounds []float64 `json:"rounds,omitempty"` // the median of each
	Marks  []Mark    `json:"marks,omitempty"`
	Failed string    `json:"failed,omitempty"` // why there are no figures
}

// Mark is something that a reader of a figure should know.
type Mark struct {
	Kind  MarkKind `json:"kind"`
	Share float64  `json:"share,omitempty"` // of the time, where it is one
	Text  string   `json:"text"`
}

// MarkKind is the kind of a mark.
type MarkKind string

// The kinds.
const (
	Crowded   MarkKind = "crowded"    // other threads had the CPU for a part of the time
	Stolen    MarkKind = "stolen"     // the hypervisor had
	OneCPU    MarkKind = "one_cpu"    // both sides on one CPU: this is the scheduler's figure
	Siblings  MarkKind = "siblings"   // both sides are hardware threads of one core
	SlowClock MarkKind = "slow_clock" // the clock source is read by a system call, or from a device
)

// Doubtful says that a figure with a mark of this kind decides nothing.
func (k MarkKind) Doubtful() bool { return k == Crowded || k == Stolen || k == OneCPU }

// Topic is the part of the name before the dot.
func (r *Result) Topic() string {
	topic, _, _ := strings.Cut(r.Name, ".")
	return topic
}

// Spread is how far the rounds are apart: half the distance between the lowest and
// the highest, as a share of the median. ok is false for fewer than two rounds or
// a median of 0.
func (r *Result) Spread() (share float64, ok bool) {
	if len(r.Rounds) < 2 || r.Median == 0 {
		return 0, false
	}
	return (slices.Max(r.Rounds) - slices.Min(r.Rounds)) / 2 / r.Median, true
}

// Doubt says why the figure decides nothing; "": it may.
func (r *Result) Doubt() string {
	if r.Failed != "" {
		return r.Failed
	}
	for _, m := range r.Marks {
		if m.Kind.Doubtful() {
			return m.Text
		}
	}
	if len(r.Rounds) < minRounds {
		return fmt.Sprintf("%d rounds, %d are needed", len(r.Rounds), minRounds)
	}
	return ""
}

// Pair says that the figure is of two CPUs together.
func (r *Result) Pair() bool { return len(r.CPUs) == 2 && !r.Served }

// key tells results apart.
func (r *Result) key() string { return fmt.Sprint(r.Name, r.CPUs) }
