package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// drawn is the screen; it checks that it fits.
func (t *topScreen) drawn(tb testing.TB, width, height int) string {
	tb.Helper()
	c := term.NewCanvas(width, false)
	t.draw(c, height)
	got := c.String()
	for line := range strings.Lines(got) {
		require.LessOrEqual(tb, utf8.RuneCountInString(line), width+1, line)
	}
	return got
}

func (t *topScreen) keysPressed(keys ...term.Key) {
	for _, k := range keys {
		t.arrange()
		t.press(k)
	}
}

func TestTopPictures(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {200, 50}} {
		name := fmt.Sprintf("top-%d", size[0])
		got := fakeScreen(fakeDesk()).drawn(t, size[0], size[1])
		require.Equal(t, size[1], strings.Count(got, "\n"), "as high as the terminal")
		golden(t, name, got)
	}
	for name, keys := range map[string][]term.Key{
		"top-detail-reactor": {term.KeyTab, term.KeyTab, term.KeyEnter},
		"top-detail":         {term.KeyDown, term.KeyEnter},
		"top-errors":         {'e'},
		"top-help":           {'h'},
		"top-filter":         {'/', '!', 'O', 'p', 'e', 'n', term.KeyEnter},
		"top-typing":         {'/', 'u', 's', 'd'},
		"top-ring":           {term.KeyTab, 's', 's', 's', 's', 'p'},
	} {
		screen := fakeScreen(fakeDesk())
		screen.keysPressed(keys...)
		golden(t, name, screen.drawn(t, 80, 24))
	}
	several := fakeScreen(fakeDesk(), fakeMany(3))
	several.ended = []endedProcess{{stats.Process{PID: 9, Name: "gateway"}, fakeNow.Add(-3 * time.Second)}}
	golden(t, "top-several", several.drawn(t, 120, 24))
	golden(t, "top-nothing", fakeScreen().drawn(t, 80, 10))
	several.keysPressed(term.KeyTab)
	for _, tables := range several.tables {
		require.NotEmpty(t, tables)
	}
}

// What is wrong has a colour, and what is right has none or green.
func TestTopColours(t *testing.T) {
	p := fakeDesk()
	p.fakeReactor("stuck", 5, 0, 0, 0, fakeErrors(0))
	c := term.NewCanvas(120, true)
	fakeScreen(p).draw(c, 40)
	got := c.String()
	for text, style := range map[string]term.Style{
		"● failed": term.Red, "● backoff": term.Yellow, "● connecting": term.Cyan, "● open": term.Green,
		"61.0 %": term.Yellow, "1,246": term.Yellow, "17": term.Yellow, "1.70 kB": term.Yellow, ", 3 not open": term.Yellow, "7": term.Yellow,
	} {
		require.Contains(t, got, "\x1b["+string(style)+"m"+text, text)
	}
	require.Regexp(t, `stuck +.*\x1b\[31m0\x1b\[0m`, got, "it does not turn")
	require.NotContains(t, got, "\x1b[33m0\x1b[0m", "nothing is nothing to worry about")
}

func TestTopFitsAnyTerminal(t *testing.T) {
	desk, many := fakeDesk(), fakeMany(50)
	for _, page := range []term.Key{term.KeyUnknown, term.KeyEnter, 'e', 'h', '/'} {
		for _, width := range []int{1, 2, 10, 39, 79, 81, 119, 149, 151, 400} {
			for height := 1; height < 30; height++ {
				screen := fakeScreen(desk, many)
				screen.keysPressed(term.KeyEnd, page)
				c := term.NewCanvas(width, false)
				screen.draw(c, height)
				require.LessOrEqual(t, c.Lines(), max(height, 5), "%d×%d", width, height)
				if height >= 24 && width > 40 && page == term.KeyUnknown {
					require.Contains(t, c.String(), "▸", "the selected row is seen: %d×%d", width, height)
				}
			}
		}
	}
}

func TestTopScrolls(t *testing.T) {
	screen := fakeScreen(fakeMany(1000))
	require.Contains(t, screen.drawn(t, 80, 24), " 1 of 1,000  e0000 of r0 for 12.3 s\n")
	screen.keysPressed(term.KeyPageDown)
	require.Contains(t, screen.drawn(t, 80, 24), "▸e0015 ")
	screen.keysPressed(term.KeyDown)
	got := screen.drawn(t, 80, 24)
	require.Contains(t, got, " 17 of 1,000 ")
	require.Contains(t, got, "▸e0016 ")
	screen.keysPressed(term.KeyEnd)
	require.Contains(t, screen.drawn(t, 80, 24), " 1,000 of 1,000 ")
	screen.keysPressed(term.KeyHome, term.KeyUp)
	require.Contains(t, screen.drawn(t, 80, 24), "▸e0000 ")
	screen.keysPressed('h', term.KeyEnd)
	require.Contains(t, screen.drawn(t, 80, 10), "since the start\n", "pages scroll to their end and no further")
}

// The selection stays on its row while others come and go, and on its place when
// the row itself goes.
func TestTopSelectionFollowsItsRow(t *testing.T) {
	p := fakeMany(5)
	screen := fakeScreen(p)
	screen.keysPressed(term.KeyDown, term.KeyDown)
	chosen := screen.selected[focusEndpoints]
	require.Equal(t, "e0002", chosen.name)
	p.order = slices.Delete(p.order, 1, 2) // e0000; the reactor is the first
	screen.see(fakeSample(p))
	screen.arrange()
	require.Same(t, chosen, screen.selected[focusEndpoints])
	require.Equal(t, 1, screen.at[focusEndpoints])
	p.order = slices.DeleteFunc(p.order, func(b *seenBlock) bool { return b == chosen })
	screen.see(fakeSample(p))
	screen.arrange()
	require.Equal(t, "e0003", screen.selected[focusEndpoints].name)
	p.order = p.order[:1]
	screen.see(fakeSample(p))
	require.Contains(t, screen.drawn(t, 80, 24), "none")
	require.Nil(t, screen.selected[focusEndpoints])
	require.Equal(t, focusReactors, screen.focus, "a table that has rows")
	screen.press(term.KeyEnter)
	require.Contains(t, screen.drawn(t, 80, 24), "reactor r0")
	screen.see(fakeSample())
	require.Contains(t, screen.drawn(t, 80, 24), "has gone; as it was last", "what one was reading is not taken away")
	screen.press(term.KeyEscape)
	require.Contains(t, screen.drawn(t, 80, 24), "No process publishes counters in /dev/shm/boomnet-1000.")
	screen.keysPressed(term.KeyDown, term.KeyEnter, term.KeyTab, 's', 'S', 'r', 't', 'e') // nothing to act on
	require.Contains(t, screen.drawn(t, 80, 24), "No errors in 0 processes.")
}

// Who has not moved sees the first row, whatever is first.
func TestTopSortingGoesToTheFirstRow(t *testing.T) {
	screen := fakeScreen(fakeMany(5))
	screen.keysPressed(term.KeyDown, 's', 's', 's')
	screen.arrange()
	require.Equal(t, "messages", endpointColumns[screen.order[focusEndpoints]].name)
	require.Equal(t, "e0004", screen.selected[focusEndpoints].name)
	screen.keysPressed('r')
	screen.arrange()
	require.Equal(t, "e0000", screen.selected[focusEndpoints].name)
	screen.keysPressed('S', 'S', 'S', 'S')
	require.Equal(t, len(endpointColumns)-1, screen.order[focusEndpoints], "round and round")
}

func TestTopKeys(t *testing.T) {
	screen := fakeScreen(fakeDesk())
	for _, c := range []struct {
		key  term.Key
		is   func() bool
		what string
	}{
		{'p', func() bool { return screen.paused }, "paused"},
		{' ', func() bool { return !screen.paused }, "going on"},
		{'t', func() bool { return screen.all && screen.rows == nil }, "since the start"},
		{term.KeyTab, func() bool { return screen.focus == focusRings }, "rings"},
		{term.KeyTab, func() bool { return screen.focus == focusReactors }, "reactors"},
		{'s', func() bool { return screen.order == [focuses]int{1, 0, 0} }, "only this table is sorted"},
		{'r', func() bool { return screen.reverse == [focuses]bool{true, false, false} }, "only this table is reversed"},
		{term.KeyRight, func() bool { return screen.page == pageDetail && screen.detail.kind == stats.ReactorBlock }, "detail"},
		{term.KeyEnter, func() bool { return screen.page == pageDetail }, "detail has no detail"},
		{term.KeyTab, func() bool { return screen.focus == focusReactors }, "there are no tables to go to"},
		{'j', func() bool { return screen.scroll == 1 }, "scrolled"},
		{'k', func() bool { return screen.scroll == 0 }, "and back"},
		{'k', func() bool { return screen.scroll == 0 }, "no further"},
		{term.KeyLeft, func() bool { return screen.page == pageTables }, "back"},
		{'?', func() bool { return screen.page == pageHelp }, "help"},
		{'e', func() bool { return screen.page == pageErrors }, "errors"},
		{'e', func() bool { return screen.page == pageTables }, "and away"},
		{'o', func() bool { return screen.filter == "!open" }, "what is down"},
		{'o', func() bool { return screen.filter == "" }, "all"},
		{'/', func() bool { return screen.typing }, "filter"},
		{'q', func() bool { return screen.filter == "q" }, "typed"},
		{term.KeyUp, func() bool { return screen.filter == "q" }, "no character"},
		{'é', func() bool { return screen.filter == "qé" }, "typed"},
		{term.KeyBackspace, func() bool { return screen.filter == "q" }, "taken back"},
		{term.KeyEnter, func() bool { return screen.filter == "q" && !screen.typing }, "kept"},
		{'/', func() bool { return screen.typing }, "filter"},
		{'x', func() bool { return screen.filter == "qx" }, "typed on"},
		{term.KeyEscape, func() bool { return screen.filter == "q" && !screen.typing }, "as before"},
		{term.KeyEscape, func() bool { return screen.filter == "" }, "no filter"},
		{term.KeyUnknown, func() bool { return screen.page == pageTables }, "nothing"},
	} {
		screen.arrange()
		require.False(t, screen.press(c.key))
		require.True(t, c.is(), "%q: %s", c.key, c.what)
		screen.drawn(t, 80, 24)
	}
	require.True(t, screen.press('q'))
	screen.press('/')
	require.True(t, screen.press(term.KeyCtrlC), "always")
	for range 2 * maxFilter {
		screen.press('x')
	}
	require.Len(t, screen.filter, maxFilter)
}

func TestTopOrders(t *testing.T) {
	first := map[string]string{
		"name": "a", "reactor": "e", "state": "d", "messages": "b", "bytes": "b", "p50": "c", "p99": "c", "max": "c", "queue": "d", "reconnects": "d",
	}
	p := fakeProcess(1, "p")
	p.fakeEndpoint("e", "r0", endpoint.Open, 1, 0, "", 10)
	p.fakeEndpoint("d", "r1", endpoint.Failed, 0, 9, "")
	p.fakeEndpoint("c", "r1", endpoint.Open, 2, 1, "", 500, 900)
	p.fakeEndpoint("b", "r1", endpoint.Backoff, 50, 0, "", 20)
	p.fakeEndpoint("a", "r1", endpoint.Upgrading, 0, 0, "", 20)
	for _, column := range endpointColumns {
		i, err := topOrder(column.name)
		require.NoError(t, err)
		rows := fakeSample(p).rows(false)
		rows.sort([focuses]int{0, i, 0}, [focuses]bool{})
		require.Equal(t, first[column.name], rows.endpoints[0].Name, column.name)
	}
	rows := fakeSample(p).rows(false)
	i, err := topOrder("state")
	require.NoError(t, err)
	rows.sort([focuses]int{0, i, 0}, [focuses]bool{})
	var states []string
	for _, e := range rows.endpoints {
		states = append(states, e.State+" "+e.Name)
	}
	require.Equal(t, []string{"failed d", "backoff b", "upgrading a", "open e", "open c"}, states, "the worst first; equals by reactor and name")
	_, err = topOrder("colour")
	require.EqualError(t, err, `top: unknown order "colour": want name, reactor, state, messages, bytes, p50, p99, max, queue, reconnects`)
}

func TestTopFilter(t *testing.T) {
	for f, want := range map[filter]bool{
		"": true, "!": true, "btc": true, "BTC": true, "eth": false, "!eth": true, "!btc": false, "open": true, "!open": false, "md": true,
	} {
		require.Equal(t, want, f.takes("btcusdt", "md", "open"), f)
	}
	rows := fakeSample(fakeDesk(), fakeMany(2)).rows(false)
	require.Len(t, rows.filter("feedhandler").endpoints, 5)
	require.Len(t, rows.filter("!open").endpoints, 3)
	require.Len(t, rows.filter("acks").rings, 1)
	require.Len(t, rows.filter("nothing").reactors, 3, "reactors stay")
	require.Equal(t, 3, rows.down())
}

// What a screen of 1,000 endpoints costs: rows once a sample, the picture on each key.
func BenchmarkTopRows(b *testing.B) {
	s := fakeSample(fakeMany(1000))
	for b.Loop() {
		s.rows(false)
	}
}

func BenchmarkTopDraw(b *testing.B) {
	t := fakeScreen(fakeMany(1000))
	for b.Loop() {
		t.draw(term.NewCanvas(120, true), 40)
	}
}
