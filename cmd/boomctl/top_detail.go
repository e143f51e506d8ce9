package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// drawDetail draws all that the chosen block holds: numbers and texts, then
// histograms, then errors.
func (t *topScreen) drawDetail(c *term.Canvas) {
	b := t.detail
	c.Put(term.Bold, " "+b.kind+" "+b.name)
	if b.parent != "" {
		c.Put(term.Dim, "  of "+b.parent)
	}
	c.Put(term.Dim, fmt.Sprintf("  in %s (%d)", b.process.Name, b.process.PID))
	if !slices.Contains(t.sample.blocks, b) {
		c.Put(term.Yellow, "  has gone; as it was last")
	}
	c.End()
	c.End()
	width := 0
	for _, cell := range b.cells {
		width = max(width, len(cell.desc.Name))
	}
	for _, cell := range b.cells {
		if cell.desc.Kind != stats.KindHistogram && cell.desc.Kind != stats.KindErrors {
			t.drawCell(c, cell, width)
		}
	}
	for _, cell := range b.cells {
		if cell.desc.Kind == stats.KindHistogram {
			t.drawHistogram(c, b, cell)
		}
	}
	if log := b.errorLog(); len(log.records) > 0 {
		c.End()
		log.draw(c, t.sample.at)
	}
}

// drawCell draws a number or a text, names in width columns.
func (t *topScreen) drawCell(c *term.Canvas, cell *seenCell, width int) {
	c.Put(term.Plain, "   ").Left(term.Plain, width+2, cell.desc.Name)
	if cell.desc.Kind == stats.KindText {
		for i, line := range wrap(cell.now.Text, max(c.Width()-width-5, 20)) {
			if i > 0 {
				c.Left(term.Plain, width+5, "")
			}
			c.Put(term.Bold, line).End()
		}
		return
	}
	value, unit := cellText(cell, t.sample.mono)
	c.Right(term.Bold, 20, value).Put(term.Plain, " ").Left(term.Dim, 12, unit)
	if cell.desc.Kind == stats.KindCounter {
		rate := t.detail.rate(cell.desc.Name, t.sample.over)
		if cell.desc.Unit == "ns" { // of each second
			c.Right(term.Plain, 10, fmt.Sprintf("%.1f %%", rate/1e7))
		} else {
			c.Right(term.Plain, 10, term.Rate(rate)).Put(term.Dim, "/s")
		}
	}
	c.End()
}

// cellText is the value of a counter or gauge for people, and its unit where the
// value has none of its own. now is the time on clock.Nano, which all processes of
// a machine share.
func cellText(c *seenCell, now int64) (value, unit string) {
	switch {
	case c.desc.Name == "state" && c.desc.Unit == "state":
		return endpoint.State(c.now.Int).String(), ""
	case c.desc.Name == "since":
		return ago(time.Duration(now - c.now.Int)), ""
	case c.desc.Name == "cpu" && c.now.Int < 0:
		return "any", ""
	case c.desc.Unit == "ns":
		return nanos(c.now.Int), ""
	}
	return term.Count(c.now.Int), c.desc.Unit
}

func (t *topScreen) drawHistogram(c *term.Canvas, b *seenBlock, cell *seenCell) {
	var h stats.Snapshot
	b.between(cell.desc.Name, t.all, &h)
	span := "since the sample before"
	if t.all {
		span = "since the start"
	}
	c.End()
	c.Put(term.Bold, "   "+cell.desc.Name).Put(term.Dim, fmt.Sprintf("  %s %s", plural(int(h.Count()), "value"), span)).End()
	if h.Count() == 0 {
		return
	}
	q := latenciesOf(&h)
	c.Put(term.Plain, fmt.Sprintf("   p50 %s   p99 %s   p99.9 %s   max %s   mean %s",
		nanos(q.P50), nanos(q.P99), nanos(q.P999), nanos(q.Max), nanos(int64(h.Mean())))).End()
	drawBars(c, &h)
}
