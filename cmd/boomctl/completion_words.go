package main

import (
	"net"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// action is what a shell does to complete a word.
type action string

const (
	completeWords       action = "words" // choose one of the candidates
	completeFiles       action = "files"
	completeDirectories action = "directories"
)

// candidate is one word that can stand at the cursor, and what it is.
type candidate struct{ value, help string }

// complete finds what the last of words could become, if they follow the program's
// name root. All it knows comes from kong's model: commands, flags, enums, and
// by their placeholders values that are files (FILE), directories (DIR) or network
// interfaces (INTERFACE). The tag suggest has values for a flag that
// takes others too.
func complete(root *kong.Node, words []string) (action, []candidate) {
	l := commandLine{node: root, given: map[*kong.Flag]bool{}}
	last := words[len(words)-1]
	for _, w := range words[:len(words)-1] {
		l.take(w)
	}
	name, _, assigned := strings.Cut(last, "=")
	switch f := l.long(name); {
	case l.pending != nil:
		return values(l.pending.Value, "", last)
	case f != nil && assigned:
		return values(f.Value, name+"=", last)
	case !l.ended && strings.HasPrefix(last, "-"):
		return completeWords, matching(l.flags(), last)
	}
	if v := l.positional(); v != nil {
		return values(v, "", last)
	}
	found := l.commands()
	if len(found) == 0 && last == "" && !l.ended {
		found = l.flags() // better than nothing
	}
	return completeWords, matching(found, last)
}

// commandLine is what the words up to the cursor say.
type commandLine struct {
	node    *kong.Node          // the command so far
	given   map[*kong.Flag]bool // the flags so far
	args    int                 // positional arguments of node so far
	pending *kong.Flag          // the flag whose value is the next word
	ended   bool                // by --: no flags after it
}

// take reads one word.
func (l *commandLine) take(w string) {
	switch {
	case l.pending != nil:
		l.pending = nil
	case l.ended || w == "-" || !strings.HasPrefix(w, "-"):
		l.argument(w)
	case w == "--":
		l.ended = true
	case strings.HasPrefix(w, "--"):
		name, _, assigned := strings.Cut(w, "=")
		l.flag(l.long(name), assigned)
	default:
		for i, r := range w[1:] {
			f := l.short(r)
			l.flag(f, i+2 < len(w))
			if f == nil || takesValue(f.Value) {
				return // the rest is its value
			}
		}
	}
}

func (l *commandLine) argument(w string) {
	for _, child := range l.node.Children {
		if child.Type == kong.CommandNode && (child.Name == w || slices.Contains(child.Aliases, w)) {
			l.node, l.args = child, 0
			return
		}
	}
	l.args++
}

func (l *commandLine) flag(f *kong.Flag, assigned bool) {
	if f == nil {
		return
	}
	l.given[f] = true
	if takesValue(f.Value) && !assigned {
		l.pending = f
	}
}

// known are the flags that may stand here, those of outer commands included.
func (l *commandLine) known() (flags []*kong.Flag) {
	for _, group := range l.node.AllFlags(false) {
		flags = append(flags, group...)
	}
	return flags
}

// long finds a flag by "--name"; nil: there is none.
func (l *commandLine) long(word string) *kong.Flag {
	for _, f := range l.known() {
		if !l.ended && (word == "--"+f.Name || word == negated(f)) {
			return f
		}
	}
	return nil
}

func (l *commandLine) short(r rune) *kong.Flag {
	for _, f := range l.known() {
		if f.Short == r {
			return f
		}
	}
	return nil
}

// flags are candidates: those that are not there yet, or may be there again.
func (l *commandLine) flags() (found []candidate) {
	for _, f := range l.known() {
		if f.Hidden || l.given[f] && !f.IsCumulative() && !f.IsCounter() {
			continue
		}
		found = append(found, candidate{"--" + f.Name, brief(f.Help)})
		if no := negated(f); no != "" {
			found = append(found, candidate{no, "Not: " + brief(f.Help)})
		}
	}
	return found
}

func (l *commandLine) commands() (found []candidate) {
	for _, child := range l.node.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			found = append(found, candidate{child.Name, brief(child.Help)})
		}
	}
	return found
}

// positional is the argument that comes next, nil if none does.
func (l *commandLine) positional() *kong.Positional {
	all := l.node.Positional
	switch n := len(all); {
	case l.args < n:
		return all[l.args]
	case n > 0 && all[n-1].IsCumulative():
		return all[n-1]
	}
	return nil
}

// values finds what can follow prefix, the "--flag=" of the word or nothing.
func values(v *kong.Value, prefix, word string) (action, []candidate) {
	holder := v.Name
	if v.Tag.PlaceHolder != "" {
		holder = v.Tag.PlaceHolder
	}
	var words []string
	switch {
	case v.Enum != "":
		words = v.EnumSlice()
	case v.Tag.Has("suggest"):
		words = strings.Split(v.Tag.Get("suggest"), ",")
	case v.IsBool():
		words = []string{"true", "false"}
	case strings.EqualFold(holder, "FILE"):
		return completeFiles, nil
	case strings.EqualFold(holder, "DIR"):
		return completeDirectories, nil
	case strings.EqualFold(holder, "INTERFACE"):
		words = interfaces()
	}
	found := make([]candidate, len(words))
	for i, w := range words {
		found[i].value = prefix + w
	}
	return completeWords, matching(found, word)
}

func interfaces() (names []string) {
	all, _ := net.Interfaces() // without them there is nothing to complete
	for _, i := range all {
		names = append(names, i.Name)
	}
	return names
}

func matching(all []candidate, prefix string) (found []candidate) {
	for _, c := range all {
		if strings.HasPrefix(c.value, prefix) {
			found = append(found, c)
		}
	}
	return found
}

func takesValue(v *kong.Value) bool { return !v.IsBool() && !v.IsCounter() }

// negated is how a flag is turned off, "" if it cannot be.
func negated(f *kong.Flag) string {
	switch f.Tag.Negatable {
	case "":
		return ""
	case "_": // kong's mark for no name of its own
		return "--no-" + f.Name
	}
	return "--" + f.Tag.Negatable
}

// brief is the first sentence of a help text, on one line, without its full stop.
func brief(help string) string {
	sentence, _, _ := strings.Cut(strings.Join(strings.Fields(help), " "), ". ")
	return strings.TrimSuffix(sentence, ".")
}
