package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// manCmd is `boomctl man`: the manual page of this very program, made from kong's
// model and from what the commands say about themselves.
type manCmd struct{}

func (*manCmd) about() about {
	return about{examples: []example{
		{"Read it.", "boomctl man | man -l -"},
		{"Install it.", "boomctl man >/usr/local/share/man/man1/boomctl.1"},
	}}
}

// Run prints the page.
func (*manCmd) Run(k *kong.Kong) error {
	_, err := io.WriteString(k.Stdout, manual(k.Model.Node, thisBuild()))
	return err
}

// manual is the page of root in the macros of man(7).
func manual(root *kong.Node, b *build) string {
	name := root.Name
	var r roff
	r.raw(fmt.Sprintf(`.TH %s 1 %s "%s" "User Commands"`, strings.ToUpper(name), manualDate(b), escape(name+" "+b.Version)))
	r.macro(".SH", "NAME")
	r.textf("%s - %s", name, strings.TrimSuffix(strings.ToLower(root.Help[:1])+root.Help[1:], "."))
	r.macro(".SH", "SYNOPSIS")
	commands := root.Leaves(true)
	for i, c := range commands {
		if i > 0 {
			r.raw(".br")
		}
		r.boldThen(name+" "+c.Path(), strings.TrimPrefix(c.Summary(), c.Path()))
	}
	r.macro(".SH", "DESCRIPTION")
	r.text(root.Help)
	r.text("Without a terminal nothing that is printed has colours or moves a cursor.")
	r.macro(".SH", "OPTIONS")
	r.flags(root.Flags)
	r.macro(".SH", "COMMANDS")
	every := withOuter(root)
	for _, c := range every[1:] {
		r.command(c)
	}
	r.entries("EXIT STATUS", every, func(a about) []entry { return a.statuses })
	r.entries("ENVIRONMENT", every, func(a about) []entry { return a.environment })
	r.entries("FILES", every, func(a about) []entry { return a.files })
	r.macro(".SH", "EXAMPLES")
	for _, n := range every {
		for _, e := range aboutNode(n).examples {
			r.raw(".TP")
			r.text(e.what)
			r.raw(".nf")
			for _, line := range strings.Split(e.lines, "\n") {
				r.raw(escape(line))
			}
			r.raw(".fi")
		}
	}
	return r.String()
}

// withOuter is n and the commands in it, those that only hold others included.
func withOuter(n *kong.Node) []*kong.Node {
	all := []*kong.Node{n}
	for _, c := range n.Children {
		if !c.Hidden {
			all = append(all, withOuter(c)...)
		}
	}
	return all
}

// manualDate is when what the page describes was written; where that is not
// known, when it was printed.
func manualDate(b *build) string {
	at := time.Now()
	if b.Time != nil {
		if t, err := time.Parse(time.RFC3339, *b.Time); err == nil {
			at = t
		}
	}
	return at.UTC().Format(time.DateOnly)
}

// command writes the section of one command.
func (r *roff) command(c *kong.Node) {
	r.macro(".SS", c.FullPath()+strings.TrimPrefix(c.Summary(), c.Path()))
	r.text(c.Help)
	if c.Detail != "" {
		r.raw(".PP")
		r.paragraphs(c.Detail)
	}
	for _, p := range c.Positional {
		r.raw(".TP")
		r.boldThen(p.Summary(), "")
		r.text(p.Help)
	}
	r.flags(c.Flags)
}

func (r *roff) flags(flags []*kong.Flag) {
	for _, f := range flags {
		if f.Hidden {
			continue
		}
		names := "--" + f.Name
		if no := negated(f); no != "" {
			names += ", " + no
		}
		if f.Short != 0 {
			names = "-" + string(f.Short) + ", " + names
		}
		value := ""
		if takesValue(f.Value) {
			value = "=" + f.FormatPlaceHolder()
		}
		r.raw(".TP")
		r.boldThen(names, value)
		text := f.Help
		for i, env := range f.Envs {
			if i == 0 {
				text += " Environment: "
			} else {
				text += ", "
			}
			text += env
		}
		r.text(text)
	}
}

// entries writes a section of what every node lists there, those of commands
// under their names.
func (r *roff) entries(section string, nodes []*kong.Node, of func(about) []entry) {
	begun := false
	for _, n := range nodes {
		all := of(aboutNode(n))
		if len(all) == 0 {
			continue
		}
		if !begun {
			r.macro(".SH", section)
			begun = true
		}
		if n.Parent != nil {
			r.macro(".SS", n.FullPath())
		}
		for _, e := range all {
			r.raw(".TP")
			r.boldThen(e.name, "")
			r.text(e.text)
		}
	}
}

// roff is a text in the language of troff, in ASCII.
type roff struct{ strings.Builder }

// raw writes a line as it is.
func (r *roff) raw(line string) { r.WriteString(line + "\n") }

// macro writes a request with arguments.
func (r *roff) macro(name string, args ...string) {
	for _, a := range args {
		name += ` "` + strings.ReplaceAll(escape(a), `"`, `\(dq`) + `"`
	}
	r.raw(name)
}

// text writes a paragraph, which is filled and wrapped.
func (r *roff) text(s string) {
	if s = strings.Join(strings.Fields(s), " "); s == "" {
		s = "-"
	}
	// A sentence ends its line, that is how troff knows where sentences end.
	for _, sentence := range strings.Split(strings.ReplaceAll(s, ". ", ".\n"), "\n") {
		for _, line := range wrap(sentence, 72) {
			r.raw(escape(line))
		}
	}
}

func (r *roff) textf(format string, args ...any) { r.text(fmt.Sprintf(format, args...)) }

// paragraphs writes text that is divided by empty lines, as go/doc would: what
// is indented is kept as it is.
func (r *roff) paragraphs(s string) {
	for i, p := range strings.Split(strings.TrimSpace(s), "\n\n") {
		switch {
		case strings.HasPrefix(p, " ") || strings.HasPrefix(p, "\t"):
			r.block(p)
			continue
		case i > 0:
			r.raw(".PP")
		}
		r.text(p)
	}
}

// block writes lines as they are, indented.
func (r *roff) block(s string) {
	r.raw(".PP\n.RS 4\n.nf")
	for _, line := range strings.Split(s, "\n") {
		r.raw(escape(strings.TrimLeft(line, " \t")))
	}
	r.raw(".fi\n.RE")
}

// boldThen writes a line of bold and ordinary text.
func (r *roff) boldThen(bold, rest string) {
	r.raw(`\fB` + escape(bold) + `\fR` + escape(rest))
}

// escape makes s text without meaning for troff. Hyphens are those that one can
// copy, and search for.
func escape(s string) string {
	var b strings.Builder
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		b.WriteString(`\&`)
	}
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\e`)
		case r == '-':
			b.WriteString(`\-`)
		case r == '\'':
			b.WriteString(`\(aq`)
		case r == '`':
			b.WriteString("\\(ga")
		case r == '^':
			b.WriteString(`\(ha`)
		case r == '~':
			b.WriteString(`\(ti`)
		case r > 126:
			fmt.Fprintf(&b, `\[u%04X]`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
