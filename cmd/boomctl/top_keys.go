package main

import (
	"unicode"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/internal/term"
)

// press does what a key asks for. It reports whether that is the end.
func (t *topScreen) press(k term.Key) (quit bool) {
	if t.typing && k != term.KeyCtrlC {
		t.typed(k)
		return false
	}
	switch k {
	case 'q', term.KeyCtrlC:
		return true
	case 'h', '?':
		t.turnTo(pageHelp)
	case 'e':
		t.turnTo(pageErrors)
	case term.KeyEscape, term.KeyLeft, term.KeyBackspace:
		if t.page == pageTables {
			t.filter = ""
		}
		t.page = pageTables
	case term.KeyEnter, term.KeyRight:
		if b := t.selected[t.focus]; t.page == pageTables && b != nil {
			t.detail = b
			t.turnTo(pageDetail)
		}
	case term.KeyTab:
		t.nextTable()
	case '/':
		t.page, t.typing, t.before = pageTables, true, t.filter
	case 'o':
		t.page = pageTables
		if t.filter == notOpen {
			t.filter = ""
		} else {
			t.filter = notOpen
		}
	case 's':
		t.sortBy(1)
	case 'S':
		t.sortBy(-1)
	case 'r':
		t.reverse[t.focus] = !t.reverse[t.focus]
		t.moved[t.focus] = false
	case 't':
		t.all, t.rows = !t.all, nil
	case 'p', ' ':
		t.paused = !t.paused
	default:
		t.move(k)
	}
	return false
}

// notOpen is the filter for what is down.
const notOpen = "!open"

// turnTo shows a page from its beginning, or the tables when it is the one shown.
func (t *topScreen) turnTo(p topPage) {
	if t.page == p {
		p = pageTables
	}
	t.page, t.scroll = p, 0
}

// sortBy goes to another column and to its first row, for that is what one wants to
// see.
func (t *topScreen) sortBy(by int) {
	n := topColumns[t.focus]
	t.order[t.focus] = (t.order[t.focus] + by + n) % n
	t.moved[t.focus] = false
}

// maxFilter bounds what is typed, in characters.
const maxFilter = 40

// typed is a key while the filter is typed.
func (t *topScreen) typed(k term.Key) {
	switch {
	case k == term.KeyEnter:
		t.typing = false
	case k == term.KeyEscape:
		t.typing, t.filter = false, t.before
	case k == term.KeyBackspace:
		_, size := utf8.DecodeLastRuneInString(t.filter)
		t.filter = t.filter[:len(t.filter)-size]
	case k > 0 && unicode.IsPrint(rune(k)) && utf8.RuneCountInString(t.filter) < maxFilter:
		t.filter += string(rune(k))
	}
}

// move moves the selection, or scrolls the page; drawing keeps to the bounds.
func (t *topScreen) move(k term.Key) {
	const far = 1 << 30
	page := max(t.room-1, 1)
	by, ok := map[term.Key]int{
		term.KeyUp: -1, 'k': -1, term.KeyDown: 1, 'j': 1,
		term.KeyPageUp: -page, term.KeyPageDown: page, term.KeyHome: -far, term.KeyEnd: far,
	}[k]
	switch {
	case !ok:
	case t.page != pageTables:
		t.scroll = max(t.scroll+by, 0)
	default:
		t.choose(t.focus, t.at[t.focus]+by)
		t.moved[t.focus] = k != term.KeyHome
	}
}

// nextTable goes to the next table that has rows.
func (t *topScreen) nextTable() {
	if t.page != pageTables {
		return
	}
	for range focuses {
		t.focus = (t.focus + 1) % focuses
		if len(t.tables[t.focus]) > 0 {
			return
		}
	}
}
