package main

import (
	"slices"

	"github.com/boomnet-go/boomnet/internal/term"
)

// press does what a key asks for. It reports whether that is the end.
func (t *topScreen) press(k term.Key) (quit bool) {
	switch k {
	case 'q', term.KeyCtrlC:
		return true
	case 'h', '?':
		t.help = !t.help
	case term.KeyEscape, term.KeyLeft, term.KeyBackspace:
		t.help, t.detail = false, nil
	case term.KeyEnter, term.KeyRight:
		t.help = false
		if t.detail == nil {
			t.detail, t.scroll = t.selected[t.focus], 0
		}
	case term.KeyTab:
		t.nextTable()
	case 's':
		t.order = (t.order + 1) % len(topOrders)
	case 'S':
		t.order = (t.order + len(topOrders) - 1) % len(topOrders)
	case 'r':
		t.reverse = !t.reverse
	case 't':
		t.all = !t.all
	case 'p', ' ':
		t.paused = !t.paused
	case term.KeyUp, 'k':
		t.move(-1)
	case term.KeyDown, 'j':
		t.move(1)
	case term.KeyPageUp:
		t.move(-max(t.page-1, 1))
	case term.KeyPageDown:
		t.move(max(t.page-1, 1))
	case term.KeyHome:
		t.move(-1 << 30)
	case term.KeyEnd:
		t.move(1 << 30)
	}
	return false
}

// move moves the selection, or scrolls what is open; drawing keeps to the bounds.
func (t *topScreen) move(by int) {
	if t.detail != nil {
		t.scroll = max(t.scroll+by, 0)
		return
	}
	list := t.tables[t.focus]
	if len(list) == 0 {
		return
	}
	at := max(slices.Index(list, t.selected[t.focus]), 0)
	t.selected[t.focus] = list[min(max(at+by, 0), len(list)-1)]
}

// nextTable goes to the next table that has rows.
func (t *topScreen) nextTable() {
	if t.detail != nil {
		return
	}
	for range focuses {
		t.focus = (t.focus + 1) % focuses
		if len(t.tables[t.focus]) > 0 {
			return
		}
	}
}
