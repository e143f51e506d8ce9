package microbench

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
)

// newB is a B whose time passes only in what it measures.
func newB(budget time.Duration) (*B, *clock.Manual) {
	c := clock.NewManual(1)
	return &B{
		now: c.Now, time: int64(budget), samples: make([]float64, 0, maxSamples),
		ended: func() bool { return false },
		pin:   func(int) error { return nil }, ran: func(int) int64 { return c.Now() },
	}, c
}

func TestBatches(t *testing.T) {
	for _, each := range []time.Duration{1, 37, 20 * time.Microsecond, time.Millisecond} {
		b, c := newB(50 * time.Millisecond)
		b.Batches(func(n int) { c.Advance(time.Duration(n) * each) })
		f := Summarize(b.samples)
		require.InDelta(t, float64(each), f.Median, 1e-9)
		require.Equal(t, f.Min, f.Max, "an operation that always takes the same")
		batch := time.Duration(b.batch) * each
		require.GreaterOrEqual(t, batch, 9*minBatchTime/10)
		require.LessOrEqual(t, batch, max(each, 2*maxBatchTime))
		require.InDelta(t, float64(50*time.Millisecond/batch), float64(f.Samples), 2, "the time is spent, and no more")
		require.Zero(t, b.usage[0].lost())
		require.InDelta(t, float64(50*time.Millisecond), float64(b.usage[0].wall), float64(2*batch), "neither trying nor warming up counts")
	}
}

// What takes long the first time, or is interrupted, does not make batches short.
func TestBatchesAreNotSizedByAnInterruption(t *testing.T) {
	for _, slow := range []time.Duration{18 * time.Microsecond, 19 * time.Microsecond, 21 * time.Microsecond, 3 * time.Millisecond} {
		b, c := newB(10 * time.Millisecond)
		calls := 0
		b.Batches(func(n int) {
			if calls++; calls == 1 || calls == 5 {
				c.Advance(slow)
			}
			c.Advance(10 * time.Duration(n))
		})
		require.GreaterOrEqual(t, b.batch, int(9*minBatchTime/10/10), "%v", slow)
	}
}

// A clock that does not move between two readings ends in a batch of bounded size.
func TestBatchesOfNothing(t *testing.T) {
	b, c := newB(time.Millisecond)
	largest := 0
	b.Batches(func(n int) {
		if largest = max(largest, n); n == maxBatch {
			c.Advance(time.Second)
		}
	})
	require.Equal(t, maxBatch, largest)
	require.Len(t, b.samples, 1)
}

func TestEach(t *testing.T) {
	b, c := newB(time.Millisecond)
	v := int64(0)
	b.Each(func() int64 {
		c.Advance(10 * time.Microsecond)
		v++
		return v
	})
	require.Equal(t, 100, len(b.samples))
	require.Equal(t, 11.0, b.samples[0], "the first tenth is thrown away")
	require.Zero(t, b.batch)

	b, c = newB(1)
	b.Each(func() int64 { c.Advance(time.Second); return 7 })
	require.Equal(t, []float64{7}, b.samples, "one at least")

	b, c = newB(time.Second)
	b.Each(func() int64 { c.Advance(time.Microsecond); return 1 })
	require.Len(t, b.samples, maxSamples, "memory is bounded")
}

func TestAnEndedRunIsNotWaitedFor(t *testing.T) {
	b, c := newB(time.Hour)
	ended := false
	b.ended = func() bool { return ended }
	b.Each(func() int64 { c.Advance(time.Minute); ended = len(b.samples) == 2; return 1 })
	require.Len(t, b.samples, 3)
	b.Batches(func(n int) { c.Advance(time.Duration(n) * time.Second); ended = true })
	require.Len(t, b.samples, 1)
}

func TestUsageWhileSamplesAreTaken(t *testing.T) {
	b, c := newB(time.Millisecond)
	ran := int64(0)
	b.ran = func(thread int) int64 {
		if thread == 0 {
			return ran
		}
		return 4 * ran
	}
	b.others = []*companion{{thread: 7}}
	b.Each(func() int64 {
		c.Advance(10 * time.Microsecond)
		ran += 2500
		return 1
	})
	require.InDelta(t, 0.75, b.usage[0].lost(), 1e-9)
	require.Zero(t, b.usage[1].lost())
	require.Zero(t, usage{wall: 10}.lost(), "not known")
	require.Zero(t, usage{wall: 10, ran: 11}.lost())
}

func TestBeside(t *testing.T) {
	b, _ := newB(time.Millisecond)
	b.CPU, b.Peer = 1, 2
	pinned := make(chan int, 1)
	b.pin = func(cpu int) error { pinned <- cpu; return nil }
	broken := errors.New("broken")
	require.NoError(t, b.Beside(func(stop *atomic.Bool) error {
		for !stop.Load() {
			time.Sleep(time.Millisecond)
		}
		return broken
	}))
	require.Equal(t, 2, <-pinned)
	require.False(t, b.Shared())
	err := b.join()
	require.ErrorIs(t, err, broken)
	require.EqualError(t, err, "on CPU 2: broken")

	b, _ = newB(time.Millisecond)
	b.pin = func(int) error { return broken }
	require.ErrorIs(t, b.Beside(func(*atomic.Bool) error { panic("it is not pinned") }), broken)
	require.NoError(t, b.join())
}
