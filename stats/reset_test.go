package stats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHistogramReset(t *testing.T) {
	var h Histogram
	for _, v := range []int64{0, 5, 1000, MaxTracked + 1} {
		h.Record(v)
	}
	before := h.Snapshot()
	h.Reset()
	s := h.Snapshot()
	require.Equal(t, []int64{0, 0, 0}, []int64{s.Count(), s.Min(), s.Max()})
	require.Zero(t, s.ValueAtQuantile(0.5))
	h.Record(70)
	h.Record(5)
	s = h.Snapshot()
	require.Equal(t, []int64{2, 5, 70}, []int64{s.Count(), s.Min(), s.Max()})

	// What came since then is all that there is.
	s.Sub(before)
	require.Equal(t, []int64{2, 5, 70}, []int64{s.Count(), s.Min(), s.Max()})
	between := h.Snapshot()
	h.Record(1)
	s = h.Snapshot()
	s.Sub(between)
	require.EqualValues(t, 1, s.Count())
	require.Zero(t, testing.AllocsPerRun(10, h.Reset))
}

// A snapshot has all of what was there before a reset, or nothing.
func TestHistogramResetWhileRead(t *testing.T) {
	var h Histogram
	const kinds = 50
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 500 {
			for v := range int64(kinds) {
				h.Record(v * 1000)
			}
			h.Reset()
		}
	}()
	for {
		s := h.Snapshot()
		n, high := s.Count(), s.Max()
		if n < 0 || n > kinds || n > 0 && (s.Min() != 0 || high < (n-1)*1000 || high >= kinds*1000) {
			t.Fatalf("%d values from %d to %d", n, s.Min(), high)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
