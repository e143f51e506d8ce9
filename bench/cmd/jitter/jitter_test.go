package main

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/jitter"
)

// Every loop that this build of boomctl has runs for a moment and is counted.
func TestEveryLoopRuns(t *testing.T) {
	t.Chdir("../..")
	cpus, err := affinity.Available()
	require.NoError(t, err)
	c := config{rounds: 1, loops: []string{"c", "go", "spin"}, busy: []int{0, 100}, cpu: cpus.CPUs()[0], each: 50 * time.Millisecond, threshold: 3 * time.Microsecond, stops: 10 * time.Millisecond, gomaxprocs: 3, wait: 5 * time.Microsecond, silence: time.Millisecond}
	loops, notes, err := build(t.Context(), t.TempDir(), c)
	require.NoError(t, err)
	if _, err := exec.LookPath("cc"); err == nil {
		require.Empty(t, notes)
		require.Len(t, loops, 3)
	} else {
		require.Len(t, notes, 1)
		require.Contains(t, notes[0], "NO FLOOR")
	}
	for _, r := range plan(loops, c) {
		require.NoError(t, r.once(t.Context(), c), "%s, %d %%", r.name, r.busy)
		require.Positive(t, r.watched)
		require.Equal(t, r.stops > 0, r.collections > 0)
		if r.name == "c" {
			require.Zero(t, r.switches.Count+r.signals)
		}
	}
}

func TestPlan(t *testing.T) {
	loops := []loop{{name: "c"}, {name: "spin"}}
	c := config{busy: []int{0, 60}}
	require.Len(t, plan(loops, c), 3)
	c.stops = time.Second
	runs := plan(loops, c)
	require.Len(t, runs, 5)
	require.Equal(t, time.Second, runs[4].stops)
	require.Zero(t, runs[2].stops)
}

func TestTable(t *testing.T) {
	r := &run{loop: loop{name: "spin"}, busy: 30, stops: 100 * time.Millisecond}
	for i := range int64(2) {
		r.add(&jitter.Report{
			Watched: int64(2 * time.Second), Unseen: 3,
			Causes: []jitter.CauseCount{
				{Cause: jitter.GCStop, Go: true, Count: 10 + 10*i, Longest: 40_000},
				{Cause: jitter.Switch, Go: true, Count: 90, Longest: 50_000 + 1000*i},
				{Cause: jitter.Signal, Go: true, Count: 1, Longest: 99_000},
				{Cause: jitter.Interrupt, Count: 500, Longest: 70_000},
			},
			Stops: &jitter.Stops{Count: 20, Stopping: 2_000_000 * i, Longest: 3_000_000},
		})
	}
	c := &run{loop: loop{name: "c"}, busy: 100}
	c.add(&jitter.Report{Watched: int64(time.Second), Causes: []jitter.CauseCount{{Cause: jitter.Switch, Go: true, Count: 5, Longest: 9000}}})
	var out strings.Builder
	require.NoError(t, table(&out, []*run{r, c, {loop: loop{name: "exclusive"}, failed: errors.New("no such strategy")}}))
	require.Equal(t, `       loop  busy %  forced GC  switches/s  worst round/s  longest µs  unseen/s  signals/s  others/s  longest µs  stop ms  GC ms
       spin      30      100ms       52.50          55.00        51.0      1.50       0.50     250.0        70.0     2.00   3.00
          c     100          -        0.00           0.00         0.0      0.00       0.00       5.0         9.0        -      -
  exclusive       0          -      failed
exclusive, 0 % busy: no such strategy
`, out.String())
}

func TestFlags(t *testing.T) {
	c, err := parseFlags(nil)
	require.NoError(t, err)
	require.Equal(t, loopNames, c.loops)
	require.Equal(t, []int{0, 30, 60, 100}, c.busy)
	for want, args := range map[string][]string{
		`loop "rust" is none of c, go, spin`: {"-loops", "rust"},
		`"101" is not a number`:              {"-busy", "101"},
		`"x" is not a number`:                {"-busy", "0,x"},
		"there is nothing to run":            {"-busy", ""},
		"rounds 0 is less than 1":            {"-rounds", "0"},
		"GOMAXPROCS 0":                       {"-gomaxprocs", "0"},
		`argument "now": there are none`:     {"now"},
	} {
		_, err := parseFlags(args)
		require.ErrorContains(t, err, want)
	}
}
