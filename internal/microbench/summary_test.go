package microbench

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSummarize(t *testing.T) {
	require.Equal(t, Figures{}, Summarize(nil))
	require.Equal(t, Figures{Samples: 1, Min: 5, Median: 5, P99: 5, Max: 5}, Summarize([]float64{5}))
	require.Equal(t, Figures{Samples: 4, Min: 1, Median: 2.5, P99: 10, Max: 10, MAD: 1}, Summarize([]float64{3, 10, 1, 2}))

	hundred := make([]float64, 100)
	for i, v := range rand.Perm(100) {
		hundred[i] = float64(v + 1)
	}
	before := append([]float64(nil), hundred...)
	require.Equal(t, Figures{Samples: 100, Min: 1, Median: 50.5, P99: 99, Max: 100, MAD: 25}, Summarize(hundred))
	require.Equal(t, before, hundred, "the samples stay as they are")

	// One sample in a hundred that was interrupted moves neither median nor deviation.
	hundred[7] = 1e9
	f := Summarize(hundred)
	require.InDelta(t, 50.5, f.Median, 1)
	require.InDelta(t, 25, f.MAD, 1)
	require.Equal(t, 1e9, f.Max)
}

func TestSpread(t *testing.T) {
	r := Result{Figures: Figures{Median: 100}, Rounds: []float64{98, 104, 100}}
	spread, ok := r.Spread()
	require.True(t, ok)
	require.InDelta(t, 0.03, spread, 1e-9)
	for _, r := range []Result{{}, {Figures: Figures{Median: 1}, Rounds: []float64{1}}, {Rounds: []float64{0, 0}}} {
		_, ok := r.Spread()
		require.False(t, ok)
	}
}
