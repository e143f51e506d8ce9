package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The buckets cover 0 to MaxTracked without a gap, none wider than 1/64.
func TestBuckets(t *testing.T) {
	require.EqualValues(t, 0, lowest(0))
	for i := range buckets {
		low, high := lowest(i), highest(i)
		require.Equal(t, i, bucket(low))
		require.Equal(t, i, bucket(high))
		if i > 0 {
			require.Equal(t, highest(i-1)+1, low)
		}
		if low < 128 {
			require.Equal(t, low, high)
		} else {
			require.LessOrEqual(t, (high-low+1)*64, low)
		}
	}
	require.EqualValues(t, int64(MaxTracked), highest(buckets-1))
	require.Equal(t, buckets-1, bucket(math.MaxInt64))
}

func TestEmpty(t *testing.T) {
	s := new(Histogram).Snapshot()
	require.Zero(t, s.Count())
	require.Zero(t, s.Min())
	require.Zero(t, s.Max())
	require.Zero(t, s.Mean())
	for _, q := range []float64{-1, 0, 0.5, 1, 2, math.NaN()} {
		require.Zero(t, s.ValueAtQuantile(q))
	}
	s.Sub(new(Snapshot))
	s.Merge(new(Snapshot))
	require.Zero(t, s.Count())
}

func TestExtremes(t *testing.T) {
	for _, c := range []struct {
		name       string
		record     []int64
		min, max   int64
		q50, q0, q float64 // median, smallest, largest
		mean       float64
	}{
		{name: "zero", record: []int64{0}},
		{name: "negative counts as 0", record: []int64{-5, math.MinInt64}},
		{name: "one", record: []int64{1}, min: 1, max: 1, q50: 1, q0: 1, q: 1, mean: 1},
		{name: "small values are exact", record: []int64{1, 2, 127}, min: 1, max: 127, q50: 2, q0: 1, q: 127, mean: 130.0 / 3},
		{name: "beyond what is tracked", record: []int64{math.MaxInt64}, min: math.MaxInt64, max: math.MaxInt64,
			q50: math.MaxInt64, q0: math.MaxInt64, q: math.MaxInt64, mean: MaxTracked},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Histogram
			for _, v := range c.record {
				h.Record(v)
			}
			s := h.Snapshot()
			require.EqualValues(t, len(c.record), s.Count())
			require.Equal(t, c.min, s.Min())
			require.Equal(t, c.max, s.Max())
			require.EqualValues(t, c.q50, s.ValueAtQuantile(0.5))
			require.EqualValues(t, c.q0, s.ValueAtQuantile(0))
			require.EqualValues(t, c.q, s.ValueAtQuantile(1))
			require.InEpsilon(t, c.mean+1, s.Mean()+1, 1.0/64)
		})
	}
}

// samples are values of very different sizes.
func samples(seed uint64, n int) []int64 {
	r := rand.New(rand.NewPCG(seed, 1))
	values := make([]int64, n)
	for i := range values {
		values[i] = r.Int64N(1 << (1 + r.IntN(maxBits)))
	}
	return values
}

func snapshotOf(values []int64) *Snapshot {
	var h Histogram
	for _, v := range values {
		h.Record(v)
	}
	return h.Snapshot()
}

var quantiles = []float64{0, 0.001, 0.01, 0.07, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1}

// requireQuantiles compares s with the sorted values themselves.
func requireQuantiles(t *testing.T, values []int64, s *Snapshot) {
	t.Helper()
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	for _, q := range quantiles {
		rank := max(int(math.Ceil(math.Nextafter(q, 0)*float64(len(sorted)))), 1)
		if q == 0 {
			rank = 1
		}
		exact, got := sorted[rank-1], s.ValueAtQuantile(q)
		require.GreaterOrEqual(t, got, exact, "quantile %g of %d", q, len(values))
		require.LessOrEqual(t, got, exact+exact/64, "quantile %g of %d", q, len(values))
	}
}

func TestQuantilesAgainstSortedValues(t *testing.T) {
	for seed := range uint64(20) {
		values := samples(seed, []int{1, 2, 3, 10, 100, 1000, 10_000}[seed%7])
		s := snapshotOf(values)
		requireQuantiles(t, values, s)
		require.Equal(t, slices.Min(values), s.Min())
		require.Equal(t, slices.Max(values), s.Max())
		var sum float64
		for _, v := range values {
			sum += float64(v)
		}
		require.InEpsilon(t, sum/float64(len(values))+1, s.Mean()+1, 1.0/64)
	}
}

func TestQuantileRanks(t *testing.T) {
	var h Histogram
	for v := range int64(100) {
		h.Record(v + 1)
	}
	s := h.Snapshot()
	for percent := range 101 {
		require.EqualValues(t, max(percent, 1), s.ValueAtQuantile(float64(percent)/100))
	}
}

func TestMerge(t *testing.T) {
	a, b := samples(1, 500), samples(2, 900)
	s := snapshotOf(a)
	s.Merge(snapshotOf(b))
	require.Equal(t, snapshotOf(slices.Concat(a, b)), s)
	s.Merge(new(Snapshot))
	require.Equal(t, snapshotOf(slices.Concat(a, b)), s)
	empty := new(Snapshot)
	empty.Merge(s)
	require.Equal(t, s, empty)
}

func TestSub(t *testing.T) {
	var h Histogram
	first, second := samples(3, 700), samples(4, 300)
	for _, v := range first {
		h.Record(v)
	}
	earlier := h.Snapshot()
	for _, v := range second {
		h.Record(v)
	}
	s := h.Snapshot()
	s.Sub(earlier)
	require.EqualValues(t, len(second), s.Count())
	low, high := slices.Min(second), slices.Max(second)
	require.LessOrEqual(t, s.Min(), low)
	require.GreaterOrEqual(t, s.Min(), low-low/64)
	require.GreaterOrEqual(t, s.Max(), high)
	require.LessOrEqual(t, s.Max(), high+high/64)
	for _, q := range quantiles[1:] {
		want := snapshotOf(second).ValueAtQuantile(q)
		require.GreaterOrEqual(t, s.ValueAtQuantile(q), want)
		require.LessOrEqual(t, s.ValueAtQuantile(q), want+want/64)
	}

	s = h.Snapshot()
	s.Sub(h.Snapshot())
	require.Equal(t, new(Snapshot), s, "nothing happened")
	s = snapshotOf([]int64{5})
	s.Sub(earlier)
	require.LessOrEqual(t, s.Count(), int64(1), "not of this histogram")

	h.Record(math.MaxInt64)
	s = h.Snapshot()
	s.Sub(earlier)
	require.EqualValues(t, int64(math.MaxInt64), s.Max(), "above MaxTracked the largest of all is all that is known")
}

func TestReadIntoReplaces(t *testing.T) {
	s := snapshotOf(samples(5, 100))
	var h Histogram
	h.Record(9)
	h.ReadInto(s)
	require.Equal(t, snapshotOf([]int64{9}), s)
	new(Histogram).ReadInto(s)
	require.Equal(t, new(Snapshot), s)
}

func TestSnapshotEach(t *testing.T) {
	var h Histogram
	var total int64
	for _, v := range []int64{0, 0, 127, 128, 1000, 1 << 39, MaxTracked + 5} {
		h.Record(v)
	}
	at := int64(-1)
	h.Snapshot().Each(func(low, high, count int64) {
		require.Greater(t, low, at)
		require.LessOrEqual(t, low, high)
		require.Positive(t, count)
		total += count
		at = high
	})
	require.EqualValues(t, 7, total)
	require.EqualValues(t, MaxTracked+5, at, "the last one ends at the largest value")
	new(Snapshot).Each(func(int64, int64, int64) { t.Fatal("nothing was counted") })
}
