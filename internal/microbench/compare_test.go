package microbench

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// of is a result with these rounds.
func of(name string, cpu int, rounds ...float64) Result {
	return Result{Name: name, CPUs: []int{cpu}, Figures: Summarize(rounds), Rounds: rounds}
}

func marked(r Result, kind MarkKind) Result {
	r.Marks = []Mark{{Kind: kind, Text: string(kind)}}
	return r
}

func TestVerdicts(t *testing.T) {
	base := of("a.b", 0, 100, 101, 99, 100, 102)
	for _, c := range []struct {
		name    string
		a, b    Result
		verdict Verdict
		why     string
	}{
		{"the same", base, base, Noise, ""},
		{"every round above", base, of("a.b", 0, 110, 111, 109, 110, 108), Slower, ""},
		{"every round below", base, of("a.b", 0, 90, 91, 92, 93, 90), Faster, ""},
		{"one round among the others", base, of("a.b", 0, 110, 111, 109, 110, 101.5), Noise, ""},
		{"twice as slow, and one round was not", base, of("a.b", 0, 200, 201, 100, 200, 205), Noise, ""},
		{"apart, by less than the threshold", of("a.b", 0, 100, 100, 100, 100, 100), of("a.b", 0, 101.5, 101.5, 101.5, 101.5, 101.5), Noise, ""},
		{"equal ends touch", base, of("a.b", 0, 102, 110, 110, 110, 110), Noise, ""},
		{"too few rounds", base, of("a.b", 0, 200, 201, 202, 203), Unsure, "B: 4 rounds, 5 are needed"},
		{"crowded", marked(base, Crowded), of("a.b", 0, 200, 200, 200, 200, 200), Unsure, "A: crowded"},
		{"stolen", base, marked(base, Stolen), Unsure, "B: stolen"},
		{"one CPU", marked(base, OneCPU), marked(base, Stolen), Unsure, "A: one_cpu"},
		{"siblings decide as much as others", marked(base, Siblings), marked(base, Siblings), Noise, ""},
		{"a slow clock too", marked(base, SlowClock), of("a.b", 0, 90, 91, 92, 93, 90), Faster, ""},
		{"failed", base, Result{Name: "a.b", CPUs: []int{0}, Failed: "offline"}, Unsure, "B: offline"},
		{"zero", of("a.b", 0, 0, 0, 0, 0, 0), base, Unsure, "a median is 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := Compare(&Run{Results: []Result{c.a}}, &Run{Results: []Result{c.b}})
			require.Len(t, all, 1)
			require.Equal(t, c.verdict, all[0].Verdict)
			require.Equal(t, c.why, all[0].Why)

			back := Compare(&Run{Results: []Result{c.b}}, &Run{Results: []Result{c.a}})[0]
			mirror := map[Verdict]Verdict{Faster: Slower, Slower: Faster, Noise: Noise, Unsure: Unsure}
			require.Equal(t, mirror[c.verdict], back.Verdict, "the other way round")
			if !math.IsNaN(back.Ratio) {
				require.InDelta(t, 1, back.Ratio*all[0].Ratio, 1e-9)
			}
		})
	}
}

func TestComparePairsUp(t *testing.T) {
	pair, served := of("a.b", 0, 1, 1), of("a.b", 0, 1, 1)
	pair.CPUs, served.CPUs = []int{0, 1}, []int{1, 0}
	a := &Run{Results: []Result{of("a.b", 0, 1), pair, of("a.c", 0, 1)}}
	b := &Run{Results: []Result{served, of("a.c", 0, 1), pair, of("d.e", 3, 1)}}
	var got []string
	for _, d := range Compare(a, b) {
		got = append(got, d.Name+" "+joined(d.CPUs)+" "+string(d.Verdict))
	}
	require.Equal(t, []string{"a.b 0 only in A", "a.b 0-1 unsure", "a.c 0 unsure", "a.b 1-0 only in B", "d.e 3 only in B"}, got)
}

func TestByChance(t *testing.T) {
	seven := of("a.b", 0, 1, 2, 3, 4, 5, 6, 7)
	all := Compare(&Run{Results: []Result{seven}}, &Run{Results: []Result{seven}})
	require.InDelta(t, 1.0/1716, ByChance(all), 1e-12)
	five := of("a.b", 0, 1, 2, 3, 4, 5)
	all = append(all, Compare(&Run{Results: []Result{five}}, &Run{Results: []Result{five}})...)
	require.InDelta(t, 1.0/1716+1.0/126, ByChance(all), 1e-12)
	require.Zero(t, ByChance(Compare(&Run{Results: []Result{five}}, &Run{})))
}
