package main

import (
	"fmt"
	"strings"

	"github.com/boomnet-go/boomnet/internal/jitter"
	"github.com/boomnet-go/boomnet/internal/term"
)

// drawJitter draws a report: what was watched, causes, histogram, the longest
// gaps, the machine, advice.
func drawJitter(c *term.Canvas, r *jitter.Report) {
	c.Put(term.Bold, jitterTitle(r)).End()
	text := "watched for " + nanos(r.Watched) + ", looking for causes took " + nanos(r.Looking) + " more; gaps over " + nanos(r.Threshold)
	if r.SeenFrom > r.Threshold {
		text += ", surely seen from " + nanos(r.SeenFrom)
	}
	writeFolded(c, "", text)
	writeFolded(c, "", jitterSettings(r))
	if r.Instead != "" {
		writeFolded(c, "", "not the strategy asked for: "+r.Instead)
	}

	c.End()
	drawCauses(c, r)
	drawHistogram(c, r)
	drawLongest(c, r.Longest)
	drawMeanwhile(c, r)

	section(c, "advice")
	for i, a := range r.Advice {
		lead := fmt.Sprintf("%2d. ", i+1)
		indent := strings.Repeat(" ", len(lead))
		for j, line := range wrap(a.What, c.Width()-len(lead)) {
			if j > 0 {
				lead = indent
			}
			c.Put(term.Plain, lead).Put(term.Bold, line).End()
		}
		for _, line := range wrap(a.Why, c.Width()-len(indent)) {
			c.Put(term.Plain, indent).Put(term.Plain, line).End()
		}
		for _, command := range a.Commands {
			for j, line := range wrap(command, c.Width()-len(indent)-4) {
				mark := "  → "
				if j > 0 {
					mark = "    "
				}
				c.Put(term.Plain, indent+mark).Put(term.Cyan, line).End()
			}
		}
	}
}

func jitterTitle(r *jitter.Report) string {
	var parts []string
	if r.Loop == jitter.LoopPlain {
		parts = append(parts, "plain loop")
	} else {
		parts = append(parts, "reactor", r.Idle, r.Selector)
	}
	parts = append(parts, fmt.Sprintf("%d %% busy", r.Busy))
	if r.CPU >= 0 {
		parts = append(parts, fmt.Sprintf("CPU %d", r.CPU))
	} else {
		parts = append(parts, "not pinned")
	}
	return strings.Join(parts, ", ")
}

// jitterSettings is what the process and the machine are set to.
func jitterSettings(r *jitter.Report) string {
	var parts []string
	if m := r.Machine; m != nil {
		parts = append(parts, "Linux "+m.Kernel)
	}
	if p := r.Process; p != nil {
		gc := "off"
		if p.GCPercent >= 0 {
			gc = fmt.Sprintf("%d %%", p.GCPercent)
		}
		parts = append(parts, p.GoVersion, fmt.Sprintf("GOMAXPROCS %d on %s", p.GOMAXPROCS, plural(p.CPUs, "CPU")), "GOGC "+gc, plural(int(p.Collections), "collection"))
	}
	return strings.Join(parts, ", ")
}

// drawCauses draws a line for each cause that has gaps here or in the floor.
func drawCauses(c *term.Canvas, r *jitter.Report) {
	line := func(style term.Style, name, by, gaps, rate, longest, total, floor string) {
		c.Left(style, 19, name).Left(term.Plain, 9, by).
			Right(term.Plain, 9, gaps).Right(style, 10, rate).Right(term.Plain, 11, longest).Right(term.Plain, 11, total)
		if r.Floor != nil {
			c.Right(term.Plain, 11, floor)
		}
		c.End()
	}
	gaps := func(style term.Style, name, by string, n, floor jitter.CauseCount) {
		inC := ""
		if r.Floor != nil {
			inC = rate(r.Floor.PerSecond(floor.Count))
		}
		line(style, name, by, term.Count(n.Count), rate(r.PerSecond(n.Count)), nanos(n.Longest), nanos(n.Total), inC)
	}
	line(term.Bold, "cause", "made by", "gaps", "a second", "longest", "together", "a s in C")
	of := func(f *jitter.Report, cause jitter.Cause) jitter.CauseCount {
		if f == nil {
			return jitter.CauseCount{}
		}
		return f.Of(cause)
	}
	for _, cause := range jitter.Causes() {
		n, floor := r.Of(cause), of(r.Floor, cause)
		if n.Count+floor.Count == 0 {
			continue
		}
		by, style := "machine", term.Plain
		if cause.GoMade() {
			by, style = "Go", term.Yellow
		}
		gaps(style, cause.String(), by, n, floor)
	}
	goMade, others := r.GoMade(), r.Others()
	var floorGo, floorOthers jitter.CauseCount
	if r.Floor != nil {
		floorGo, floorOthers = r.Floor.GoMade(), r.Floor.Others()
	}
	gaps(term.Bold, "all", "Go", goMade, floorGo)
	gaps(term.Bold, "", "machine", others, floorOthers)
}

// drawHistogram draws a bar for each length of gaps.
func drawHistogram(c *term.Canvas, r *jitter.Report) {
	if len(r.Histogram) == 0 {
		return
	}
	const lengths, counts = 21, 10
	c.End()
	c.Left(term.Bold, lengths, "gap").Right(term.Bold, counts, "Go").Right(term.Bold, counts, "machine")
	c.Put(term.Plain, "  ").Put(term.Dim, "█ Go  ░ machine").End()
	most := int64(1)
	for _, b := range r.Histogram {
		most = max(most, b.Go+b.Others)
	}
	room := c.Width() - lengths - 2*counts - 2
	for _, b := range r.Histogram {
		to := "and more"
		if b.To > 0 {
			to = "– " + nanos(b.To)
		}
		goMade, others := share(b.Go, most, room), share(b.Others, most, room)
		if goMade+others > room { // both were rounded up
			others = room - goMade
		}
		c.Right(term.Plain, 9, nanos(b.From)).Left(term.Plain, lengths-9, " "+to).
			Right(term.Plain, counts, term.Count(b.Go)).Right(term.Plain, counts, term.Count(b.Others)).Put(term.Plain, "  ").
			Put(term.Yellow, strings.Repeat("█", goMade)).Put(term.Plain, strings.Repeat("░", others)).End()
	}
}

// share is n of most as a part of room, 1 at least if there is any.
func share(n, most int64, room int) int {
	if n == 0 {
		return 0
	}
	return max(1, int(float64(n)/float64(most)*float64(room)))
}

func drawLongest(c *term.Canvas, longest []jitter.Gap) {
	if len(longest) == 0 {
		return
	}
	section(c, "longest")
	for _, g := range longest {
		c.Right(term.Plain, 9, nanos(g.Length)).Put(term.Plain, "  ").Left(term.Plain, 19, g.Cause.String()).
			Put(term.Plain, fmt.Sprintf("at %s", nanos(g.At)))
		if g.CPU >= 0 {
			c.Put(term.Plain, fmt.Sprintf(", on CPU %d", g.CPU))
		}
		c.End()
	}
}

// drawMeanwhile draws what happened beside the loop.
func drawMeanwhile(c *term.Canvas, r *jitter.Report) {
	m := r.Machine
	if m == nil {
		return
	}
	section(c, "meanwhile")
	text := "ready to run but not running: " + nanos(m.RunDelay) + "; switches without a gap: " + term.Count(r.Unseen)
	if r.CPU >= 0 {
		text += "; kept by the host: " + nanos(m.Steal)
		text += fmt.Sprintf("; CPU %d is %s and %s", r.CPU, orNot(m.Isolated, "isolated"), orNot(m.NohzFull, "nohz_full"))
	}
	writeFolded(c, "  ", text)
	if len(m.Interrupts) > 0 && m.Seconds > 0 {
		const shown = 6
		var parts []string
		for _, i := range m.Interrupts[:min(len(m.Interrupts), shown)] {
			parts = append(parts, fmt.Sprintf("%s %s (%s)", rate(float64(i.Count)/m.Seconds), i.Name, i.About))
		}
		writeFolded(c, "  ", "interrupts a second: "+strings.Join(parts, ", "))
	}
	if s := r.Stops; s != nil {
		writeFolded(c, "  ", fmt.Sprintf("%s forced: the longest took %s, stopping the world for it up to %s", plural(int(s.Count), "collection"), nanos(s.Longest), nanos(s.Stopping)))
	}
}

func orNot(is bool, what string) string {
	if is {
		return what
	}
	return "not " + what
}

// rate writes a count a second, with a decimal where that says something.
func rate(perSecond float64) string {
	if perSecond < 99.95 {
		return fmt.Sprintf("%.1f", perSecond)
	}
	return term.Count(int64(perSecond + 0.5))
}
