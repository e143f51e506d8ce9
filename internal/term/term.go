// Package term draws a screen of text with nothing but ANSI escape sequences.
//
// A [Canvas] is built line by line, in styles, clipped to a width; without colour
// it is plain text, which is what tests compare and what goes into a log. A
// [Screen] shows canvases one after the other in place, in the terminal's
// alternate screen with the cursor hidden, and puts everything back at the end.
//
//	s := term.NewScreen(os.Stdout)
//	s.Enter()
//	defer s.Leave()
//	c := term.NewCanvas(width, true)
//	c.Put(term.Bold, "boomnet").Put(term.Plain, " is running").End()
//	s.Show(c, height)
//
// Everything here counts a rune as one column, so it is for text without wide or
// combining characters.
package term

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Size returns the width and height, in characters, of the terminal that f is.
// ok is false when f is no terminal. A terminal that does not know its size
// counts as 80 by 24.
func Size(f *os.File) (width, height int, ok bool) {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return 0, 0, false
	}
	width, height, err := term.GetSize(fd)
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24, true
	}
	return width, height, true
}

// Colour reports whether what is written to f may have colours: f is a terminal,
// TERM is not "dumb", and NO_COLOR is unset or empty.
func Colour(f *os.File) bool {
	_, _, ok := Size(f)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// The escape sequences that a Screen uses.
const (
	enterAlternate = "\x1b[?1049h"
	leaveAlternate = "\x1b[?1049l"
	hideCursor     = "\x1b[?25l"
	showCursor     = "\x1b[?25h"
	home           = "\x1b[H"
	clearLine      = "\x1b[K"
	clearBelow     = "\x1b[J"
)

// Screen shows canvases in place. One goroutine uses it.
type Screen struct {
	w       io.Writer
	entered bool
}

// NewScreen returns a Screen that writes to w, which should be a terminal.
func NewScreen(w io.Writer) *Screen { return &Screen{w: w} }

// Enter switches to the alternate screen and hides the cursor.
func (s *Screen) Enter() error {
	s.entered = true
	_, err := io.WriteString(s.w, enterAlternate+hideCursor+home+clearBelow)
	return err
}

// Show replaces what is shown by the first height lines of c, in one write, so
// that it does not flicker.
func (s *Screen) Show(c *Canvas, height int) error {
	var b strings.Builder
	b.WriteString(home)
	for i, line := range c.lines[:min(len(c.lines), height)] {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line)
		b.WriteString(clearLine)
	}
	b.WriteString(clearBelow)
	_, err := io.WriteString(s.w, b.String())
	return err
}

// Leave puts the cursor and the terminal's former contents back. Leaving twice,
// or without Enter, does nothing.
func (s *Screen) Leave() error {
	if !s.entered {
		return nil
	}
	s.entered = false
	_, err := io.WriteString(s.w, showCursor+leaveAlternate)
	return err
}
