package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// drawDetail draws all that the chosen block holds, from line t.scroll on.
func (t *topScreen) drawDetail(c *term.Canvas, s *sample, room int) {
	all := term.NewCanvas(c.Width(), false) // to know how many lines there are
	t.detailLines(all, s)
	t.scroll = max(min(t.scroll, all.Lines()-room), 0)
	t.page = room
	lines := term.NewCanvas(c.Width(), c.Colour())
	t.detailLines(lines, s)
	c.Append(lines, t.scroll, t.scroll+room)
}

func (t *topScreen) detailLines(c *term.Canvas, s *sample) {
	b := t.detail
	c.Put(term.Bold, " "+b.kind+" "+b.name)
	if b.parent != "" {
		c.Put(term.Dim, "  of "+b.parent)
	}
	c.Put(term.Dim, fmt.Sprintf("  in %s (%d)", b.process.Name, b.process.PID)).End()
	c.End()
	width := 0
	for _, cell := range b.cells {
		width = max(width, len(cell.desc.Name))
	}
	for _, cell := range b.cells {
		if cell.desc.Kind == stats.KindHistogram || cell.desc.Kind == stats.KindErrors {
			continue
		}
		c.Put(term.Plain, "   ").Left(term.Plain, width+2, cell.desc.Name)
		if cell.desc.Kind == stats.KindText {
			c.Put(term.Bold, cell.now.Text).End()
			continue
		}
		value, unit := cellText(cell)
		c.Right(term.Bold, 20, value).Put(term.Plain, " ").Left(term.Dim, 12, unit)
		if cell.desc.Kind == stats.KindCounter {
			c.Right(term.Plain, 10, term.Rate(b.rate(cell.desc.Name, s.over))).Put(term.Dim, "/s")
		}
		c.End()
	}
	for _, cell := range b.cells {
		if cell.desc.Kind == stats.KindHistogram {
			t.drawHistogram(c, b, cell)
		}
	}
	for _, cell := range b.cells {
		if cell.desc.Kind == stats.KindErrors {
			c.End()
			drawErrors(c, cell.now.Errors, s.at)
		}
	}
}

// cellText is the value of a counter or gauge for people, and its unit where the
// value has none of its own.
func cellText(c *seenCell) (value, unit string) {
	switch {
	case c.desc.Name == "state" && c.desc.Unit == "state":
		return endpoint.State(c.now.Int).String(), ""
	case c.desc.Name == "since": // on the clock of the process, which is this machine's
		return term.Duration(time.Duration(max(clock.Nano()-c.now.Int, 0))), "ago"
	case c.desc.Name == "cpu" && c.now.Int < 0:
		return "any", ""
	case c.desc.Unit == "ns":
		return nanos(c.now.Int), ""
	}
	return term.Count(c.now.Int), c.desc.Unit
}

// barWidth is how long the bar of the most frequent decade of a histogram is.
const barWidth = 40

func (t *topScreen) drawHistogram(c *term.Canvas, b *seenBlock, cell *seenCell) {
	var h stats.Snapshot
	b.between(cell.desc.Name, t.all, &h)
	span := "since the sample before"
	if t.all {
		span = "since the start"
	}
	c.End()
	c.Put(term.Bold, "   "+cell.desc.Name).Put(term.Dim, fmt.Sprintf("  %s values %s", term.Count(h.Count()), span)).End()
	if h.Count() == 0 {
		return
	}
	q := latenciesOf(&h)
	c.Put(term.Plain, fmt.Sprintf("   p50 %s   p99 %s   p99.9 %s   max %s   mean %s",
		nanos(q.P50), nanos(q.P99), nanos(q.P999), nanos(q.Max), term.Duration(time.Duration(h.Mean())))).End()
	drawBars(c, &h)
}

// drawBars draws how many values lie between one power of two and the next.
func drawBars(c *term.Canvas, h *stats.Snapshot) {
	bins := powersOfTwo(h)
	most := int64(1)
	for _, b := range bins {
		most = max(most, b.count)
	}
	for _, b := range bins {
		length := int(b.count * barWidth / most)
		c.Right(term.Dim, 12, "< "+nanos(b.below)).Right(term.Plain, 14, term.Count(b.count)).
			Put(term.Plain, " ").Put(term.Cyan, strings.Repeat("█", length))
		if length == 0 && b.count > 0 {
			c.Put(term.Cyan, "▏")
		}
		c.End()
	}
}

// bin counts values below a bound, and not below that of the bin before.
type bin struct{ below, count int64 }

// powersOfTwo counts by powers of two, from the smallest value to the largest.
func powersOfTwo(h *stats.Snapshot) (bins []bin) {
	h.Each(func(low, _, count int64) {
		below := int64(1)
		for below <= low {
			below *= 2
		}
		for len(bins) > 0 && bins[len(bins)-1].below < below/2 {
			bins = append(bins, bin{below: bins[len(bins)-1].below * 2})
		}
		if len(bins) == 0 || bins[len(bins)-1].below < below {
			bins = append(bins, bin{below: below})
		}
		bins[len(bins)-1].count += count
	})
	return bins
}

// drawErrors draws an error log.
func drawErrors(c *term.Canvas, list []stats.ErrorRecord, now time.Time) {
	c.Right(term.Dim, 10, "errors").Right(term.Dim, 14, "first").Right(term.Dim, 14, "last").Put(term.Dim, "   text").End()
	if len(list) == 0 {
		c.Put(term.Dim, "      none").End()
	}
	for _, e := range list {
		c.Right(term.Yellow, 10, term.Count(e.Count)).Right(term.Plain, 14, timeAgo(now, e.First)).Right(term.Plain, 14, timeAgo(now, e.Last)).
			Put(term.Plain, "   "+e.Text).End()
	}
}

// timeAgo is how long before now t was, to the second.
func timeAgo(now, t time.Time) string {
	d := now.Sub(t).Round(time.Second)
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return t.Format("2006-01-02")
}
