package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/internal/doctor"
	"github.com/boomnet-go/boomnet/internal/term"
)

// verdictStyles are the colours of verdicts.
var verdictStyles = map[doctor.Verdict]term.Style{
	doctor.OK: term.Green, doctor.Unknown: term.Cyan, doctor.Warn: term.Yellow, doctor.Bad: term.Red,
}

// The columns of a report.
const (
	verdictColumn = 2
	checkColumn   = verdictColumn + 9
	seenColumn    = checkColumn + 17
	adviceColumn  = 4
	adviceText    = adviceColumn + 6
)

// drawReport draws findings by group, below each that is not ok what to do, and
// last how many there are of each verdict. With why each says why it matters.
func drawReport(c *term.Canvas, r *doctor.Report, why bool) {
	head := fmt.Sprintf("reactor cores %s (%s), ", r.Cores, r.CoresFrom)
	if r.NIC == "" {
		head += "no network interface"
	} else {
		head += "interface " + r.NIC
	}
	for _, line := range wrap(head, c.Width()) {
		c.Put(term.Bold, line).End()
	}
	group := ""
	for _, f := range r.Findings {
		if f.Group != group {
			group = f.Group
			section(c, group)
		}
		drawFinding(c, f, why)
	}
	c.End()
	var counts []string
	for _, v := range doctor.Verdicts {
		if n := r.Count(v); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, v))
		}
	}
	c.Put(term.Bold, strings.Join(counts, ", ")).End()
}

func drawFinding(c *term.Canvas, f doctor.Finding, why bool) {
	seen := strings.ReplaceAll(f.Seen, "/sys/devices/system/cpu/", "") // cpu3/… is clear, and fits
	for i, line := range wrap(seen, c.Width()-seenColumn) {
		if i == 0 {
			c.Left(term.Plain, verdictColumn, "").Left(verdictStyles[f.Verdict], checkColumn-verdictColumn, string(f.Verdict))
			c.Left(term.Plain, seenColumn-checkColumn, f.Check)
		} else {
			c.Left(term.Plain, seenColumn, "")
		}
		c.Put(term.Plain, line).End()
	}
	if why || f.Verdict == doctor.Warn || f.Verdict == doctor.Bad {
		drawAdvice(c, term.Dim, "why", wrap(f.Why, c.Width()-adviceText))
	}
	for _, command := range f.Mend {
		drawAdvice(c, term.Plain, "now", wrapCommand(command, c.Width()-adviceText))
	}
	if f.Keep != "" {
		drawAdvice(c, term.Plain, "keep", wrap(f.Keep, c.Width()-adviceText))
	}
}

func drawAdvice(c *term.Canvas, style term.Style, label string, lines []string) {
	for i, line := range lines {
		if i > 0 {
			label = ""
		}
		c.Left(term.Plain, adviceColumn, "").Left(term.Dim, adviceText-adviceColumn, label).PutWhole(style, line).End()
	}
}

// drawChecks lists all checks.
func drawChecks(c *term.Canvas, all []doctor.Check) {
	group := ""
	for _, check := range all {
		if check.Group != group {
			group = check.Group
			c.Put(term.Bold, group).End()
		}
		const column = 19
		for i, line := range wrap(check.Why, c.Width()-column) {
			name := check.Name
			if i > 0 {
				name = ""
			}
			c.Left(term.Plain, verdictColumn, "").Left(term.Plain, column-verdictColumn, name).Put(term.Plain, line).End()
		}
	}
}

// wrapCommand breaks a shell command at spaces that are not quoted, with a
// backslash at the end of each line but the last, so that all of it can be copied
// and means the same. A word is never broken: a line may be longer than width.
func wrapCommand(command string, width int) (lines []string) {
	const mark = " \\"
	line := ""
	words := shellWords(command)
	for i, word := range words {
		room := width - len(mark)
		if i == len(words)-1 {
			room = width
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= room:
			line += " " + word
		default:
			lines = append(lines, line+mark)
			line = word
		}
	}
	return append(lines, line)
}

// shellWords splits at spaces outside of single quotes.
func shellWords(command string) (words []string) {
	quoted := false
	from := 0
	for i, r := range command {
		switch {
		case r == '\'':
			quoted = !quoted
		case r == ' ' && !quoted:
			if from < i {
				words = append(words, command[from:i])
			}
			from = i + 1
		}
	}
	if from < len(command) {
		words = append(words, command[from:])
	}
	return words
}
