// Package markdown reads what tests of documentation need out of a Markdown
// page: fenced blocks, headings with their anchors, links, code spans and rows of
// tables. It knows the plain Markdown that this project's pages are written in,
// no more.
package markdown

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// Page is a page that was read.
type Page struct {
	Path     string
	Fences   []Fence
	Headings []Heading
	Links    []Link
	Spans    []Span
	Rows     [][]string // of tables, without headers; cells are trimmed
}

// Fence is a fenced block.
type Fence struct {
	Lang string // first word behind the fence: "go"
	Text string // with a newline at its end
	Line int    // of its first line of text, from 1
}

// Heading is a heading.
type Heading struct {
	Text   string // as written, code spans included
	Anchor string // as GitHub makes it
}

// Link is a link of the form [text](target).
type Link struct {
	Target string
	Line   int
}

// Span is inline code.
type Span struct {
	Text string
	Line int
}

var (
	span    = regexp.MustCompile("`([^`]+)`")
	link    = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	divider = regexp.MustCompile(`^\|[-:| ]+\|$`)
)

// Read reads the page in a file.
func Read(path string) (*Page, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := Parse(string(text))
	p.Path = path
	return p, nil
}

// Parse reads a page.
func Parse(text string) *Page {
	p := new(Page)
	var fence *Fence
	anchors := make(map[string]int)
	header := -1 // the line of a table's header
	for i, line := range strings.Split(text, "\n") {
		n := i + 1
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "```"); ok {
			if fence != nil {
				p.Fences = append(p.Fences, *fence)
				fence = nil
			} else {
				lang, _, _ := strings.Cut(rest, " ")
				fence = &Fence{Lang: lang, Line: n + 1}
			}
			continue
		}
		if fence != nil {
			fence.Text += line + "\n"
			continue
		}
		if title, ok := headingText(line); ok {
			p.Headings = append(p.Headings, Heading{Text: title, Anchor: unique(anchors, Anchor(title))})
		}
		for _, m := range span.FindAllStringSubmatch(line, -1) {
			p.Spans = append(p.Spans, Span{Text: m[1], Line: n})
		}
		for _, m := range link.FindAllStringSubmatch(span.ReplaceAllString(line, "code"), -1) {
			p.Links = append(p.Links, Link{Target: m[1], Line: n})
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			header = -1
		case header < 0:
			header = n
		case divider.MatchString(line):
		default:
			p.Rows = append(p.Rows, cells(line))
		}
	}
	return p
}

func headingText(line string) (string, bool) {
	title := strings.TrimLeft(line, "#")
	if n := len(line) - len(title); n == 0 || n > 6 || !strings.HasPrefix(title, " ") {
		return "", false
	}
	return strings.TrimSpace(title), true
}

// cells splits a row of a table; a bar in code is written \|.
func cells(line string) []string {
	line = strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "\x00")
	var out []string
	for c := range strings.SplitSeq(line, "|") {
		out = append(out, strings.TrimSpace(strings.ReplaceAll(c, "\x00", "|")))
	}
	return out
}

// Anchor is what GitHub makes of a heading: lower case, spaces as hyphens, and
// of the other signs only hyphens and underscores.
func Anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unique adds a number to an anchor that was there before.
func unique(seen map[string]int, anchor string) string {
	n := seen[anchor]
	seen[anchor]++
	if n == 0 {
		return anchor
	}
	return anchor + "-" + strconv.Itoa(n)
}
