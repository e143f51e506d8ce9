package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/boomnet-go/boomnet/internal/term"
)

// The tables of the screen.
const (
	focusReactors = iota
	focusEndpoints
	focusRings
	focuses
)

// topScreen is what the user of `boomctl top` has chosen to see.
type topScreen struct {
	order   int
	reverse bool
	all     bool // latencies since the start
	paused  bool
	help    bool

	focus    int
	selected [focuses]*seenBlock
	offset   [focuses]int // the first row that is shown
	detail   *seenBlock
	scroll   int // of the detail

	tables [focuses][]*seenBlock // as drawn last
	page   int                   // rows of the focused table that were shown
}

const (
	topWide   = 108 // columns from which tables have more of them
	topWidest = 140 // and have room for the last loss
	topFooter = 1   // line
)

// draw draws s in at most height lines.
func (t *topScreen) draw(c *term.Canvas, s *sample, height int) {
	rows := s.rows(t.all)
	rows.sort(t.order, t.reverse)
	t.take(rows)
	switch {
	case t.help:
		t.drawHelp(c)
	case t.detail != nil && slices.Contains(s.blocks, t.detail):
		t.drawTitle(c, s, rows)
		t.drawDetail(c, s, height-c.Lines()-topFooter)
	default:
		t.detail = nil
		t.drawTitle(c, s, rows)
		t.drawTables(c, s, rows, height)
	}
	for c.Lines() < height-topFooter {
		c.End()
	}
	t.drawFooter(c, rows)
}

// take keeps the order of the rows, and the selection where it still stands.
func (t *topScreen) take(rows *topRows) {
	for i := range t.tables {
		t.tables[i] = t.tables[i][:0]
	}
	for i := range rows.reactors {
		t.tables[focusReactors] = append(t.tables[focusReactors], rows.reactors[i].block)
	}
	for i := range rows.endpoints {
		t.tables[focusEndpoints] = append(t.tables[focusEndpoints], rows.endpoints[i].block)
	}
	for i := range rows.rings {
		t.tables[focusRings] = append(t.tables[focusRings], rows.rings[i].block)
	}
	for i, list := range t.tables {
		if !slices.Contains(list, t.selected[i]) {
			t.selected[i] = nil
			if len(list) > 0 {
				t.selected[i] = list[0]
			}
		}
	}
	for range focuses {
		if len(t.tables[t.focus]) > 0 {
			break
		}
		t.focus = (t.focus + 1) % focuses
	}
}

func (t *topScreen) drawTitle(c *term.Canvas, s *sample, rows *topRows) {
	processes := make(map[int]string)
	for _, b := range s.blocks {
		processes[b.process.PID] = b.process.Name
	}
	c.Put(term.Bold, " boomctl top").Put(term.Dim, fmt.Sprintf("  %s, %s, %s",
		howMany(len(processes), "process", "processes"), howMany(len(rows.reactors), "reactor", "reactors"), howMany(len(rows.endpoints), "endpoint", "endpoints")))
	switch {
	case len(s.failed) > 0:
		c.Put(term.Red, "  "+s.failed[0].Error())
	case len(s.ended) > 0:
		c.Put(term.Yellow, fmt.Sprintf("  %s (%d) has ended", s.ended[0].Name, s.ended[0].PID))
	}
	state := s.at.Format("15:04:05") + " "
	if t.paused {
		state = "paused at " + state
	}
	c.Edge(term.Dim, state).End()
	c.End()
}

// drawTables draws the tables; the endpoints get what the others leave.
func (t *topScreen) drawTables(c *term.Canvas, s *sample, rows *topRows, height int) {
	if len(s.blocks) == 0 {
		c.Put(term.Plain, " No process publishes counters here.").End()
		c.Put(term.Dim, " A program does with stats.Create and reactor.Config.Counters; boomctl demo does.").End()
		return
	}
	room := height - c.Lines() - topFooter - 1 // a blank line before the footer
	heads := 1                                 // heading of the endpoints
	if len(rows.reactors) > 0 {
		heads += 2 // and a blank line
	}
	if len(rows.rings) > 0 {
		heads += 2
	}
	free := max(room-heads, 0)
	reactors := min(len(rows.reactors), max(free/3, 1))
	rings := min(len(rows.rings), max(free/4, 1))
	endpoints := max(free-reactors-rings, 1)
	if len(rows.reactors) > 0 {
		t.drawReactors(c, rows.reactors, reactors)
		c.End()
	}
	t.drawEndpoints(c, rows.endpoints, endpoints)
	if len(rows.rings) > 0 {
		c.End()
		t.drawRings(c, rows.rings, rings)
	}
}

// window is which of n rows of a table are shown in room lines: the selected one
// is among them.
func (t *topScreen) window(focus, n, room int) (from, to int) {
	at := max(slices.Index(t.tables[focus], t.selected[focus]), 0)
	o := min(t.offset[focus], max(n-room, 0))
	switch {
	case at < o:
		o = at
	case at >= o+room:
		o = at - room + 1
	}
	t.offset[focus] = o
	if t.focus == focus {
		t.page = room
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

// heading is a column's, with an arrow where the table is sorted by it.
func (t *topScreen) heading(text, order string) string {
	if topOrders[t.order].name != order {
		return text
	}
	if t.reverse {
		return text + "▴"
	}
	return text + "▾"
}

// more says how many rows are not shown.
func more(c *term.Canvas, from, to, n int) {
	if to-from < n {
		c.Edge(term.Dim, fmt.Sprintf("%d–%d of %d ", from+1, to, n))
	}
	c.End()
}

func (t *topScreen) drawReactors(c *term.Canvas, rows []topReactor, room int) {
	from, to := t.window(focusReactors, len(rows), room)
	wide := c.Width() >= topWide
	c.Left(term.Dim, 15, " reactor").Right(term.Dim, 8, "pid").Right(term.Dim, 5, "cpu").Put(term.Plain, "  ").Left(term.Dim, 10, "idle").
		Right(term.Dim, 8, "turns/s").Right(term.Dim, 8, "busy").Right(term.Dim, 10, "longest").Right(term.Dim, 8, "work/s")
	if wide {
		c.Right(term.Dim, 9, "parks/s").Right(term.Dim, 10, "endpoints").Right(term.Dim, 8, "errors").Put(term.Plain, "  ").Left(term.Dim, 9, "selector")
	}
	more(c, from, to, len(rows))
	for i := from; i < to; i++ {
		r := &rows[i]
		style := t.mark(c, focusReactors, r.block)
		cpu := strconv.Itoa(r.CPU)
		if r.CPU < 0 {
			cpu = "any"
		}
		c.Left(style, 14, r.Name).Right(term.Dim, 8, strconv.Itoa(r.PID)).Right(term.Plain, 5, cpu).Put(term.Plain, "  ").Left(term.Plain, 10, r.Idle).
			Right(term.Plain, 8, term.Rate(r.Turns)).Right(busyStyle(r.Busy), 8, fmt.Sprintf("%.1f %%", 100*r.Busy)).
			Right(term.Plain, 10, nanos(r.Longest)).Right(term.Plain, 8, term.Rate(r.Work))
		if wide {
			c.Right(term.Plain, 9, term.Rate(r.Parks)).Right(term.Plain, 10, term.Count(int64(r.Endpoints))).
				Right(alarmStyle(r.Errors), 8, term.Count(r.Errors)).Put(term.Plain, "  ").Left(term.Plain, 9, r.Selector)
		}
		c.End()
	}
}

func (t *topScreen) drawEndpoints(c *term.Canvas, rows []topEndpoint, room int) {
	from, to := t.window(focusEndpoints, len(rows), room)
	wide := c.Width() >= topWide
	c.Left(term.Dim, 21, " "+t.heading("endpoint", "name")).Left(term.Dim, 13, t.heading("state", "state")).
		Right(term.Dim, 8, t.heading("msg/s", "messages")).Right(term.Dim, 10, t.heading("bytes/s", "bytes")).
		Right(term.Dim, 9, t.heading("p50", "p50")).Right(term.Dim, 9, t.heading("p99", "p99")).
		Right(term.Dim, 8, t.heading("reconn", "reconnects"))
	if wide {
		c.Right(term.Dim, 9, t.heading("max", "max")).Right(term.Dim, 8, "sent/s").Right(term.Dim, 9, "queue").
			Put(term.Plain, "  ").Left(term.Dim, 12, t.heading("reactor", "reactor"))
	}
	widest := c.Width() >= topWidest
	if widest {
		c.Put(term.Dim, "  last loss")
	}
	more(c, from, to, len(rows))
	if len(rows) == 0 {
		c.Put(term.Dim, " none").End()
	}
	for i := from; i < to; i++ {
		e := &rows[i]
		style := t.mark(c, focusEndpoints, e.block)
		c.Left(style, 20, e.Name).Left(topStateStyle(e.State), 13, "● "+e.State).
			Right(term.Plain, 8, term.Rate(e.Messages)).Right(term.Plain, 10, term.Bytes(int64(e.Bytes))).
			Right(term.Plain, 9, latencyText(e.Latency.Count, e.Latency.P50)).Right(term.Plain, 9, latencyText(e.Latency.Count, e.Latency.P99)).
			Right(alarmStyle(e.Reconnects), 8, term.Count(e.Reconnects))
		if wide {
			c.Right(term.Plain, 9, latencyText(e.Latency.Count, e.Latency.Max)).Right(term.Plain, 8, term.Rate(e.Sent)).
				Right(term.Plain, 9, term.Bytes(e.Queue)).Put(term.Plain, "  ").Left(term.Plain, 12, e.Reactor)
		}
		if widest {
			c.Put(term.Dim, "  "+e.Last)
		}
		c.End()
	}
}

func (t *topScreen) drawRings(c *term.Canvas, rows []topRing, room int) {
	from, to := t.window(focusRings, len(rows), room)
	c.Left(term.Dim, 31, " ring").Left(term.Dim, 14, "into").Right(term.Dim, 8, "msg/s").Right(term.Dim, 8, "depth").
		Right(term.Dim, 8, "high").Right(term.Dim, 10, "refused")
	more(c, from, to, len(rows))
	for i := from; i < to; i++ {
		r := &rows[i]
		style := t.mark(c, focusRings, r.block)
		c.Left(style, 30, r.Name).Left(term.Plain, 14, r.Reactor).Right(term.Plain, 8, term.Rate(r.Offered)).
			Right(term.Plain, 8, term.Count(r.Depth)).Right(term.Plain, 8, term.Count(r.HighWater)).
			Right(alarmStyle(r.Refused), 10, term.Count(r.Refused)).End()
	}
}

// drawFooter says which keys there are, or why the selected endpoint was lost last
// where the table has no room for that.
func (t *topScreen) drawFooter(c *term.Canvas, rows *topRows) {
	keys := " ↑↓ move  ⏎ open  Tab table  s sort  t total  p pause  h help  q quit"
	if t.detail != nil || t.help {
		keys = " Esc back  ↑↓ scroll  p pause  q quit"
	} else if c.Width() < topWidest && t.focus == focusEndpoints {
		for i := range rows.endpoints {
			if e := &rows.endpoints[i]; e.block == t.selected[focusEndpoints] && e.Last != "" {
				c.Put(term.Dim, " last loss: ").Put(term.Plain, e.Last).End()
				return
			}
		}
	}
	c.Put(term.Dim, keys).End()
}

func (t *topScreen) drawHelp(c *term.Canvas) {
	c.Put(term.Bold, " boomctl top").End()
	c.End()
	for _, k := range [][2]string{
		{"↑ ↓ j k", "move; PgUp, PgDn, Home and End, too"},
		{"Tab", "the next table: reactors, endpoints, rings"},
		{"Enter →", "all numbers of the row, its histograms, its errors"},
		{"Esc ←", "back"},
		{"s S", "sort the endpoints by the next, the previous column"},
		{"r", "reverse the order"},
		{"t", "latencies of the last interval, or since the start"},
		{"p", "pause"},
		{"q", "quit"},
	} {
		c.Left(term.Cyan, 12, "   "+k[0]).Put(term.Plain, k[1]).End()
	}
	c.End()
	c.Put(term.Dim, " busy: share of the time in turns that found something to do").End()
	c.Put(term.Dim, " longest: the longest such turn; p50, p99: from the network read to the handler").End()
}

func howMany(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return term.Count(int64(n)) + " " + many
}

func latencyText(count, ns int64) string {
	if count == 0 {
		return "–"
	}
	return nanos(ns)
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

func alarmStyle(n int64) term.Style {
	if n > 0 {
		return term.Yellow
	}
	return term.Plain
}

func topStateStyle(state string) term.Style {
	switch state {
	case "open":
		return term.Green
	case "failed":
		return term.Red
	case "backoff":
		return term.Yellow
	}
	return term.Cyan
}
