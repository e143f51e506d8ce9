package microbench

import (
	"math"
	"slices"
)

// Threshold is the least difference that is one, as a share of the smaller figure.
const Threshold = 0.02

// minRounds is how many rounds both sides need: with fewer, no order of them is
// rare enough. 5 and 5 lie apart by chance once in 126 times.
const minRounds = 5

// Verdict is what two results say about each other.
type Verdict string

// The verdicts.
const (
	Faster Verdict = "faster" // b is, beyond the spread
	Slower Verdict = "slower"
	Noise  Verdict = "noise"  // the difference is within the spread, or below Threshold
	Unsure Verdict = "unsure" // one of the two was disturbed or failed
	OnlyA  Verdict = "only in A"
	OnlyB  Verdict = "only in B"
)

// Difference is one case on its CPUs, in two runs.
type Difference struct {
	Name    string
	CPUs    []int
	A, B    *Result // nil: not in this run
	Ratio   float64 // of the medians, b / a; NaN: there is none
	Verdict Verdict
	Why     string // of Unsure
}

// Compare lays two runs beside each other: first what a has, in its order, then
// what only b has.
func Compare(a, b *Run) []Difference {
	in := map[string]*Result{}
	for i := range b.Results {
		in[b.Results[i].key()] = &b.Results[i]
	}
	var all []Difference
	for i := range a.Results {
		r := &a.Results[i]
		all = append(all, judge(r, in[r.key()]))
		delete(in, r.key())
	}
	for i := range b.Results {
		if r := &b.Results[i]; in[r.key()] != nil {
			all = append(all, judge(nil, r))
		}
	}
	return all
}

func judge(a, b *Result) Difference {
	switch {
	case b == nil:
		return Difference{Name: a.Name, CPUs: a.CPUs, A: a, Ratio: math.NaN(), Verdict: OnlyA}
	case a == nil:
		return Difference{Name: b.Name, CPUs: b.CPUs, B: b, Ratio: math.NaN(), Verdict: OnlyB}
	}
	d := Difference{Name: a.Name, CPUs: a.CPUs, A: a, B: b, Ratio: math.NaN(), Verdict: Noise}
	if a.Median > 0 && b.Median > 0 {
		d.Ratio = b.Median / a.Median
	}
	for _, of := range []struct {
		name  string
		doubt string
	}{{"A", a.Doubt()}, {"B", b.Doubt()}} {
		if of.doubt != "" && d.Why == "" {
			d.Verdict, d.Why = Unsure, of.name+": "+of.doubt
		}
	}
	switch {
	case d.Verdict == Unsure:
	case math.IsNaN(d.Ratio):
		d.Verdict, d.Why = Unsure, "a median is 0"
	case math.Max(d.Ratio, 1/d.Ratio) < 1+Threshold:
	case slices.Min(b.Rounds) > slices.Max(a.Rounds):
		d.Verdict = Slower
	case slices.Max(b.Rounds) < slices.Min(a.Rounds):
		d.Verdict = Faster
	}
	return d
}

// ByChance is how many of the differences that were judged would be called slower or
// faster if there were none: the orders in which the rounds of one lie all above
// those of the other, among all orders. That they must differ by [Threshold], and
// that rounds of one run are alike, is not in it.
func ByChance(all []Difference) (expected float64) {
	for _, d := range all {
		if d.Verdict == Slower || d.Verdict == Faster || d.Verdict == Noise {
			expected += 2 / choose(len(d.A.Rounds)+len(d.B.Rounds), len(d.A.Rounds))
		}
	}
	return expected
}

// choose is n over k.
func choose(n, k int) float64 {
	v := 1.0
	for i := range k {
		v *= float64(n-i) / float64(i+1)
	}
	return v
}
