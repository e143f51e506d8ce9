package microbench

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
)

// Shares of the time above which a result is marked.
const (
	maxLost  = 0.10 // without the CPU: p99 is not what it was, the median soon will not be
	maxSteal = 0.01
)

// Runner measures a plan.
type Runner struct {
	Plan    *Plan
	Machine Machine
	Time    time.Duration // for each case on each CPU; 0: Plan.Time
	Rounds  int           // 0: Rounds

	// Progress is called before each measurement, with how many are done of all, what
	// comes next, and how long the rest will take about. nil: nobody wants to know.
	Progress func(done, all int, next string, left time.Duration)

	Clock clock.Clock     // nil: the machine's
	Pin   func(int) error // nil: affinity.Pin
	Root  fs.FS           // where proc/stat is; nil: /

	stays func(int) error // nil: looks whether the mask still is what Pin made it
}

// tally gathers what the rounds bring of one item.
type tally struct {
	samples  []float64
	rounds   []float64
	batch    int
	usage    []usage // of the thread, and of those beside
	ticks    int64   // stolen
	failed   string
	measured time.Duration
}

// Run measures everything. When ctx ends so does the measurement under way, which does
// not count; the run then has a note, and results have the rounds that there were.
func (r *Runner) Run(ctx context.Context) *Run {
	run := &Run{
		Format: Format, Version: Version, Machine: r.Machine, Notes: r.Plan.notes,
		Time: r.Time, Rounds: r.Rounds,
	}
	if run.Time <= 0 {
		run.Time = r.Plan.Time()
	}
	if run.Rounds <= 0 {
		run.Rounds = Rounds
	}
	if r.Clock == nil {
		r.Clock = clock.Monotonic{}
	}
	if r.Pin == nil {
		r.Pin = affinity.Pin
	}
	if r.stays == nil {
		r.stays = stays
	}
	if r.Root == nil {
		r.Root = os.DirFS("/")
	}
	began, before := r.Clock.Now(), ReadTicks(r.Root)
	tallies := make([]tally, len(r.Plan.items))
	total, done := run.Rounds*len(tallies), 0
	budget := max(run.Time/time.Duration(run.Rounds), minimalRun)
	round := 0
	for ; round < run.Rounds && ctx.Err() == nil; round++ {
		for i := range tallies {
			it, t := &r.Plan.items[i], &tallies[i]
			if r.Progress != nil {
				r.Progress(done, total, it.Name+" on CPU "+joined(it.cpus), r.left(began, budget, done, total))
			}
			if it.failed == "" && t.failed == "" {
				r.measure(ctx, it, t, budget)
			}
			if ctx.Err() != nil {
				round-- // it is not done
				break
			}
			done++
		}
	}
	if done < total {
		run.Notes = append(slices.Clone(run.Notes), fmt.Sprintf("interrupted in round %d of %d", round+1, run.Rounds))
	}
	for i := range r.Plan.items {
		run.Results = append(run.Results, r.result(&r.Plan.items[i], &tallies[i]))
	}
	run.Took = time.Duration(r.Clock.Now() - began)
	run.Steal = ReadTicks(r.Root).Steal(before)
	return run
}

// left is how long the rest takes: as long as what was done did, at first a guess.
func (r *Runner) left(began int64, budget time.Duration, done, total int) time.Duration {
	each := budget * 5 / 4
	if done > 0 {
		each = time.Duration(r.Clock.Now()-began) / time.Duration(done)
	}
	return each * time.Duration(total-done)
}

func joined(cpus []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(cpus), "[]"), " ", "-")
}

// measure measures one round of an item.
func (r *Runner) measure(ctx context.Context, it *item, t *tally, budget time.Duration) {
	b := &B{
		CPU: it.cpus[0], Peer: it.cpus[len(it.cpus)-1], now: r.Clock.Now, time: int64(budget), pin: r.Pin,
		ran:     threadTime,
		ended:   func() bool { return ctx.Err() != nil },
		samples: make([]float64, 0, maxSamples),
	}
	ticks := ReadTicks(r.Root)
	failed := make(chan error)
	go func() { // ends locked, and its thread with it
		runtime.LockOSThread()
		failed <- r.on(it, b)
	}()
	err := <-failed
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		t.failed = err.Error()
		return
	}
	if len(b.samples) == 0 {
		t.failed = "it took no samples"
		return
	}
	for cpu, stolen := range ReadTicks(r.Root).Stolen {
		if cpu == b.CPU || cpu == b.Peer {
			t.ticks += stolen - ticks.Stolen[cpu]
		}
	}
	t.samples = append(t.samples, b.samples...)
	t.rounds = append(t.rounds, medianOf(b.samples))
	t.batch = b.batch
	for i, u := range b.usage {
		if i == len(t.usage) {
			t.usage = append(t.usage, usage{})
		}
		t.usage[i] = t.usage[i].add(u)
	}
	t.measured += time.Duration(b.usage[0].wall)
}

// on runs the case on the calling thread.
func (r *Runner) on(it *item, b *B) error {
	if err := b.pin(b.CPU); err != nil {
		return err
	}
	err := it.Run(b)
	if beside := b.join(); err == nil {
		err = beside
	}
	if err == nil {
		err = r.stays(b.CPU)
	}
	return err
}

// result makes one of what was gathered.
func (r *Runner) result(it *item, t *tally) Result {
	res := Result{Name: it.Name, CPUs: it.cpus, Failed: it.failed}
	if len(it.cpus) == 2 {
		res.Served, res.Distance = it.Needs == Served, it.distance.String()
	}
	if t.failed != "" {
		res.Failed = t.failed
	}
	if res.Failed == "" && len(t.rounds) == 0 {
		res.Failed = "not measured"
	}
	if res.Failed != "" {
		return res
	}
	res.Figures, res.Batch, res.Rounds = Summarize(t.samples), t.batch, t.rounds
	mark := func(kind MarkKind, share float64, format string, args ...any) {
		res.Marks = append(res.Marks, Mark{kind, share, fmt.Sprintf(format, args...)})
	}
	shared := len(it.cpus) == 2 && it.distance == SameCPU
	if shared {
		mark(OneCPU, 0, "both sides had to share CPU %d: this is the scheduler's time", it.cpus[0])
	}
	if len(it.cpus) == 2 && it.distance == SameCore {
		mark(Siblings, 0, "the CPUs are hardware threads of one core")
	}
	if it.Clock && !r.Machine.FastClock() {
		mark(SlowClock, 0, "the clock source is %s", r.Machine.Clock)
	}
	for i, u := range t.usage {
		if lost := u.lost(); !it.Blocks && !shared && lost > maxLost {
			mark(Crowded, lost, "other threads had CPU %d for %.0f %% of the time", it.cpus[min(i, len(it.cpus)-1)], 100*lost)
		}
	}
	// One tick may be that of a time before.
	const tick = 10 * time.Millisecond
	if stolen := min(float64(t.ticks)*float64(tick)/float64(max(t.measured, tick)), 1); t.ticks > 1 && stolen > maxSteal {
		mark(Stolen, stolen, "the hypervisor kept %.0f %% of the time, counted in steps of %v", 100*stolen, tick)
	}
	return res
}
