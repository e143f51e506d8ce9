package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// about is what a command says of itself beside its flags; help and the manual
// page show it. Every command has examples, a test sees to that.
type about struct {
	examples    []example
	statuses    []entry // exit statuses, where they are more than success, failure and usage
	environment []entry
	files       []entry
}

// example is one line to type, or more of them, and what they are good for.
type example struct{ what, lines string }

// entry is a name and what there is to say of it.
type entry struct{ name, text string }

// aboutNode is what the command of a node says of itself.
func aboutNode(n *kong.Node) about {
	if c, ok := n.Target.Addr().Interface().(interface{ about() about }); ok {
		return c.about()
	}
	return about{}
}

// printHelp is kong's help, and after it the exit statuses, the environment and
// the examples.
func printHelp(o kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil || o.Summary {
		return err
	}
	n := ctx.Selected()
	if n == nil {
		n = ctx.Model.Node
	}
	a := aboutNode(n)
	if len(a.examples) == 0 && n.DefaultCmd != nil {
		a = aboutNode(n.DefaultCmd)
	}
	var b strings.Builder
	writeEntries(&b, "Exit status", a.statuses)
	writeEntries(&b, "Environment", a.environment)
	if len(a.examples) > 0 {
		b.WriteString("\nExamples:\n")
	}
	for i, e := range a.examples {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "  # %s\n  %s\n", e.what, strings.ReplaceAll(e.lines, "\n", "\n  "))
	}
	_, err := io.WriteString(ctx.Stdout, b.String())
	return err
}

// writeEntries writes entries under a heading, in two columns.
func writeEntries(b *strings.Builder, heading string, entries []entry) {
	width := 0
	for _, e := range entries {
		width = max(width, len(e.name))
	}
	for i, e := range entries {
		if i == 0 {
			fmt.Fprintf(b, "\n%s:\n", heading)
		}
		for j, line := range wrap(e.text, 76-width) {
			name := e.name
			if j > 0 {
				name = ""
			}
			fmt.Fprintf(b, "  %-*s  %s\n", width, name, line)
		}
	}
}
