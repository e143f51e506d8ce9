package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

// part is a piece of a machine: a package, a die, a shared cache, or a run of
// equal cores, which has no parts.
type part struct {
	label string
	cpus  affinity.Set
	parts []*part
	cores []affinity.Set // of a run
}

// topologyTree makes a tree of what contains what. Groups that cross each other,
// as nonsense in sysfs may give, stand beside each other.
func topologyTree(t *affinity.Topology) *part {
	root := &part{cpus: t.Online()}
	var all []*part
	for _, g := range t.Packages {
		all = append(all, &part{label: numbered("package", g.ID), cpus: g.CPUs})
	}
	for _, g := range t.Dies {
		if len(t.Dies) > len(t.Packages) { // else it says nothing new
			all = append(all, &part{label: numbered("die", g.ID), cpus: g.CPUs})
		}
	}
	for _, c := range t.Caches {
		if !c.CPUs.Within(t.Siblings(c.CPUs.First())) { // shared by cores
			all = append(all, &part{label: cacheLabel(c), cpus: c.CPUs})
		}
	}
	// Wider ones first, so that each finds what contains it in place.
	slices.SortStableFunc(all, func(a, b *part) int { return b.cpus.Len() - a.cpus.Len() })
	for _, p := range all {
		root.insert(p)
	}
	for _, c := range t.Cores {
		root.insert(&part{label: coreLabel(t, c.CPUs), cpus: c.CPUs, cores: []affinity.Set{c.CPUs}})
	}
	root.tidy()
	return root
}

func numbered(what string, id int) string {
	if id < 0 {
		return what
	}
	return fmt.Sprintf("%s %d", what, id)
}

// insert puts q below the narrowest part that holds it.
func (p *part) insert(q *part) {
	for _, inner := range p.parts {
		if inner.cores == nil && q.cpus.Within(inner.cpus) {
			inner.insert(q)
			return
		}
	}
	p.parts = append(p.parts, q)
}

// tidy orders parts by their first CPU and joins equal cores.
func (p *part) tidy() {
	slices.SortStableFunc(p.parts, func(a, b *part) int { return cmp.Compare(a.cpus.First(), b.cpus.First()) })
	var joined []*part
	for _, q := range p.parts {
		q.tidy()
		if n := len(joined); n > 0 && q.cores != nil && joined[n-1].cores != nil && joined[n-1].label == q.label {
			joined[n-1].cores = append(joined[n-1].cores, q.cpus)
			joined[n-1].cpus = joined[n-1].cpus.Or(q.cpus)
			continue
		}
		joined = append(joined, q)
	}
	p.parts = joined
}

// cacheLabel is "L3 32MiB".
func cacheLabel(c affinity.Cache) string {
	if c.Size == 0 {
		return c.String()
	}
	return c.String() + " " + binarySize(c.Size)
}

// binarySize writes a size as caches have it: exact, in the largest unit that is.
func binarySize(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}

// coreLabel is all that a core has to itself: equal labels, equal cores.
func coreLabel(t *affinity.Topology, cpus affinity.Set) string {
	label := ""
	for _, c := range t.Caches {
		if c.CPUs.Within(cpus) {
			label += " " + cacheLabel(c)
		}
	}
	label = strings.TrimPrefix(label, " ")
	add := func(text string) {
		if label != "" {
			label += ", "
		}
		label += text
	}
	c, _ := t.CPU(cpus.First())
	if c.Kind != "" {
		add(string(c.Kind))
	}
	if c.Capacity > 0 && c.Kind != "" {
		add(fmt.Sprintf("capacity %d", c.Capacity))
	}
	if c.MaxFrequency > 0 && c.Kind != "" {
		add(fmt.Sprintf("%.1f GHz", float64(c.MaxFrequency)/1e9))
	}
	return label
}
