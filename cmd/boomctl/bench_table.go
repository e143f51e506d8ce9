package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/internal/term"
)

// The columns of the table; the bars have the rest.
const (
	benchName   = 18
	benchCPUs   = 8
	benchFigure = 9
	benchSpread = 8
	benchMark   = 3
)

// benchNoisy is a spread, as a share, from which it is shown in a colour.
const benchNoisy = 0.10

// drawBench draws a run: the machine, a table for each topic, what the marks mean,
// and what was left out.
func drawBench(c *term.Canvas, run *microbench.Run, each bool) {
	drawBenchHead(c, run)
	c.End()
	c.Put(term.Dim, "  ").Left(term.Dim, benchName, "").Left(term.Dim, benchCPUs, "cpu").Right(term.Dim, benchFigure, "median").
		Right(term.Dim, benchFigure, "p99").Right(term.Dim, benchSpread, "spread").End()
	rest := run.Results
	for len(rest) > 0 {
		n := 1
		for n < len(rest) && rest[n].Topic() == rest[0].Topic() {
			n++
		}
		drawTopic(c, rest[:n], each)
		rest = rest[n:]
	}
	drawMarks(c, run)
	for i, note := range run.Notes {
		if i == 0 {
			section(c, "notes")
		}
		writeFolded(c, "  ", note)
	}
}

// drawBenchHead says where and when it was.
func drawBenchHead(c *term.Canvas, run *microbench.Run) {
	m := &run.Machine
	c.Put(term.Bold, "boomnet bench")
	c.Put(term.Plain, "  "+machineText(m)).End()
	system := []string{strings.TrimSpace(systemName(m.OS) + " " + m.Kernel), m.Go, m.Arch}
	for _, x := range []struct{ what, value string }{{"boomctl", m.Program}, {"clock source", m.Clock}, {"governor", m.Governor}} {
		if x.value != "" {
			system = append(system, x.what+" "+x.value)
		}
	}
	if m.Slack > 0 {
		system = append(system, "timer slack "+term.Nanoseconds(float64(m.Slack)))
	}
	writeFolded(c, "", strings.Join(system, ", "))
	c.Put(term.Plain, fmt.Sprintf("%s, %d rounds of %s, ", stamp(m.Started), run.Rounds, term.Nanoseconds(float64(run.Time)/float64(max(run.Rounds, 1)))))
	// Above these the neighbours decide.
	busy, kept := max(0.5, float64(m.CPUs)/10), 0.01
	style := term.Plain
	load := fmt.Sprintf("load %.2f, steal %.1f %%", m.Load, 100*run.Steal)
	if m.Load > busy || run.Steal > kept {
		style, load = term.Yellow, load+": not quiet"
	}
	c.Put(style, load).End()
}

func machineText(m *microbench.Machine) string {
	parts := []string{m.Host, m.CPU, plural(m.CPUs, "CPU")}
	if m.Allowed.Len() < m.CPUs {
		parts[2] = fmt.Sprintf("CPUs %s of %d", some(m.Allowed), m.CPUs)
	}
	if m.Virtual {
		parts = append(parts, "virtual")
	}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func systemName(os string) string {
	if os == "linux" {
		return "Linux"
	}
	return os
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// benchRow is a line of the table: results of one case that agree.
type benchRow struct {
	results []*microbench.Result
	median  float64 // of the medians
	p99     float64 // the largest
	spread  float64 // the largest; NaN: not known
}

func newBenchRow(some []*microbench.Result) benchRow {
	row := benchRow{results: some, spread: math.NaN()}
	var medians []float64
	for _, r := range some {
		medians = append(medians, r.Median)
		row.p99 = max(row.p99, r.P99)
		if spread, ok := r.Spread(); ok && !(spread <= row.spread) {
			row.spread = spread
		}
	}
	row.median = microbench.Summarize(medians).Median
	return row
}

// agreeing cuts the results of one case into those that agree: none is above the
// lowest by more than 5 %, or by more than its own spread; those that are doubtful
// stand alone.
func agreeing(results []microbench.Result, each bool) (groups [][]*microbench.Result) {
	const near = 0.05
	var sorted []*microbench.Result
	for i := range results {
		sorted = append(sorted, &results[i])
	}
	if each {
		return slices.Collect(slices.Chunk(sorted, 1))
	}
	slices.SortStableFunc(sorted, func(a, b *microbench.Result) int {
		switch {
		case a.Failed != b.Failed:
			return strings.Compare(a.Failed, b.Failed) // figures first
		case a.Median < b.Median:
			return -1
		case a.Median > b.Median:
			return 1
		}
		return 0
	})
	for _, r := range sorted {
		if n := len(groups); n > 0 {
			first := groups[n-1][0]
			spread, _ := r.Spread()
			if r.Failed == first.Failed && !doubtful(r) && !doubtful(first) && r.Median <= first.Median*(1+max(near, spread)) {
				groups[n-1] = append(groups[n-1], r)
				continue
			}
		}
		groups = append(groups, []*microbench.Result{r})
	}
	slices.SortStableFunc(groups, func(a, b []*microbench.Result) int { return firstCPU(a) - firstCPU(b) })
	return groups
}

func doubtful(r *microbench.Result) bool {
	return slices.ContainsFunc(r.Marks, func(m microbench.Mark) bool { return m.Kind.Doubtful() })
}

func firstCPU(some []*microbench.Result) int {
	first := some[0].CPUs[0]
	for _, r := range some {
		first = min(first, r.CPUs[0])
	}
	return first
}

// drawTopic draws the results of one topic, with bars that can be compared.
func drawTopic(c *term.Canvas, results []microbench.Result, each bool) {
	topic := results[0].Topic()
	section(c, topic)
	longest := 0.0
	for i := range results {
		longest = max(longest, results[i].Median)
	}
	for len(results) > 0 {
		n := 1
		for n < len(results) && results[n].Name == results[0].Name {
			n++
		}
		drawCase(c, strings.TrimPrefix(results[0].Name, topic+"."), results[:n], longest, each)
		results = results[n:]
	}
}

// drawCase draws the results of one case: all pairs of some CPUs as a matrix, other
// pairs under their distances, CPUs that agree on one line.
func drawCase(c *term.Canvas, name string, results []microbench.Result, longest float64, each bool) {
	switch pairs := results[0].Pair() && len(results) > 1; {
	case pairs && !each && allPairs(results):
		drawMatrix(c, name, results)
	case pairs:
		c.Put(term.Plain, "  "+name).End()
		for i := range results {
			drawBenchRow(c, "  "+results[i].Distance, newBenchRow([]*microbench.Result{&results[i]}), longest, each)
		}
	default:
		for _, group := range agreeing(results, each) {
			drawBenchRow(c, name, newBenchRow(group), longest, each)
			name = ""
		}
	}
}

// allPairs says that results are of all pairs of more than two CPUs.
func allPairs(results []microbench.Result) bool {
	n := len(pairedCPUs(results))
	return n > 2 && len(results) == n*(n-1)/2
}

func drawBenchRow(c *term.Canvas, name string, row benchRow, longest float64, each bool) {
	cpus, list := cpusText(row.results, each)
	c.Put(term.Plain, "  ").Left(term.Plain, benchName, name).Left(term.Dim, benchCPUs, cpus)
	if failed := row.results[0].Failed; failed != "" {
		c.End()
		for _, line := range fold("not measured: "+failed, c.Width()-4) {
			c.Put(term.Yellow, "    "+line).End()
		}
	} else {
		drawFigures(c, row, longest)
	}
	drawCPUs(c, list)
}

// drawFigures draws what is behind the CPUs.
func drawFigures(c *term.Canvas, row benchRow, longest float64) {
	spread, style := "", term.Dim
	if !math.IsNaN(row.spread) {
		spread = fmt.Sprintf("±%.1f %%", 100*row.spread)
		if row.spread >= 0.0995 {
			spread = fmt.Sprintf("±%.0f %%", 100*row.spread)
		}
		if row.spread >= benchNoisy {
			style = term.Yellow
		}
	}
	c.Right(term.Bold, benchFigure, term.Nanoseconds(row.median)).Right(term.Plain, benchFigure, term.Nanoseconds(row.p99)).
		Right(style, benchSpread, spread)
	c.Put(term.Plain, " ").Left(term.Yellow, benchMark, marksOf(row.results))
	drawBar(c, row.median, row.p99, longest)
	c.End()
}

// cpusText names the CPUs of a row in its column. A list that is too long for it is
// returned for [drawCPUs].
func cpusText(results []*microbench.Result, each bool) (column, list string) {
	if r := results[0]; len(results) == 1 && len(r.CPUs) == 2 && (each || r.Pair()) {
		return fmt.Sprintf("%d↔%d", r.CPUs[0], r.CPUs[1]), ""
	}
	var cpus affinity.Set
	for _, r := range results {
		cpus.Add(r.CPUs[0])
	}
	if column = cpus.String(); len(column) < benchCPUs {
		return column, ""
	}
	return plural(cpus.Len(), "CPU"), column
}

// drawCPUs draws a list below the column of CPUs.
func drawCPUs(c *term.Canvas, list string) {
	if list == "" {
		return
	}
	for _, line := range fold(list, c.Width()-2-benchName) {
		c.Left(term.Plain, 2+benchName, "").Put(term.Dim, line).End()
	}
}

// drawBar draws a bar as long as the median and a line on to p99. The longest
// median takes two thirds of what is left of the line; a p99 beyond it is cut off.
func drawBar(c *term.Canvas, value, p99, longest float64) {
	room := c.Width() - (2 + benchName + benchCPUs + 2*benchFigure + benchSpread + 1 + benchMark)
	if longest <= 0 || room < 6 {
		return
	}
	scale := float64(room) * 2 / 3 / longest
	eighths := int(math.Round(value * scale * 8))
	bar := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 || eighths == 0 {
		bar += string([]rune("▏▏▎▍▌▋▊▉")[part])
	}
	tail := min(int(math.Round(p99*scale)), room) - len([]rune(bar))
	c.Put(term.Cyan, bar).Put(term.Dim, strings.Repeat("─", max(tail, 0)))
}

// pairedCPUs are the CPUs of pairs.
func pairedCPUs(results []microbench.Result) []int {
	var cpus affinity.Set
	for i := range results {
		for _, cpu := range results[i].CPUs {
			cpus.Add(cpu)
		}
	}
	return cpus.CPUs()
}

// drawMatrix draws the medians of all pairs.
func drawMatrix(c *term.Canvas, name string, results []microbench.Result) {
	const cell = 6
	cpus := pairedCPUs(results)
	medians := map[[2]int]*microbench.Result{}
	lowest, marks := math.Inf(1), []*microbench.Result{}
	for i := range results {
		r := &results[i]
		medians[[2]int{r.CPUs[0], r.CPUs[1]}] = r
		if r.Failed == "" {
			lowest = min(lowest, r.Median)
		}
		marks = append(marks, r)
	}
	c.Put(term.Plain, "  "+name+", median in ns ").Put(term.Yellow, marksOf(marks)).End()
	c.Left(term.Plain, cell, "")
	for _, cpu := range cpus[1:] {
		c.Right(term.Dim, cell, fmt.Sprint(cpu))
	}
	c.End()
	for i, a := range cpus[:len(cpus)-1] {
		c.Right(term.Dim, cell, fmt.Sprint(a))
		for j, b := range cpus[1:] {
			r := medians[[2]int{a, b}]
			switch {
			case j < i:
				c.Right(term.Plain, cell, "")
			case r == nil || r.Failed != "":
				c.Right(term.Dim, cell, "–")
			case r.Median > 2*lowest:
				c.Right(term.Yellow, cell, fmt.Sprintf("%.0f", r.Median))
			default:
				c.Right(term.Plain, cell, fmt.Sprintf("%.0f", r.Median))
			}
		}
		c.End()
	}
}

// benchMarks are the kinds of marks: the letter in the table, and what it says.
var benchMarks = []struct {
	kind         microbench.MarkKind
	letter, text string
}{
	{microbench.Crowded, "c", "other threads had the CPU for a part of the time"},
	{microbench.Stolen, "s", "the hypervisor kept the CPU for a part of the time"},
	{microbench.OneCPU, "o", "both sides had one CPU: this is the scheduler's time"},
	{microbench.Siblings, "h", "both sides are hardware threads of one core"},
	{microbench.SlowClock, "t", "the clock source is not one that is read without the kernel"},
}

// marksOf are the letters of the marks of results.
func marksOf(results []*microbench.Result) (letters string) {
	for _, m := range benchMarks {
		if slices.ContainsFunc(results, func(r *microbench.Result) bool { return has(r, m.kind) }) {
			letters += m.letter
		}
	}
	return letters
}

func has(r *microbench.Result, kind microbench.MarkKind) bool {
	return slices.ContainsFunc(r.Marks, func(m microbench.Mark) bool { return m.Kind == kind })
}

// drawMarks explains the letters: how often, how much.
func drawMarks(c *term.Canvas, run *microbench.Run) {
	first := true
	for _, m := range benchMarks {
		count, most := 0, 0.0
		for i := range run.Results {
			if !has(&run.Results[i], m.kind) {
				continue
			}
			count++
			for _, mark := range run.Results[i].Marks {
				if mark.Kind == m.kind {
					most = max(most, mark.Share)
				}
			}
		}
		if count == 0 {
			continue
		}
		if first {
			section(c, "marks")
			first = false
		}
		text := fmt.Sprintf("%s  %s (%d of %s", m.letter, m.text, count, plural(len(run.Results), "figure"))
		if most > 0 {
			text += fmt.Sprintf(", %.0f %% at most", 100*most)
		}
		writeFolded(c, "  ", text+")")
	}
}
