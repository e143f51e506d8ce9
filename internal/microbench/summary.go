package microbench

import (
	"math"
	"slices"
)

// Figures are what is left of samples, in nanoseconds.
type Figures struct {
	Samples int     `json:"samples"`
	Min     float64 `json:"min"`
	Median  float64 `json:"median"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
	MAD     float64 `json:"mad"` // median of the distances to the median
}

// Summarize makes figures of samples in any order; of none, zeros.
func Summarize(samples []float64) Figures {
	if len(samples) == 0 {
		return Figures{}
	}
	s := slices.Sorted(slices.Values(samples))
	f := Figures{Samples: len(s), Min: s[0], Median: median(s), P99: quantile(s, 0.99), Max: s[len(s)-1]}
	for i, v := range s {
		s[i] = math.Abs(v - f.Median)
	}
	slices.Sort(s)
	f.MAD = median(s)
	return f
}

// median of sorted values, of which there are some.
func median(s []float64) float64 {
	mid := len(s) / 2
	if len(s)%2 == 1 {
		return s[mid]
	}
	return (s[mid-1] + s[mid]) / 2
}

// quantile is the smallest of sorted values that a share q of them does not exceed.
func quantile(s []float64, q float64) float64 {
	i := int(math.Ceil(q*float64(len(s)))) - 1
	return s[min(max(i, 0), len(s)-1)]
}

// medianOf is the median of values in any order, of which there are some.
func medianOf(v []float64) float64 { return median(slices.Sorted(slices.Values(v))) }
