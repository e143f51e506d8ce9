package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/term"
)

// drawTopology draws all of it: a line on the whole, the tree, interfaces, this
// process, and what could not be read.
func drawTopology(c *term.Canvas, t *affinity.Topology) {
	online := t.Online()
	head := fmt.Sprintf("%s, %s, %s", plural(len(t.Packages), "package"), plural(len(t.Cores), "core"), plural(online.Len(), "CPU"))
	if len(t.Cores) < online.Len() {
		head += " (SMT)"
	}
	if len(t.Nodes) > 0 {
		head += ", " + plural(len(t.Nodes), "NUMA node")
	}
	c.Put(term.Bold, head).End()
	if off := t.Present().Without(online); off != (affinity.Set{}) {
		writeFolded(c, "", "offline "+off.String())
	}
	drawParts(c, t, topologyTree(t), "")

	drawNodes(c, t)
	drawNICs(c, t)
	section(c, "this process")
	mine := t.Process.Allowed.And(online)
	text := "may use " + some(mine)
	if mine == online {
		text += " (all)"
	}
	writeFolded(c, "  ", text)
	p := t.Process
	if p.Cgroup != "" {
		text = "cgroup " + p.Cgroup
		if p.Cpuset != (affinity.Set{}) {
			text += ", cpuset " + p.Cpuset.String()
		}
		if p.Quota > 0 {
			text += fmt.Sprintf(", quota %.4g CPUs (%v in each %v)", p.QuotaCPUs(), p.Quota, p.Period)
		}
		writeFolded(c, "  ", text)
	}
	if len(t.Problems) > 0 {
		section(c, "not known")
		for _, p := range t.Problems {
			writeFolded(c, "  ", p.String())
		}
	}
}

func section(c *term.Canvas, name string) {
	c.End()
	c.Put(term.Bold, name).End()
}

func some(s affinity.Set) string {
	if s == (affinity.Set{}) {
		return "none"
	}
	return s.String()
}

// drawParts draws what is in a part.
func drawParts(c *term.Canvas, t *affinity.Topology, p *part, indent string) {
	for i, q := range p.parts {
		branch, below := "├─ ", "│  "
		if i == len(p.parts)-1 {
			branch, below = "└─ ", "   "
		}
		run := q
		if len(q.parts) == 1 && q.parts[0].cores != nil { // its cores on the same line
			run = q.parts[0]
		}
		var words []string
		if q.cores == nil {
			words = append(words, q.label)
		}
		words = append(words, nodesOf(t, q, p)...)
		if run.cores != nil {
			words = append(words, coresText(run))
			words = append(words, marks(t, run.cpus)...)
			words = append(words, run.label)
		}
		lines := fold(strings.TrimSpace(strings.Join(words, "  ")), c.Width()-utf8.RuneCountInString(indent+branch))
		style := term.Plain
		if q.cpus.And(t.Process.Allowed) == (affinity.Set{}) {
			style = term.Dim
		}
		for n, line := range lines {
			lead := indent + branch
			if n > 0 {
				lead = indent + below + "  "
			}
			c.Put(term.Dim, lead).Put(style, line).End()
		}
		if run == q {
			drawParts(c, t, q, indent+below)
		}
	}
}

// coresText is "8 cores 0+16 … 7+23".
func coresText(p *part) string {
	names := make([]string, 0, len(p.cores))
	for _, core := range p.cores {
		names = append(names, strings.ReplaceAll(strings.Trim(fmt.Sprint(core.CPUs()), "[]"), " ", "+"))
	}
	n := len(names)
	switch {
	case p.cpus.Len() == n: // no siblings
		return plural(n, "core") + " " + p.cpus.String()
	case n <= 2:
		return plural(n, "core") + " " + strings.Join(names, " ")
	}
	return fmt.Sprintf("%d cores %s … %s", n, names[0], names[n-1])
}

// nodesOf names the node that a part is in, unless all of what holds it is.
func nodesOf(t *affinity.Topology, p, in *part) (names []string) {
	for _, n := range t.Nodes {
		if p.cpus.Within(n.CPUs) && !(in.label != "" && in.cpus.Within(n.CPUs)) {
			names = append(names, fmt.Sprintf("node %d", n.ID))
		}
	}
	return names
}

// marks says what is special about CPUs.
func marks(t *affinity.Topology, cpus affinity.Set) (all []string) {
	mark := func(name string, s affinity.Set) {
		switch s = s.And(cpus); s {
		case affinity.Set{}:
		case cpus:
			all = append(all, name)
		default:
			all = append(all, name+" "+s.String())
		}
	}
	mark("isolated", t.Isolated)
	mark("nohz_full", t.NohzFull)
	if !t.Online().Within(t.Process.Allowed) {
		mark("ours", t.Process.Allowed)
	}
	return all
}

func drawNodes(c *term.Canvas, t *affinity.Topology) {
	if len(t.Nodes) < 2 {
		return
	}
	section(c, "NUMA nodes")
	for _, n := range t.Nodes {
		text := fmt.Sprintf("%d  CPUs %s", n.ID, some(n.CPUs))
		if n.Memory > 0 {
			text += fmt.Sprintf(", %.4g GiB", float64(n.Memory)/(1<<30))
		}
		if len(n.Distance) > 0 {
			text += ", distances " + strings.Trim(fmt.Sprint(n.Distance), "[]")
		}
		writeFolded(c, "  ", text)
	}
}

func drawNICs(c *term.Canvas, t *affinity.Topology) {
	if len(t.NICs) == 0 {
		return
	}
	section(c, "network interfaces")
	var virtual []string
	for _, n := range t.NICs {
		if n.Virtual {
			name := n.Name
			if len(n.Lower) > 0 {
				name += " (on " + strings.Join(n.Lower, ", ") + ")"
			}
			virtual = append(virtual, name)
			continue
		}
		text := n.Name + "  down"
		if n.Up {
			text = n.Name + "  up"
		}
		if n.Speed > 0 {
			text += fmt.Sprintf(", %.4g Gbit/s", float64(n.Speed)/1e9)
		}
		if device := strings.TrimSpace(n.Driver + " " + n.Device); device != "" {
			text += ", " + device
		}
		if n.Node >= 0 {
			text += fmt.Sprintf(", node %d", n.Node)
		}
		if n.CPUs != (affinity.Set{}) {
			text += ", next to CPUs " + n.CPUs.String()
		}
		if irqs := n.IRQCPUs(); irqs != (affinity.Set{}) {
			text += fmt.Sprintf(", %s on CPUs %s", plural(len(n.IRQs), "interrupt"), irqs)
		}
		writeFolded(c, "  ", text)
	}
	if len(virtual) > 0 {
		writeFolded(c, "  ", "virtual: "+strings.Join(virtual, ", "))
	}
}

// drawPlan says what was chosen and why.
func drawPlan(c *term.Canvas, t *affinity.Topology, kind affinity.Kind, p *affinity.Plan) {
	c.Put(term.Bold, fmt.Sprintf("%s, %s", plural(len(p.Placements), "thread"), kind)).End()
	for i, at := range p.Placements {
		text := fmt.Sprintf("%d  %v", i, at)
		if cpu, fixed := at.CPU(); fixed {
			text += where(t, cpu)
		}
		writeFolded(c, "  ", text)
	}
	writeFolded(c, "", "for the rest of the program: "+some(p.Rest))
	for i, x := range p.Excluded {
		writeFolded(c, "", []string{"excluded: ", "          "}[min(i, 1)]+x.String())
	}
	for _, w := range p.Warnings {
		writeFolded(c, "", "warning: "+w.String())
	}
}

// where tells the place of a CPU in the machine.
func where(t *affinity.Topology, id int) string {
	c, _ := t.CPU(id)
	text := ""
	for _, in := range []struct {
		name string
		id   int
	}{{"package", c.Package}, {"node", c.Node}, {"core", c.Core}} {
		if in.id >= 0 {
			text += fmt.Sprintf(", %s %d", in.name, in.id)
		}
	}
	if last, ok := t.LastCache(id); ok {
		text += fmt.Sprintf(", %s with %s", cacheLabel(last), last.CPUs)
	}
	if others := t.Siblings(id).Without(affinity.Of(id)); others != (affinity.Set{}) {
		text += ", sibling " + others.String()
	}
	if c.Kind != "" {
		text += ", " + string(c.Kind)
	}
	if t.Isolated.Contains(id) {
		text += ", isolated"
	}
	if t.NohzFull.Contains(id) {
		text += ", nohz_full"
	}
	return text
}

// writeFolded writes a text on as many lines as it takes.
func writeFolded(c *term.Canvas, indent, text string) {
	for i, line := range fold(text, c.Width()-len(indent)) {
		if i > 0 {
			line = "  " + line
		}
		c.Put(term.Plain, indent).Put(term.Plain, line).End()
	}
}

// fold breaks a text at spaces and commas into lines of at most width columns, as
// far as it has such places. All but the first are to be indented by two more.
func fold(text string, width int) []string {
	const indent, narrowest = 2, 20
	width = max(width, narrowest)
	var lines []string
	for utf8.RuneCountInString(text) > width {
		runes := []rune(text)
		cut := width
		for cut > width/2 && runes[cut-1] != ' ' && runes[cut-1] != ',' {
			cut--
		}
		if i := strings.LastIndex(string(runes[:width]), "  "); i > width/3 { // better between two things
			cut = utf8.RuneCountInString(string(runes[:width])[:i])
		} else if cut == width/2 {
			cut = width
		}
		lines = append(lines, strings.TrimRight(string(runes[:cut]), " "))
		text = strings.TrimLeft(string(runes[cut:]), " ")
		if len(lines) == 1 {
			width -= indent
		}
	}
	return append(lines, text)
}
