package main

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/internal/term"
)

// Columns from which the tables have more of them.
const (
	topNarrow = 80
	topWide   = 120
	topWidest = 150 // and the endpoints have room for the last loss
)

// drawTables draws the tables in room lines; the endpoints get what the others
// leave.
func (t *topScreen) drawTables(c *term.Canvas, room int) {
	if len(t.sample.processes) == 0 {
		drawNoProcess(c, t.dir)
		return
	}
	reactors, endpoints, rings := t.share(room)
	if len(t.shown.reactors) > 0 {
		t.drawReactors(c, t.shown.reactors, reactors)
		c.End()
	}
	t.drawEndpoints(c, t.shown.endpoints, endpoints)
	if len(t.shown.rings) > 0 {
		c.End()
		t.drawRings(c, t.shown.rings, rings)
	}
}

// share is how many rows each table gets of room lines: at least one, so that the
// selection is seen, wherever it is.
func (t *topScreen) share(room int) (reactors, endpoints, rings int) {
	free := room - 1 // the heading of the endpoints
	if len(t.shown.reactors) > 0 {
		free -= 2 // heading and a blank line
	}
	if len(t.shown.rings) > 0 {
		free -= 2
	}
	free = max(free, 0)
	reactors = min(len(t.shown.reactors), max(free/3, 1))
	rings = min(len(t.shown.rings), max(free/4, 1))
	if unused := free - reactors - rings - len(t.shown.endpoints); unused > 0 {
		more := min(unused, len(t.shown.rings)-rings)
		rings += more
		reactors += min(unused-more, len(t.shown.reactors)-reactors)
	}
	return reactors, max(free-reactors-rings, 1), rings
}

// window is which of n rows of a table are shown in room lines: the selected one
// is among them.
func (t *topScreen) window(focus, n, room int) (from, to int) {
	o := min(t.offset[focus], max(n-room, 0))
	switch at := t.at[focus]; {
	case at < o:
		o = at
	case at >= o+room:
		o = at - room + 1
	}
	t.offset[focus] = o
	if t.focus == focus {
		t.room = room
	}
	return o, min(o+room, n)
}

// mark begins a row: with a pointer when it is the one that Enter opens.
func (t *topScreen) mark(c *term.Canvas, focus int, b *seenBlock) term.Style {
	if t.focus == focus && t.selected[focus] == b {
		c.Put(term.Cyan, "▸")
		return term.Bold
	}
	c.Put(term.Plain, " ")
	return term.Plain
}

// headings draws headings of a table, with an arrow where it is sorted by one.
type headings struct {
	c      *term.Canvas
	sorted string // name of the column
	arrow  string
}

func headingsOf[T any](c *term.Canvas, t *topScreen, focus int, columns []topColumn[T]) *headings {
	h := &headings{c, columns[t.order[focus]].name, "▾"}
	if t.reverse[focus] {
		h.arrow = "▴"
	}
	return h
}

func (h *headings) text(text, column string) (term.Style, string) {
	if h.sorted == column {
		return term.Plain, text + h.arrow
	}
	return term.Dim, text
}

func (h *headings) left(width int, text, column string) *headings {
	style, text := h.text(text, column)
	h.c.Left(style, width, text)
	return h
}

func (h *headings) right(width int, text, column string) *headings {
	style, text := h.text(text, column)
	h.c.Right(style, width, text)
	return h
}

func (t *topScreen) drawReactors(c *term.Canvas, rows []topReactor, room int) {
	from, to := t.window(focusReactors, len(rows), room)
	wide := c.Width() >= topWide
	h := headingsOf(c, t, focusReactors, reactorColumns)
	h.left(15, " reactor", "name").right(8, "pid", "").right(5, "cpu", "").left(12, "  idle", "").
		right(8, "turns/s", "turns").right(8, "busy", "busy").right(9, "longest", "longest").right(8, "work/s", "work").right(7, "errors", "errors")
	if wide {
		h.right(10, "parks/s", "").right(11, "endpoints", "").left(10, "  selector", "")
	}
	c.End()
	for i := from; i < to; i++ {
		r := &rows[i]
		style := t.mark(c, focusReactors, r.block)
		cpu := strconv.Itoa(r.CPU)
		if r.CPU < 0 {
			cpu = "any"
		}
		c.Left(style, 14, term.Clip(r.Name, 13)).Right(term.Dim, 8, strconv.Itoa(r.PID)).Right(term.Plain, 5, cpu).Put(term.Plain, "  ").Left(term.Plain, 10, r.Idle).
			Right(turnsStyle(r), 8, term.Rate(r.Turns)).Right(busyStyle(r.Busy), 8, fmt.Sprintf("%.1f %%", 100*r.Busy)).
			Right(term.Plain, 9, nanos(r.Longest)).Right(term.Plain, 8, term.Rate(r.Work)).Right(countStyle(term.Yellow, r.Errors), 7, term.Count(r.Errors))
		if wide {
			c.Right(term.Plain, 10, term.Rate(r.Parks)).Right(term.Plain, 11, term.Count(int64(r.Endpoints))).
				Put(term.Plain, "  ").Left(term.Plain, 8, r.Selector)
		}
		c.End()
	}
}

// nameWidth is how wide the names of endpoints are: as the longest, within what the
// other columns leave. Where that is too little the last columns are cut off.
func nameWidth(rows []topEndpoint, width int) int {
	const usual, narrowest = 20, 14
	room := usual + width - topNarrow
	switch {
	case width >= topWidest:
		room = 2 * usual
	case width >= topWide:
		room = usual + width - topWide
	}
	longest := usual
	for i := range rows {
		longest = max(longest, utf8.RuneCountInString(rows[i].Name)+1)
	}
	return max(min(longest, room), narrowest)
}

func (t *topScreen) drawEndpoints(c *term.Canvas, rows []topEndpoint, room int) {
	from, to := t.window(focusEndpoints, len(rows), room)
	wide, widest := c.Width() >= topWide, c.Width() >= topWidest
	name := nameWidth(rows, c.Width())
	h := headingsOf(c, t, focusEndpoints, endpointColumns)
	h.left(name+1, " endpoint", "name").left(13, "state", "state").right(8, "msg/s", "messages").right(10, "bytes/s", "bytes").
		right(9, "p50", "p50").right(9, "p99", "p99")
	if wide {
		h.right(9, "max", "max").right(8, "sent/s", "").right(9, "queue", "queue")
	}
	h.right(8, "reconn", "reconnects")
	if wide {
		h.left(16, "  reactor", "reactor")
	}
	if widest {
		h.left(11, "last loss", "")
	}
	c.End()
	if len(rows) == 0 {
		c.Put(term.Dim, " "+t.noEndpoints()).End()
	}
	for i := from; i < to; i++ {
		e := &rows[i]
		style := t.mark(c, focusEndpoints, e.block)
		c.Left(style, name, term.Clip(e.Name, name-1)).Left(stateStyle(e.state), 13, "● "+e.State).
			Right(term.Plain, 8, term.Rate(e.Messages)).Right(term.Plain, 10, term.Bytes(int64(e.Bytes))).
			Right(term.Plain, 9, latencyText(e.Latency.Count, e.Latency.P50)).Right(term.Plain, 9, latencyText(e.Latency.Count, e.Latency.P99))
		if wide {
			c.Right(term.Plain, 9, latencyText(e.Latency.Count, e.Latency.Max)).Right(term.Plain, 8, term.Rate(e.Sent)).
				Right(countStyle(term.Yellow, e.Queue), 9, term.Bytes(e.Queue))
		}
		c.Right(countStyle(term.Yellow, e.Reconnects), 8, term.Count(e.Reconnects))
		if wide {
			c.Put(term.Plain, "  ").Left(term.Plain, 14, t.reactorText(e))
		}
		if widest {
			c.Put(term.Dim, e.Last)
		}
		c.End()
	}
}

// noEndpoints says why the table is empty.
func (t *topScreen) noEndpoints() string {
	if len(t.rows.endpoints) > 0 {
		return fmt.Sprintf("/%s takes none of %s; Esc shows all", t.filter, term.Count(int64(len(t.rows.endpoints))))
	}
	return "none"
}

// reactorText is the reactor of an endpoint, with the PID where there are several
// processes.
func (t *topScreen) reactorText(e *topEndpoint) string {
	if len(t.sample.processes) < 2 {
		return e.Reactor
	}
	pid := " " + strconv.Itoa(e.PID)
	return term.Clip(e.Reactor, 14-len(pid)) + pid
}

func (t *topScreen) drawRings(c *term.Canvas, rows []topRing, room int) {
	from, to := t.window(focusRings, len(rows), room)
	h := headingsOf(c, t, focusRings, ringColumns)
	h.left(31, " ring", "name").left(14, "into", "").right(8, "msg/s", "offered").right(8, "depth", "depth").
		right(8, "high", "high").right(10, "refused", "refused")
	c.End()
	for i := from; i < to; i++ {
		r := &rows[i]
		style := t.mark(c, focusRings, r.block)
		c.Left(style, 30, term.Clip(r.Name, 29)).Left(term.Plain, 14, r.Reactor).Right(term.Plain, 8, term.Rate(r.Offered)).
			Right(term.Plain, 8, term.Count(r.Depth)).Right(term.Plain, 8, term.Count(r.HighWater)).
			Right(countStyle(term.Yellow, r.Refused), 10, term.Count(r.Refused)).End()
	}
}

func latencyText(count, ns int64) string {
	if count == 0 {
		return "–"
	}
	return nanos(ns)
}

// turnsStyle tells of a reactor that does not turn: a handler blocks, or nobody
// drives it. One that waits turns a thousand times a second.
func turnsStyle(r *topReactor) term.Style {
	if c := r.block.byName["turns"]; c != nil && c.samples > 1 && r.Turns == 0 {
		return term.Red
	}
	return term.Plain
}

func busyStyle(share float64) term.Style {
	switch {
	case share >= .8:
		return term.Red
	case share >= .5:
		return term.Yellow
	}
	return term.Plain
}
