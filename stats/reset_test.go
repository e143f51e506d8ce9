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
	h.Reset()
	require.Equal(t, new(Snapshot), h.Snapshot())
	h.Record(70)
	s := h.Snapshot()
	require.Equal(t, []int64{1, 70, 70}, []int64{s.Count(), s.Min(), s.Max()})
	require.Zero(t, testing.AllocsPerRun(10, h.Reset))
}

// Snapshots that are taken during a reset make sense.
func TestHistogramResetWhileRead(t *testing.T) {
	var h Histogram
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			h.Record(100)
			h.Record(1 << 30)
			h.Reset()
		}
	}()
	for {
		s := h.Snapshot()
		if s.Min() > s.Max() || s.Count() < 0 || s.Count() > 2 {
			t.Errorf("%d values from %d to %d", s.Count(), s.Min(), s.Max())
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
