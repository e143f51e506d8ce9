package term

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Style is how a piece of text looks: a sequence of SGR parameters.
type Style string

// The styles, made of the terminal's own palette.
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Canvas is a text of styled lines, none wider than its width.
type Canvas struct {
	width  int
	colour bool
	lines  []string
	line   strings.Builder
	column int
}

// NewCanvas returns an empty canvas. Without colour styles are left out.
func NewCanvas(width int, colour bool) *Canvas { return &Canvas{width: width, colour: colour} }

// Width is the width in columns.
func (c *Canvas) Width() int { return c.width }

// Colour reports whether styles are written.
func (c *Canvas) Colour() bool { return c.colour }

// Append appends lines from up to, but not including, to of other, as far as it
// has them. The current line must be empty.
func (c *Canvas) Append(other *Canvas, from, to int) {
	to = min(to, len(other.lines))
	if from < to {
		c.lines = append(c.lines, other.lines[from:to]...)
	}
}

// Put appends text to the current line. What does not fit is cut off, and an
// ellipsis says so in the last column. Control characters become spaces: what a
// peer wrote must not steer the terminal.
func (c *Canvas) Put(style Style, text string) *Canvas {
	return c.PutWhole(style, Clip(strings.Map(printable, text), c.width-c.column))
}

// PutWhole is Put without the limit, for what is of no use when something is cut
// off, such as a command to copy. A terminal breaks such a line by itself.
func (c *Canvas) PutWhole(style Style, text string) *Canvas {
	text = strings.Map(printable, text)
	if text == "" {
		return c
	}
	styled := c.colour && style != Plain
	if styled {
		c.line.WriteString("\x1b[" + string(style) + "m")
	}
	c.line.WriteString(text)
	if styled {
		c.line.WriteString("\x1b[0m")
	}
	c.column += utf8.RuneCountInString(text)
	return c
}

// Left puts text into a field of n columns, flush left.
func (c *Canvas) Left(style Style, n int, text string) *Canvas {
	text = Clip(text, n)
	return c.Put(style, text).Put(Plain, spaces(n-utf8.RuneCountInString(text)))
}

// Right puts text into a field of n columns, flush right.
func (c *Canvas) Right(style Style, n int, text string) *Canvas {
	text = Clip(text, n)
	return c.Put(Plain, spaces(n-utf8.RuneCountInString(text))).Put(style, text)
}

// Edge puts text at the right edge of the line, if there is room for it and a
// space before it.
func (c *Canvas) Edge(style Style, text string) *Canvas {
	gap := c.width - c.column - utf8.RuneCountInString(text)
	if gap < 1 {
		return c
	}
	return c.Put(Plain, spaces(gap)).Put(style, text)
}

// End ends the current line.
func (c *Canvas) End() {
	line := c.line.String()
	if !c.colour {
		line = strings.TrimRight(line, " ")
	}
	c.lines = append(c.lines, line)
	c.line.Reset()
	c.column = 0
}

// Lines is how many lines were ended.
func (c *Canvas) Lines() int { return len(c.lines) }

// String is all lines, each with a line feed.
func (c *Canvas) String() string {
	var b strings.Builder
	for _, line := range c.lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

// Clip shortens text to n columns; an ellipsis takes the place of what is gone.
func Clip(text string, n int) string {
	if n <= 0 {
		return ""
	}
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	at := 0
	for range n - 1 {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return text[:at] + "…"
}

func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }
