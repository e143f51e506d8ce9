package clock

import (
	"math"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestMonotonicNeverGoesBack(t *testing.T) {
	var c Clock = Monotonic{}
	last := c.Now()
	for range 10_000 {
		now := c.Now()
		require.GreaterOrEqual(t, now, last)
		last = now
	}
	require.GreaterOrEqual(t, Nano(), last)
}

func TestMonotonicOnAnotherThread(t *testing.T) {
	before := Nano()
	var there int64
	var wg sync.WaitGroup
	wg.Go(func() { there = Nano() })
	wg.Wait()
	require.GreaterOrEqual(t, there, before)
	require.GreaterOrEqual(t, Nano(), there)
}

func TestManual(t *testing.T) {
	var zero Manual
	require.Zero(t, zero.Now())

	m := NewManual(-5)
	var c Clock = m
	require.EqualValues(t, -5, c.Now())
	require.EqualValues(t, -5, c.Now(), "it stands still")
	require.EqualValues(t, time.Second.Nanoseconds()-5, m.Advance(time.Second))
	require.EqualValues(t, time.Second.Nanoseconds()-5, c.Now())
	require.Equal(t, c.Now(), m.Advance(0))
	require.PanicsWithValue(t, "clock: Advance by a negative duration", func() { m.Advance(-1) })
	require.Equal(t, int64(math.MaxInt64), NewManual(math.MaxInt64).Now())
}

// Any goroutine may read the clock and move it: run under -race.
func TestManualConcurrently(t *testing.T) {
	const movers, moves = 4, 1000
	m := new(Manual)
	var wg sync.WaitGroup
	for range movers {
		wg.Go(func() {
			for range moves {
				if before, after := m.Now(), m.Advance(1); after <= before {
					t.Errorf("advanced from %d to %d", before, after)
				}
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, movers*moves, m.Now())
}

func TestNoAllocation(t *testing.T) {
	var sum int64
	for _, c := range []Clock{Monotonic{}, new(Manual)} {
		require.Zero(t, testing.AllocsPerRun(100, func() { sum += c.Now() }))
	}
}

func BenchmarkNano(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Nano()
	}
}

func BenchmarkMonotonic(b *testing.B) {
	var c Clock = Monotonic{}
	for b.Loop() {
		c.Now()
	}
}
