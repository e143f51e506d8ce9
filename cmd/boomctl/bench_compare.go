package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/internal/term"
)

// compare is `boomctl bench --compare A B`.
func (c *benchCmd) compare() error {
	var runs [2]*microbench.Run
	for i, path := range c.Files {
		var err error
		if runs[i], err = readRun(path); err != nil {
			return err
		}
		if err := c.keep(runs[i]); err != nil {
			return fmt.Errorf("%w in %s", err, path)
		}
	}
	all := microbench.Compare(runs[0], runs[1])
	var err error
	if c.JSON {
		err = printJSON(differencesJSON(all))
	} else {
		out := canvas()
		drawCompare(out, c.Files, runs, all, c.Each)
		_, err = os.Stdout.WriteString(out.String())
	}
	slower := slices.ContainsFunc(all, func(d microbench.Difference) bool { return d.Verdict == microbench.Slower })
	if err == nil && c.Fail && slower {
		return exitStatus(exitFailure)
	}
	return err
}

// differenceJSON is a difference for programs; what there is not is null.
type differenceJSON struct {
	Name    string             `json:"name"`
	CPUs    []int              `json:"cpus"`
	A       *float64           `json:"a_median_ns"`
	B       *float64           `json:"b_median_ns"`
	Ratio   *float64           `json:"ratio"` // b / a
	Verdict microbench.Verdict `json:"verdict"`
	Why     string             `json:"why,omitempty"`
}

func differencesJSON(all []microbench.Difference) []differenceJSON {
	list := make([]differenceJSON, 0, len(all))
	for _, d := range all {
		j := differenceJSON{Name: d.Name, CPUs: d.CPUs, Verdict: d.Verdict, Why: d.Why}
		if d.A != nil && d.A.Failed == "" {
			j.A = &d.A.Median
		}
		if d.B != nil && d.B.Failed == "" {
			j.B = &d.B.Median
		}
		if !math.IsNaN(d.Ratio) {
			j.Ratio = &d.Ratio
		}
		list = append(list, j)
	}
	return list
}

// drawCompare draws two runs beside each other: who they are, a line for each case
// and verdict, and how many there are of each.
func drawCompare(c *term.Canvas, names []string, runs [2]*microbench.Run, all []microbench.Difference, each bool) {
	c.Put(term.Bold, "boomnet bench").Put(term.Plain, "  two runs compared").End()
	for i, run := range runs {
		c.Put(term.Bold, string(rune('A'+i))).Put(term.Plain, "  "+names[i]+"  "+machineText(&run.Machine)).End()
		c.Put(term.Dim, fmt.Sprintf("   %s, %s, load %.2f, steal %.1f %%", stamp(run.Machine.Started), plural(run.Rounds, "round"), run.Machine.Load, 100*run.Steal)).End()
	}
	if differ := differing(runs); len(differ) > 0 {
		for _, line := range fold("they differ in "+strings.Join(differ, "; "), c.Width()-3) {
			c.Put(term.Yellow, "   "+line).End()
		}
	}
	c.End()
	c.Put(term.Dim, "  ").Left(term.Dim, compareName, "").Left(term.Dim, benchCPUs, "cpu").Right(term.Dim, benchFigure, "A").
		Right(term.Dim, benchFigure, "B").Right(term.Dim, compareRatio, "B/A").Left(term.Dim, compareVerdict, "").
		Put(term.Dim, ratioScale(c)).End()
	topic := ""
	last := ""
	for _, group := range sameVerdict(all, each) {
		if t := group[0].A.Topic(); t != topic {
			topic = t
			section(c, topic)
		}
		name := group[0].Name
		if name == last {
			name = ""
		} else {
			last = name
		}
		drawDifference(c, strings.TrimPrefix(name, topic+"."), group, each)
	}
	c.End()
	drawCounts(c, all)
}

// differing says what the machines of two runs do not have in common.
func differing(runs [2]*microbench.Run) (differ []string) {
	a, b := &runs[0].Machine, &runs[1].Machine
	for _, x := range []struct{ what, a, b string }{
		{"host", a.Host, b.Host}, {"processor", a.CPU, b.CPU}, {"CPUs", some(a.Allowed), some(b.Allowed)},
		{"kernel", a.Kernel, b.Kernel}, {"Go", a.Go, b.Go}, {"architecture", a.Arch, b.Arch}, {"boomctl", a.Program, b.Program},
		{"clock source", a.Clock, b.Clock}, {"governor", a.Governor, b.Governor},
		{"timer slack", term.Nanoseconds(float64(a.Slack)), term.Nanoseconds(float64(b.Slack))},
		{"time for each", runs[0].Time.String(), runs[1].Time.String()},
	} {
		if x.a != x.b {
			differ = append(differ, fmt.Sprintf("%s: %s → %s", x.what, orUnknown(x.a), orUnknown(x.b)))
		}
	}
	return differ
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// The columns of a comparison; the others are those of the table.
const (
	compareName    = 17
	compareRatio   = 7
	compareVerdict = 12
)

// sameVerdict puts differences of one case with one verdict together, but for those
// of pairs. What only one run has is left out.
func sameVerdict(all []microbench.Difference, each bool) (groups [][]microbench.Difference) {
	at := map[string]int{}
	for _, d := range all {
		if d.A == nil || d.B == nil {
			continue
		}
		key := fmt.Sprint(d.Name, d.Verdict, d.Why)
		if each || d.A.Pair() {
			key += fmt.Sprint(d.CPUs)
		}
		i, ok := at[key]
		if !ok {
			i = len(groups)
			at[key], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], d)
	}
	return groups
}

func drawDifference(c *term.Canvas, name string, group []microbench.Difference, each bool) {
	var as, bs, ratios []float64
	var of []*microbench.Result
	for _, d := range group {
		if d.A.Failed == "" {
			as = append(as, d.A.Median)
		}
		if d.B.Failed == "" {
			bs = append(bs, d.B.Median)
		}
		if !math.IsNaN(d.Ratio) {
			ratios = append(ratios, d.Ratio)
		}
		of = append(of, d.A)
	}
	verdict := group[0].Verdict
	style := verdictStyle(verdict)
	cpus, list := cpusText(of, each)
	c.Put(term.Plain, "  ").Left(term.Plain, compareName, name).Left(term.Dim, benchCPUs, cpus).
		Right(term.Plain, benchFigure, figureText(as)).Right(term.Plain, benchFigure, figureText(bs))
	if len(ratios) == 0 {
		c.Right(term.Plain, compareRatio, "").Put(style, "  "+string(verdict)).End()
	} else {
		ratio := microbench.Summarize(ratios).Median
		c.Right(term.Bold, compareRatio, fmt.Sprintf("%.2f", ratio)).Left(style, compareVerdict, "  "+string(verdict))
		drawRatio(c, ratio, style)
		c.End()
	}
	drawCPUs(c, list)
	if why := group[0].Why; why != "" {
		for _, line := range fold(why, c.Width()-4) {
			c.Put(term.Dim, "    "+line).End()
		}
	}
}

func figureText(values []float64) string {
	if len(values) == 0 {
		return "–"
	}
	return term.Nanoseconds(microbench.Summarize(values).Median)
}

func verdictStyle(v microbench.Verdict) term.Style {
	switch v {
	case microbench.Slower:
		return term.Red
	case microbench.Faster:
		return term.Green
	case microbench.Unsure:
		return term.Yellow
	}
	return term.Dim
}

// half is how many columns there are for each side of a ratio's bar.
func half(c *term.Canvas) int {
	room := c.Width() - (2 + compareName + benchCPUs + 2*benchFigure + compareRatio + compareVerdict)
	return max(min((room-1)/2, 16), 0)
}

// ratioScale is the heading of the bars: half as long, equal, twice as long.
func ratioScale(c *term.Canvas) string {
	n := half(c)
	if n < 4 {
		return ""
	}
	return fmt.Sprintf("½%s1%s2", strings.Repeat(" ", n-1), strings.Repeat(" ", n-1))
}

// drawRatio draws a bar from 1, to the left for less, to the right for more; its
// length is the logarithm, its end a half and two.
func drawRatio(c *term.Canvas, ratio float64, style term.Style) {
	n := half(c)
	if n < 4 || ratio <= 0 {
		return
	}
	length := int(math.Round(math.Log2(ratio) * float64(n)))
	left, right := min(max(-length, 0), n), min(max(length, 0), n)
	c.Put(term.Plain, strings.Repeat(" ", n-left)).Put(style, strings.Repeat("━", left)).
		Put(term.Dim, "┃").Put(style, strings.Repeat("━", right))
}

// drawCounts says how many there are of each verdict, and what chance does.
func drawCounts(c *term.Canvas, all []microbench.Difference) {
	count := map[microbench.Verdict]int{}
	names := map[microbench.Verdict][]string{}
	cpus := map[microbench.Verdict]affinity.Set{}
	for _, d := range all {
		v := d.Verdict
		count[v]++
		if !slices.Contains(names[v], d.Name) {
			names[v] = append(names[v], d.Name)
		}
		cpus[v] = cpus[v].Or(affinity.Of(d.CPUs[0]))
	}
	judged := count[microbench.Slower] + count[microbench.Faster] + count[microbench.Noise]
	c.Put(term.Bold, fmt.Sprintf("%d compared", judged+count[microbench.Unsure])).Put(term.Plain, ": ").
		Put(countStyle(term.Red, count[microbench.Slower]), fmt.Sprintf("%d slower", count[microbench.Slower])).Put(term.Plain, ", ").
		Put(countStyle(term.Green, count[microbench.Faster]), fmt.Sprintf("%d faster", count[microbench.Faster])).
		Put(term.Plain, fmt.Sprintf(", %d noise, %d unsure", count[microbench.Noise], count[microbench.Unsure])).End()
	if chance := microbench.ByChance(all); chance > 0 {
		writeFolded(c, "", fmt.Sprintf("Of so many, %.2g would be slower or faster by chance alone. What differs between two runs as a whole one pair of them cannot tell: make two of each.", chance))
	}
	for _, v := range []microbench.Verdict{microbench.OnlyA, microbench.OnlyB} {
		if n := count[v]; n > 0 {
			writeFolded(c, "", fmt.Sprintf("%d %s, on CPUs %s: %s.", n, v, cpus[v], strings.Join(names[v], ", ")))
		}
	}
}
