package jitter

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// firstCPU is one that this process may use.
func firstCPU(t *testing.T) int {
	t.Helper()
	cpus, err := affinity.Available()
	require.NoError(t, err)
	return cpus.CPUs()[0]
}

// sound checks what holds for every run of 200 ms, however busy the machine is.
func sound(t *testing.T, r *Report) {
	t.Helper()
	require.Positive(t, r.Watched)
	require.Positive(t, r.Steps)
	require.Equal(t, int64(3000), r.Threshold)
	var gaps, inHistogram, total int64
	for _, c := range r.Causes {
		require.Positive(t, c.Count)
		require.GreaterOrEqual(t, c.Longest, r.Threshold)
		gaps += c.Count
		total += c.Total
	}
	for _, b := range r.Histogram {
		inHistogram += b.Go + b.Others
	}
	require.Equal(t, gaps, inHistogram)
	require.LessOrEqual(t, total, r.Watched)
	require.Len(t, r.Longest, int(min(gaps, longestKept)))
	for _, g := range r.Longest {
		require.GreaterOrEqual(t, g.At, int64(0))
	}
	require.NotEmpty(t, r.Machine.Kernel)
	require.Positive(t, r.Process.GOMAXPROCS)
	require.NotEmpty(t, Advise(r))
}

func TestRunPlain(t *testing.T) {
	cpu := firstCPU(t)
	begun := clock.Nano()
	r, err := Run(t.Context(), Config{CPU: affinity.Fixed(cpu), Busy: 50, For: 200 * time.Millisecond})
	require.NoError(t, err)
	took := clock.Nano() - begun
	sound(t, r)
	require.Equal(t, LoopPlain, r.Loop)
	require.Equal(t, cpu, r.CPU)
	require.Equal(t, r.Threshold, r.SeenFrom)
	require.GreaterOrEqual(t, r.Watched+r.Looking, int64(200*time.Millisecond))
	require.LessOrEqual(t, r.Watched+r.Looking, took)
	require.NotEmpty(t, r.Machine.Interrupts, "the timer has interrupted it at least")
}

func TestRunReactor(t *testing.T) {
	for _, busy := range []int{0, 30, 100} {
		r, err := Run(t.Context(), Config{Loop: LoopReactor, CPU: affinity.Fixed(firstCPU(t)), Idle: idle.Spin, Selector: selector.Direct, Busy: busy, For: 200 * time.Millisecond})
		require.NoError(t, err)
		sound(t, r)
		require.Equal(t, "spin", r.Idle)
		require.Equal(t, "direct", r.Selector)
		require.Equal(t, busy, r.Busy)
		require.Equal(t, busy < 100, r.SeenFrom > r.Threshold)
		require.GreaterOrEqual(t, r.Watched+r.Looking, int64(200*time.Millisecond))
	}
}

// A reactor that parks comes back late, of its own accord: that must be seen.
func TestRunSeesParks(t *testing.T) {
	r, err := Run(t.Context(), Config{Loop: LoopReactor, Idle: idle.Park(time.Millisecond), Wait: time.Millisecond, For: 200 * time.Millisecond})
	require.NoError(t, err)
	sound(t, r)
	require.Equal(t, -1, r.CPU)
	require.Positive(t, r.GoMade().Count)
	require.Empty(t, r.Machine.Interrupts)
}

func TestRunWithCollections(t *testing.T) {
	r, err := Run(t.Context(), Config{Busy: 100, GC: 5 * time.Millisecond, For: 300 * time.Millisecond})
	require.NoError(t, err)
	sound(t, r)
	require.NotNil(t, r.Stops)
	require.Positive(t, r.Stops.Count)
	require.Positive(t, r.Stops.Longest)
	require.Positive(t, r.Stops.Stopping)
	require.GreaterOrEqual(t, r.Process.Collections, r.Stops.Count)
	require.Positive(t, r.Of(GCStop).Count, "a loop that never gives way is stopped by force: %+v", r.Causes)
}

func TestRunStarted(t *testing.T) {
	tids := make(chan int, 2)
	_, err := Run(t.Context(), Config{For: 10 * time.Millisecond, WarmUp: 100 * time.Millisecond, Started: func(tid int) error { tids <- tid; return nil }})
	require.NoError(t, err)
	require.Positive(t, <-tids)

	refused := errors.New("refused")
	for _, loop := range []Loop{LoopPlain, LoopReactor} {
		begun := time.Now()
		_, err = Run(t.Context(), Config{Loop: loop, For: time.Hour, Started: func(int) error { return refused }})
		require.ErrorIs(t, err, refused)
		require.Less(t, time.Since(begun), time.Minute)
	}
}

func TestRunEndsWithContext(t *testing.T) {
	for _, loop := range []Loop{LoopPlain, LoopReactor} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		r, err := Run(ctx, Config{Loop: loop, For: time.Hour, WarmUp: 10 * time.Millisecond})
		cancel()
		require.NoError(t, err)
		require.Positive(t, r.Watched, "what was seen until then")

		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		_, err = Run(ctx, Config{Loop: loop, For: time.Hour, WarmUp: time.Hour})
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestRunOnNoCPU(t *testing.T) {
	for _, loop := range []Loop{LoopPlain, LoopReactor} {
		_, err := Run(t.Context(), Config{Loop: loop, CPU: affinity.Fixed(affinity.MaxCPUs - 1)})
		require.ErrorIs(t, err, affinity.ErrUnavailable)
	}
}

// What is read of this thread and CPU is alive.
func TestThreadSource(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s, err := newThreadSource(firstCPU(t))
	require.NoError(t, err)
	defer s.close()
	var c Counters
	s.Read(&c)
	require.GreaterOrEqual(t, c.CPU, 0)
	require.Positive(t, c.Faults)
	var earlier, later Beneath
	require.True(t, s.ReadBeneath(&earlier))
	require.Positive(t, earlier.Interrupts)
	require.Eventually(t, func() bool {
		return s.ReadBeneath(&later) && later.since(earlier)
	}, 10*time.Second, 10*time.Millisecond)
	require.Zero(t, testing.AllocsPerRun(20, func() { s.Read(&c); s.ReadBeneath(&later) }), "it must not allocate")
}

// A signal leaves its mark on the stack on which Go handles it.
func TestTripwire(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var w tripwire
	require.Zero(t, w.count())
	require.NotZero(t, w.at)
	before := w.count() // the runtime may signal at any time
	require.NoError(t, unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGURG))
	require.Greater(t, w.count(), before)
	require.Zero(t, testing.AllocsPerRun(20, func() { w.count() }))
}

// What belongs to the thread of a loop is forgotten with it: a collection that
// found a pointer to its stacks would end the process.
func TestCollectionsAfterRuns(t *testing.T) {
	for range 5 {
		r, err := Run(t.Context(), Config{For: 10 * time.Millisecond, WarmUp: time.Millisecond})
		require.NoError(t, err)
		for range 5 {
			runtime.GC()
		}
		runtime.KeepAlive(r)
	}
}
