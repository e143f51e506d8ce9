package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// The tables of the screen.
const (
	focusReactors = iota
	focusEndpoints
	focusRings
	focuses
)

// topPage is what fills the screen between title and footer.
type topPage int

const (
	pageTables topPage = iota
	pageDetail         // of topScreen.detail
	pageErrors
	pageHelp
)

// topScreen is what the user of `boomctl top` has chosen to see, and of which
// sample. press changes the choice, see the sample; draw keeps both within bounds.
type topScreen struct {
	dir      string // of the counters files
	keyboard bool   // keys are read
	paused   bool

	page   topPage
	scroll int        // lines of the page, but for the tables
	detail *seenBlock // also when it has gone: then as it was last

	filter  string
	typing  bool   // the filter is being typed
	before  string // what it was before
	all     bool   // latencies since the start
	order   [focuses]int
	reverse [focuses]bool

	focus    int
	selected [focuses]*seenBlock
	at       [focuses]int  // its row
	moved    [focuses]bool // the user chose it; else it is the first row
	offset   [focuses]int  // the first row that is shown
	room     int           // rows, or lines of the page, that were shown last

	sample *sample
	rows   *topRows // of sample; nil: to be made
	shown  *topRows // those of them that are wanted, in order
	tables [focuses][]*seenBlock
	ended  []endedProcess
}

// endedProcess is one that was being watched.
type endedProcess struct {
	stats.Process
	at time.Time
}

// endedShown is how long the title tells of a process that has ended.
const endedShown = 30 * time.Second

// see takes the next sample.
func (t *topScreen) see(s *sample) {
	t.sample, t.rows = s, nil
	for _, p := range s.ended {
		t.ended = append(t.ended, endedProcess{p, s.at})
	}
	t.ended = slices.DeleteFunc(t.ended, func(e endedProcess) bool { return s.at.Sub(e.at) > endedShown })
}

// arrange makes the rows that are to be seen, and keeps the selection on its row:
// when that has gone, on the one that has taken its place.
func (t *topScreen) arrange() {
	if t.rows == nil {
		t.rows = t.sample.rows(t.all)
	}
	t.shown = t.rows.filter(filter(t.filter))
	t.shown.sort(t.order, t.reverse)
	t.tables = [focuses][]*seenBlock{blocksOf(t.shown.reactors), blocksOf(t.shown.endpoints), blocksOf(t.shown.rings)}
	for i, list := range t.tables {
		at := slices.Index(list, t.selected[i])
		switch {
		case !t.moved[i]:
			at = 0
		case at < 0:
			at = min(t.at[i], len(list)-1)
		}
		t.choose(i, at)
	}
	there := [focuses]int{len(t.rows.reactors), len(t.rows.endpoints), len(t.rows.rings)}
	for range focuses {
		if there[t.focus] > 0 { // if only the filter hides them the focus waits here
			break
		}
		t.focus = (t.focus + 1) % focuses
	}
}

// choose selects a row of a table, as far as it has such a row.
func (t *topScreen) choose(focus, at int) {
	list := t.tables[focus]
	at = max(min(at, len(list)-1), 0)
	t.at[focus], t.selected[focus] = at, nil
	if at < len(list) {
		t.selected[focus] = list[at]
	}
}

func blocksOf[T any, R topRow[T]](rows []T) []*seenBlock {
	list := make([]*seenBlock, len(rows))
	for i := range rows {
		list[i] = R(&rows[i]).from()
	}
	return list
}

const topFooter = 2 // lines

// draw draws height lines. On a terminal that is too low for all of them the
// title comes first.
func (t *topScreen) draw(c *term.Canvas, height int) {
	t.arrange()
	t.drawTitle(c)
	room := max(height-c.Lines()-topFooter, 1)
	body := term.NewCanvas(c.Width(), c.Colour())
	switch t.page {
	case pageDetail:
		t.drawDetail(body)
	case pageErrors:
		drawErrorLogs(body, t.sample.errorLogs(), len(t.sample.processes), t.sample.at)
	case pageHelp:
		drawTopHelp(body)
	default:
		t.drawTables(body, room)
		t.scroll = 0
	}
	if t.page != pageTables {
		t.scroll = max(min(t.scroll, body.Lines()-room), 0)
		t.room = room
	}
	c.Append(body, t.scroll, t.scroll+room)
	for c.Lines() < height-topFooter {
		c.End()
	}
	t.drawSelected(c, body.Lines() > t.scroll+room)
	t.drawFooter(c)
}

// drawTitle draws what there is, and in a second line what is wrong.
func (t *topScreen) drawTitle(c *term.Canvas) {
	s := t.sample
	c.Put(term.Bold, " boomctl top").Put(term.Dim, fmt.Sprintf("  %s, %s, %s", plural(len(s.processes), "process"),
		plural(len(t.rows.reactors), "reactor"), plural(len(t.rows.endpoints), "endpoint")))
	if down := t.rows.down(); down > 0 {
		c.Put(term.Yellow, fmt.Sprintf(", %s not open", term.Count(int64(down))))
	}
	if t.paused {
		c.Edge(term.Yellow, s.at.Format("paused at 15:04:05 "))
	} else {
		c.Edge(term.Dim, s.at.Format("15:04:05 "))
	}
	c.End()
	if t.filter != "" && !t.typing {
		c.Put(term.Cyan, fmt.Sprintf(" /%s  %s of %s", t.filter, term.Count(int64(len(t.shown.endpoints))), plural(len(t.rows.endpoints), "endpoint")))
	}
	for i, e := range t.ended {
		if i > 0 {
			c.Put(term.Yellow, ";")
		}
		c.Put(term.Yellow, fmt.Sprintf(" %s (%d) ended %s", e.Name, e.PID, ago(s.at.Sub(e.at).Round(time.Second))))
	}
	if len(s.failed) > 0 {
		c.Put(term.Red, " "+s.failed[0].Error())
	}
	c.End()
}

// down is how many endpoints are not open.
func (t *topRows) down() (n int) {
	for i := range t.endpoints {
		if t.endpoints[i].State != "open" {
			n++
		}
	}
	return n
}

// drawSelected draws a line about the selected row: which of how many it is when
// not all are shown, whose it is, and of an endpoint since when it is in its state
// and why it was lost last.
func (t *topScreen) drawSelected(c *term.Canvas, more bool) {
	b := t.selected[t.focus]
	switch {
	case t.page != pageTables && more:
		c.Put(term.Dim, " more below")
	case t.page != pageTables || b == nil:
	default:
		if n := len(t.tables[t.focus]); n > t.room {
			c.Put(term.Dim, fmt.Sprintf(" %s of %s ", term.Count(int64(t.at[t.focus]+1)), term.Count(int64(n))))
		}
		c.Put(term.Bold, " "+b.name)
		if b.parent != "" {
			c.Put(term.Dim, " of "+b.parent)
		}
		if len(t.sample.processes) > 1 {
			c.Put(term.Dim, fmt.Sprintf(" in %s (%d)", b.process.Name, b.process.PID))
		}
		if since := b.value("since"); since > 0 && t.focus == focusEndpoints {
			c.Put(term.Dim, " for ").Put(term.Plain, term.Duration(time.Duration(max(t.sample.mono-since, 0))))
		}
		if last := b.text("last_loss"); last != "" {
			c.Put(term.Dim, ", last lost ").Put(term.Plain, last)
		}
	}
	c.End()
}

// drawFooter says which keys there are.
func (t *topScreen) drawFooter(c *term.Canvas) {
	switch {
	case t.typing:
		c.Put(term.Cyan, " /").Put(term.Bold, t.filter).Put(term.Cyan, "▏").Put(term.Dim, "  ⏎ keep  Esc as before  !text: without it").End()
		return
	case !t.keyboard:
		c.Put(term.Dim, " Ctrl-C ends it: standard input is no terminal, so there are no keys").End()
		return
	}
	keys := "⏎ open  Tab table  s sort  / filter  e errors  t total  p pause  h help  q quit"
	if t.page != pageTables {
		keys = "Esc back  ↑↓ scroll  t total  p pause  q quit"
	}
	for i, k := range strings.Split(keys, "  ") {
		key, what, _ := strings.Cut(k, " ")
		if i > 0 {
			c.Put(term.Plain, " ")
		}
		c.Put(term.Cyan, " "+key).Put(term.Dim, " "+what)
	}
	c.End()
}

// drawNoProcess says that there is nothing to see.
func drawNoProcess(c *term.Canvas, dir string) {
	writeFolded(c, " ", "No process publishes counters in "+dir+".")
	writeFolded(c, " ", "A program does with stats.Create and reactor.Config.Counters; boomctl demo does.")
}

// drawTopHelp draws the keys.
func drawTopHelp(c *term.Canvas) {
	for _, k := range [][2]string{
		{"↑ ↓ j k", "move; PgUp, PgDn, Home and End, too"},
		{"Tab", "the next table: reactors, endpoints, rings"},
		{"⏎ →", "all numbers of the row, its histograms, its errors"},
		{"Esc ←", "back; from the tables: no filter"},
		{"/", "only rows with a text in name, reactor, state or process; !: without"},
		{"o", "only endpoints that are not open, or all again"},
		{"s S", "sort the table by the next, the previous column"},
		{"r", "reverse the order"},
		{"e", "errors of all reactors"},
		{"t", "latencies of the last interval, or since the start"},
		{"p", "pause"},
		{"q", "quit"},
	} {
		c.Left(term.Cyan, 12, "   "+k[0]).Put(term.Plain, k[1]).End()
	}
	c.End()
	for _, line := range []string{
		"busy      share of the time in turns that found something to do",
		"longest   the longest such turn since the start, or boomctl control reset",
		"p50, p99  from the end of a network read to the handler",
		"errors    losses and failed tries to connect, since the start",
	} {
		c.Put(term.Dim, "   "+line).End()
	}
}
