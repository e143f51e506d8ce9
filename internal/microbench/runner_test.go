package microbench

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/internal/machines"
)

// fake is a runner whose time passes in the cases only, on a machine of two CPUs; on
// this one nothing is pinned.
func fake(c *clock.Manual, cases ...Case) *Runner {
	m := machines.Shape{Cores: 2, Threads: 1}.Machine()
	return &Runner{
		Plan: NewPlan(cases, affinity.Read(m), []int{0, 1}), Time: 70 * time.Millisecond, Clock: c, Root: m,
		Pin: func(int) error { return nil },
	}
}

func TestRunnerInRounds(t *testing.T) {
	var c clock.Manual
	var order []string
	speed := map[string]time.Duration{"a.fast": 10, "a.slow": 1000}
	measured := func(name string) func(*B) error {
		return func(b *B) error {
			order = append(order, name)
			speed[name]++ // the machine drifts
			b.Batches(func(n int) { c.Advance(time.Duration(n) * speed[name]) })
			return nil
		}
	}
	r := fake(&c, Case{Name: "a.fast", Run: measured("a.fast")}, Case{Name: "a.slow", Run: measured("a.slow")})
	r.Plan.items = []item{r.Plan.items[0], r.Plan.items[2]}
	r.stays = func(int) error { return nil }
	var shown []string
	r.Progress = func(done, all int, next string, left time.Duration) {
		require.Equal(t, len(shown), done)
		require.Equal(t, 14, all)
		require.Positive(t, left)
		shown = append(shown, next)
	}
	run := r.Run(context.Background())
	require.Equal(t, strings.Repeat("a.fast a.slow ", Rounds), strings.Join(order, " ")+" ")
	require.Len(t, shown, 14)
	require.Equal(t, "a.slow on CPU 0", shown[1])
	fast := run.Results[0]
	require.Equal(t, []float64{11, 12, 13, 14, 15, 16, 17}, fast.Rounds)
	require.InDelta(t, 14, fast.Median, 0.51)
	require.Equal(t, 11.0, fast.Min)
	require.Equal(t, 17.0, fast.Max)
	spread, ok := fast.Spread()
	require.True(t, ok)
	require.InDelta(t, 3/fast.Median, spread, 1e-9)
	require.Equal(t, 70*time.Millisecond, run.Time)
	require.Equal(t, Rounds, run.Rounds)
	require.InDelta(t, float64(140*time.Millisecond), float64(run.Took), float64(30*time.Millisecond))
	require.NoError(t, run.check())
}

func TestRunnerSaysWhatFailed(t *testing.T) {
	var c clock.Manual
	broken := errors.New("broken")
	calls := 0
	r := fake(&c,
		Case{Name: "a.broken", Run: func(*B) error { calls++; return broken }},
		Case{Name: "a.lazy", Run: func(*B) error { return nil }},
		Case{Name: "a.good", Run: func(b *B) error { b.Each(func() int64 { c.Advance(time.Millisecond); return 5 }); return nil }})
	r.stays = func(cpu int) error {
		if cpu == 1 {
			return errors.New("moved")
		}
		return nil
	}
	run := r.Run(context.Background())
	var got []string
	for _, res := range run.Results {
		got = append(got, res.Name+" "+joined(res.CPUs)+": "+res.Failed)
	}
	require.Equal(t, []string{"a.broken 0: broken", "a.broken 1: broken", "a.lazy 0: it took no samples", "a.lazy 1: moved", "a.good 0: ", "a.good 1: moved"}, got)
	require.Equal(t, 2, calls, "what has failed is not tried again")
	require.NoError(t, run.check())

	r = fake(&c, Case{Name: "a.b", Run: func(*B) error { panic("it is not pinned") }})
	r.Pin = func(int) error { return broken }
	require.Equal(t, "broken", r.Run(context.Background()).Results[0].Failed)
}

func TestRunnerInterrupted(t *testing.T) {
	var c clock.Manual
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	r := fake(&c, Case{Name: "a.b", Blocks: true, Run: func(b *B) error {
		if n++; n == 5 {
			cancel()
		}
		b.Each(func() int64 { c.Advance(time.Millisecond); return 5 })
		return nil
	}})
	r.stays = func(int) error { return nil }
	run := r.Run(ctx)
	require.Equal(t, []string{"interrupted in round 3 of 7"}, run.Notes)
	require.Len(t, run.Results[0].Rounds, 2, "what was cut short does not count")
	require.Len(t, run.Results[1].Rounds, 2)
	require.Equal(t, "2 rounds, 5 are needed", run.Results[1].Doubt())

	run = fake(&c, Case{Name: "a.b"}).Run(ctx)
	require.Equal(t, []string{"interrupted in round 1 of 7"}, run.Notes)
	require.Equal(t, "not measured", run.Results[0].Failed)
	require.NoError(t, run.check())
}

func TestMarks(t *testing.T) {
	r := &Runner{Machine: Machine{Clock: "hpet"}}
	good := func() *tally { return &tally{samples: []float64{1, 2, 3}, rounds: []float64{2}, measured: time.Second} }
	kinds := func(it *item, t *tally) (all []MarkKind) {
		for _, m := range r.result(it, t).Marks {
			all = append(all, m.Kind)
		}
		return all
	}
	one := &item{Case: &Case{Name: "a.b"}, cpus: []int{3}}
	require.Empty(t, kinds(one, good()))

	lost := good()
	lost.usage = []usage{{wall: 100, ran: 80}}
	require.Equal(t, []MarkKind{Crowded}, kinds(one, lost))
	require.Equal(t, Mark{Crowded, 0.2, "other threads had CPU 3 for 20 % of the time"}, r.result(one, lost).Marks[0])
	require.Empty(t, kinds(&item{Case: &Case{Name: "a.b", Blocks: true}, cpus: []int{3}}, lost), "it sleeps")
	lost.usage[0].ran = 91
	require.Empty(t, kinds(one, lost))

	stolen := good()
	stolen.ticks = 1
	require.Empty(t, kinds(one, stolen), "one tick may be that of a time before")
	stolen.ticks = 5
	require.Equal(t, "the hypervisor kept 5 % of the time, counted in steps of 10ms", r.result(one, stolen).Marks[0].Text)

	require.Equal(t, []MarkKind{SlowClock}, kinds(&item{Case: &Case{Name: "clock.x", Clock: true}, cpus: []int{0}}, good()))

	// Of two sides on one CPU it is no news that each lost time.
	both := &item{Case: &Case{Name: "a.b", Needs: Served}, cpus: []int{3, 3}, distance: SameCPU}
	lost.usage = []usage{{100, 50}, {100, 50}}
	require.Equal(t, []MarkKind{OneCPU}, kinds(both, lost))
	doubtful := r.result(both, lost)
	require.Contains(t, doubtful.Doubt(), "both sides had to share CPU 3")
	pair := &item{Case: &Case{Name: "a.b", Needs: Pairs}, cpus: []int{3, 4}, distance: SameCore}
	require.Equal(t, []MarkKind{Siblings, Crowded, Crowded}, kinds(pair, lost))
	require.Equal(t, "same core", r.result(pair, good()).Distance)
	siblings := r.result(pair, &tally{samples: []float64{1}, rounds: []float64{1, 1, 1, 1, 1}})
	require.Empty(t, siblings.Doubt(), "siblings are no reason for doubt")
}
