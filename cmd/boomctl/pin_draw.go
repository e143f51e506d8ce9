package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/tasks"
	"github.com/boomnet-go/boomnet/internal/term"
)

// drawPin draws the threads of a process or, when masks were to be changed, what
// was done to them and what undoes it.
func drawPin(c *term.Canvas, r *pinReport, limits tasks.Limits, changes bool) {
	head := fmt.Sprintf("process %d, user %s, %s; CPUs: %s", r.PID, r.User, plural(len(r.Threads), "thread"), limits)
	for i, line := range wrap(head, c.Width()) {
		style := term.Bold
		if i > 0 {
			style = term.Plain
		}
		c.Put(style, line).End()
	}
	c.End()
	if !changes {
		drawThreads(c, r.Threads, r.Allowed)
		return
	}
	drawMoves(c, r)
	if r.Restore == "" {
		return
	}
	c.End()
	c.Put(term.Bold, "to put them back").End()
	const indent = 2
	for i, line := range wrapCommand(r.Restore, c.Width()-2*indent) {
		c.Put(term.Plain, strings.Repeat(" ", indent*(1+min(i, 1)))).PutWhole(term.Plain, line).End()
	}
}

// column is a column of a table: as wide as its widest cell.
type column struct {
	head  string
	right bool
	cells []string
}

func (c *column) width() int {
	w := len([]rune(c.head))
	for _, cell := range c.cells {
		w = max(w, len([]rune(cell)))
	}
	return w
}

// drawTable draws columns, of which the last may be folded at its commas.
func drawTable(c *term.Canvas, columns []*column) {
	const gap = 2
	row := func(style term.Style, cell func(*column) string) {
		indent := 0
		for i, col := range columns {
			text, w := cell(col), col.width()
			switch {
			case i == len(columns)-1:
				for j, line := range foldList(text, c.Width()-indent) {
					if j > 0 {
						c.Left(term.Plain, indent, "")
					}
					c.PutWhole(style, line).End()
				}
			case col.right:
				c.Right(style, w, text).Left(term.Plain, gap, "")
			default:
				c.Left(style, w, text).Left(term.Plain, gap, "")
			}
			indent += w + gap
		}
	}
	row(term.Dim, func(col *column) string { return col.head })
	for i := range columns[0].cells {
		row(term.Plain, func(col *column) string { return col.cells[i] })
	}
}

// foldList breaks a text behind commas and spaces into lines of at most width
// columns, as far as what stands between them is not longer.
func foldList(text string, width int) (lines []string) {
	line := ""
	for len(text) > 0 {
		at := strings.IndexAny(text, ", ") + 1
		if at == 0 {
			at = len(text)
		}
		if line != "" && utf8.RuneCountInString(strings.TrimRight(line+text[:at], " ")) > width {
			lines = append(lines, strings.TrimRight(line, " "))
			line = ""
		}
		line, text = line+text[:at], text[at:]
	}
	return append(lines, line)
}

func drawThreads(c *term.Canvas, threads []tasks.Task, allowed affinity.Set) {
	tid := &column{head: "tid", right: true}
	name := &column{head: "name"}
	state := &column{head: "state"}
	last := &column{head: "last", right: true}
	policy := &column{head: "policy"}
	voluntary := &column{head: "voluntary", right: true}
	involuntary := &column{head: "involuntary", right: true}
	cpus := &column{head: "cpus"}
	for _, t := range threads {
		tid.cells = append(tid.cells, strconv.Itoa(t.TID))
		name.cells = append(name.cells, t.Name)
		state.cells = append(state.cells, t.State)
		last.cells = append(last.cells, strconv.Itoa(t.LastCPU))
		policy.cells = append(policy.cells, policyText(t))
		voluntary.cells = append(voluntary.cells, term.Count(t.Voluntary))
		involuntary.cells = append(involuntary.cells, term.Count(t.Involuntary))
		text := t.CPUs.String()
		if t.CPUs == allowed {
			text = "all"
		}
		cpus.cells = append(cpus.cells, text)
	}
	drawTable(c, []*column{tid, name, state, last, policy, voluntary, involuntary, cpus})
}

// policyText is "other", "other -5" with a nice value, "fifo 50" with a priority.
func policyText(t tasks.Task) string {
	switch {
	case t.Priority != 0:
		return fmt.Sprintf("%s %d", t.Policy, t.Priority)
	case t.Nice != 0:
		return fmt.Sprintf("%s %+d", t.Policy, t.Nice)
	}
	return t.Policy
}

func drawMoves(c *term.Canvas, r *pinReport) {
	if len(r.Moved) == 0 {
		c.Put(term.Plain, "nothing to move: the threads are there already").End()
		return
	}
	what := "moved"
	if r.DryRun {
		what = "would be moved"
	}
	c.Put(term.Bold, fmt.Sprintf("%s %s", plural(len(r.Moved), "thread"), what)).End()
	tid := &column{head: "tid", right: true}
	name := &column{head: "name"}
	change := &column{head: "was → now"}
	for _, m := range r.Moved {
		tid.cells = append(tid.cells, strconv.Itoa(m.TID))
		name.cells = append(name.cells, m.Name)
		change.cells = append(change.cells, m.Was.String()+" → "+m.Now.String())
	}
	drawTable(c, []*column{tid, name, change})
}
