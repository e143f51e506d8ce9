package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
)

// The widths from which reasons stand in the table, and recoveries take one line;
// below them they take a line more.
const (
	wideTable   = 110
	wideJournal = 145
)

// drawFrame draws s on c, in at most height lines; the journal gets what the
// tables leave.
func drawFrame(c *term.Canvas, s *snapshot, height int) {
	drawTitle(c, s)
	drawSymbols(c, s)
	drawReactor(c, s)
	drawLatencies(c, s)
	drawJournal(c, s, height-c.Lines()-1)
}

func drawTitle(c *term.Canvas, s *snapshot) {
	c.Put(term.Bold, " boomnet demo").Put(term.Dim, fmt.Sprintf("  %d symbols over %s", len(s.symbols), s.setup.tls))
	c.Edge(term.Dim, s.clockText()+" ").End()
	where := " " + s.setup.where
	if s.setup.tuned != "" {
		where += "; " + s.setup.tuned
	}
	c.Put(term.Dim, where).End()
	c.Put(term.Dim, " "+s.setup.url+", "+s.setup.source+", "+s.setup.faults).End()
	c.End()
}

// clockText is the time that has passed, and how the run ends.
func (s *snapshot) clockText() string {
	t := seconds(s.elapsed)
	switch {
	case s.final:
		return t + " s, " + s.finished
	case s.setup.limit > 0:
		return t + " of " + seconds(s.setup.limit) + " s"
	}
	return t + " s, Ctrl-C ends it"
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) }

func drawSymbols(c *term.Canvas, s *snapshot) {
	wide := c.Width() >= wideTable
	c.Left(term.Dim, 11, " endpoint").Left(term.Dim, 13, "state").Right(term.Dim, 12, "messages").
		Right(term.Dim, 10, rateHeading(s)).Right(term.Dim, 10, "bytes").Right(term.Dim, 8, "reconn").
		Right(term.Dim, 14, "last price")
	if wide {
		c.Put(term.Dim, "   last reason")
	}
	c.End()
	for i := range s.symbols {
		row := &s.symbols[i]
		c.Left(term.Bold, 11, " "+row.name).Left(stateStyle(row.state), 13, "● "+row.state.String()).
			Right(term.Plain, 12, term.Count(row.messages)).Right(term.Plain, 10, term.Count(row.perSecond)).
			Right(term.Plain, 10, term.Bytes(row.bytes)).Right(countStyle(term.Yellow, row.reconnects), 8, term.Count(row.reconnects)).
			Right(term.Bold, 14, priceText(row.price))
		switch {
		case row.reason != "" && wide:
			c.Put(term.Dim, "   "+row.reason)
		case row.reason != "":
			c.End()
			c.Put(term.Dim, "   └ last reason: "+row.reason)
		}
		c.End()
	}
	c.End()
}

func rateHeading(s *snapshot) string {
	if s.final {
		return "mean/s"
	}
	return "msg/s"
}

func stateStyle(s endpoint.State) term.Style {
	switch s {
	case endpoint.Open:
		return term.Green
	case endpoint.Failed:
		return term.Red
	case endpoint.Backoff:
		return term.Yellow
	}
	return term.Cyan
}

// priceText shows two decimals, and more of small prices.
func priceText(price int64) string {
	if price == 0 {
		return "–"
	}
	decimals := 2
	if price < 100*priceUnit {
		decimals = 4
	}
	return strconv.FormatFloat(float64(price)/priceUnit, 'f', decimals, 64)
}

func drawReactor(c *term.Canvas, s *snapshot) {
	r := &s.reactor
	c.Left(term.Dim, 11, " reactor").Left(term.Dim, 13, "runs on").Right(term.Dim, 14, "turns").
		Right(term.Dim, 10, "work").Right(term.Dim, 12, "parks").Put(term.Dim, "   waits by").End()
	c.Left(term.Bold, 11, " demo").Left(term.Cyan, 13, s.setup.cpu).Right(term.Plain, 14, term.Count(r.Turns)).
		Right(term.Plain, 10, fmt.Sprintf("%.1f %%", 100*r.WorkRatio())).Right(term.Plain, 12, term.Count(r.Parks)).
		Put(term.Plain, "   "+s.setup.idle+", "+s.setup.selector).End()
}

func drawLatencies(c *term.Canvas, s *snapshot) {
	c.Left(term.Dim, 24, " latency").Right(term.Dim, 12, "p50").Right(term.Dim, 10, "p99").
		Right(term.Dim, 10, "p99.9").Right(term.Dim, 10, "max").Right(term.Dim, 13, "samples").End()
	drawLatency(c, "receive → handler", s.receive)
	drawLatency(c, "send → handler", s.send)
	c.End()
}

func drawLatency(c *term.Canvas, name string, q quantiles) {
	c.Left(term.Bold, 24, " "+name)
	for i, v := range []int64{q.p50, q.p99, q.p999, q.max} {
		width := 10
		if i == 0 {
			width = 12
		}
		text := "–"
		if q.count > 0 {
			text = term.Duration(time.Duration(v))
		}
		c.Right(term.Plain, width, text)
	}
	text := "–"
	if q.count > 0 {
		text = term.Count(q.count)
	}
	c.Right(term.Dim, 13, text).End()
}

// drawJournal draws a heading, the latest recoveries that fit into room lines
// after it, and at the end of the run how the connections ended.
func drawJournal(c *term.Canvas, s *snapshot, room int) {
	if room <= 0 {
		return
	}
	c.Put(term.Dim, " what happened")
	if s.dropped > 0 {
		c.Put(term.Yellow, fmt.Sprintf("  (%s events missed)", term.Count(s.dropped)))
	}
	c.End()
	wide := c.Width() >= wideJournal
	first := len(s.journal)
	for first > 0 {
		need := recoveryLines(s.journal[first-1], wide)
		if need > room {
			break
		}
		room -= need
		first--
	}
	for _, v := range s.journal[first:] {
		drawRecovery(c, v, wide)
	}
	if s.final {
		c.Put(term.Dim, fmt.Sprintf(" the end: %d of %d connections closed in order", s.goodbye, len(s.symbols))).End()
	}
}

func recoveryLines(v *recovery, wide bool) int {
	if v.loss == "" || wide {
		return 1
	}
	return 2
}

func drawRecovery(c *term.Canvas, v *recovery, wide bool) {
	c.Put(term.Dim, " "+v.at.Format("15:04:05.000")+"  ").Left(term.Bold, 9, v.name).Put(term.Plain, " ")
	if v.loss != "" {
		c.Put(term.Red, "lost").Put(term.Plain, "  "+v.loss)
		if wide {
			c.Put(term.Dim, " → ")
		} else {
			c.End()
			c.Put(term.Dim, "     → ")
		}
	}
	style := term.Yellow
	switch {
	case v.took > 0:
		style = term.Green
	case v.done():
		style = term.Red
	}
	c.Put(style, v.path()).End()
}

// path is what the endpoint went through: "backoff 37 ms → connecting → open in 41 ms".
func (v *recovery) path() string {
	var parts []string
	if v.backoff >= 0 {
		parts = append(parts, "backoff "+term.Duration(v.backoff))
	}
	for _, s := range v.steps {
		parts = append(parts, s.String())
	}
	if v.took > 0 {
		parts[len(parts)-1] += " in " + term.Duration(v.took)
	}
	return strings.Join(parts, " → ")
}
