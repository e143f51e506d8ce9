package idle

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/reactor/internal/syswait"
)

func TestParse(t *testing.T) {
	for alias, want := range map[string]Strategy{
		"noop":       Noop,
		"spin":       Spin,
		"yield":      Yield,
		"backoff":    Backoff,
		"":           Backoff,
		"park(50us)": Park(50 * time.Microsecond),
		"park(1s)":   Park(time.Second),
		"sleep-ns":   Park(time.Microsecond),
		"sleep-ms":   Park(time.Millisecond),
		"spin-wait":  SpinWait,
		"exclusive":  Exclusive,
	} {
		got, err := Parse(alias)
		require.NoError(t, err, alias)
		require.Equal(t, want, got, alias)
		if alias != "" {
			again, err := Parse(got.String())
			require.NoError(t, err)
			require.Equal(t, got, again, "String must be an alias")
		}
	}
	for _, alias := range []string{"sleep", "park", "park(", "park()", "park(x)", "park(0s)", "park(-1ms)", "park(2s)", "SPIN"} {
		_, err := Parse(alias)
		require.ErrorContains(t, err, alias)
	}
}

func TestZeroStrategyIsBackoff(t *testing.T) {
	require.Equal(t, Backoff, Strategy{})
	require.False(t, Strategy{}.Busy())
	require.True(t, Spin.Busy())
	require.True(t, Noop.Busy())
	require.True(t, SpinWait.Busy())
	require.True(t, Exclusive.Busy())
}

func TestBackoffSpinsYieldsThenParksLongerAndLonger(t *testing.T) {
	w := NewWaiter(Backoff)
	round := func() {
		for i := range backoffSpins + backoffYields {
			require.Zero(t, w.Idle(0), "idle turn %d must not park", i)
		}
		want := backoffMinPark
		for range 20 {
			require.Equal(t, want, w.Idle(0))
			want = min(2*want, backoffMaxPark)
		}
		require.Equal(t, backoffMaxPark, w.Idle(0))
	}
	round()
	require.Zero(t, w.Idle(1), "work ends the waiting")
	round()
}

func TestParkIsBounded(t *testing.T) {
	require.Equal(t, time.Duration(1), NewWaiter(Park(-5)).Idle(0))
	require.Equal(t, MaxPark, NewWaiter(Park(time.Hour)).Idle(0))
	require.Zero(t, NewWaiter(Park(time.Hour)).Idle(3))
}

func TestBusyStrategiesNeverPark(t *testing.T) {
	for _, s := range []Strategy{Noop, Spin, Yield} {
		w := NewWaiter(s)
		for range 1000 {
			require.Zero(t, w.Idle(0), s)
		}
	}
}

func TestWaitsFollowEveryTurn(t *testing.T) {
	for _, s := range []Strategy{SpinWait, Exclusive} {
		require.True(t, s.Waits())
		w := NewWaiter(s)
		require.Equal(t, MaxWait, w.Idle(0))
		require.Equal(t, MaxWait, w.Idle(3), "it begins with a look")
	}
	for _, s := range []Strategy{Noop, Spin, Yield, Backoff, Park(1)} {
		require.False(t, s.Waits())
		require.NoError(t, s.Check())
	}
}

func TestCheckNamesWhatIsMissing(t *testing.T) {
	for _, s := range []Strategy{SpinWait, Exclusive} {
		err := s.Check()
		switch {
		case !syswait.Built:
			require.ErrorIs(t, err, ErrBuildTag)
			require.ErrorContains(t, err, "-tags boomnet_wait")
		case !syswait.Usable():
			require.ErrorIs(t, err, ErrCounter)
		default:
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, s.String())
	}
}

func TestIdleDoesNotAllocate(t *testing.T) {
	for _, s := range []Strategy{Noop, Spin, Backoff, Park(time.Millisecond)} {
		w := NewWaiter(s)
		require.Zero(t, testing.AllocsPerRun(100, func() { w.Idle(0) }), s)
	}
}

func BenchmarkIdle(b *testing.B) {
	for _, s := range []Strategy{Noop, Spin, Yield} {
		b.Run(s.String(), func(b *testing.B) {
			w := NewWaiter(s)
			for b.Loop() {
				w.Idle(0)
			}
		})
	}
}
