package microbench

import (
	"slices"

	"github.com/boomnet-go/boomnet/affinity"
)

// Distance is how far two CPUs are from each other.
type Distance uint8

// The distances, the nearest first.
const (
	SameCPU     Distance = iota // they are one
	SameCore                    // SMT siblings
	SameCache                   // below one last-level cache
	SameNode                    // of one NUMA node
	SamePackage                 // of one package
	Far                         // in two packages
)

func (d Distance) String() string {
	switch d {
	case SameCPU:
		return "same CPU"
	case SameCore:
		return "same core"
	case SameCache:
		return "same cache"
	case SameNode:
		return "same node"
	case SamePackage:
		return "same package"
	}
	return "two packages"
}

// places is where each CPU is, for [places.between].
type places map[int]place

type place struct{ core, cache, node, pkg int } // first CPUs of the core and the cache, -1: unknown

func placesOf(t *affinity.Topology) places {
	p := places{}
	for _, c := range t.CPUs {
		at := place{core: t.Siblings(c.ID).First(), cache: -1, node: c.Node, pkg: c.Package}
		if cache, ok := t.LastCache(c.ID); ok {
			at.cache = cache.CPUs.First()
		}
		p[c.ID] = at
	}
	return p
}

// between says how far a is from b. What is not known counts as near.
func (p places) between(a, b int) Distance {
	x, y := p[a], p[b]
	switch {
	case a == b:
		return SameCPU
	case x.core >= 0 && x.core == y.core:
		return SameCore
	case x.cache >= 0 && x.cache == y.cache:
		return SameCache
	case x.pkg != y.pkg:
		return Far
	case x.node != y.node:
		return SamePackage
	}
	return SameNode
}

// MaxMatrix is of how many CPUs all pairs are measured.
const MaxMatrix = 12

// matrix chooses up to [MaxMatrix] of cpus, ascending, so that their pairs have
// every distance there is: three as far apart as can be, of each a sibling and the
// nearest on another core, from the first one CPU at each other distance, and the rest
// spread again.
func (p places) matrix(cpus []int) []int {
	if len(cpus) <= MaxMatrix {
		return cpus
	}
	const seeds = 3
	var chosen []int
	take := func(cpu int) {
		if cpu >= 0 {
			chosen = append(chosen, cpu)
		}
	}
	for range seeds {
		take(p.farthest(cpus, chosen))
	}
	for _, seed := range chosen[:seeds] {
		take(p.nearest(cpus, chosen, seed, SameCore))
		take(p.nearest(cpus, chosen, seed, SameCache))
	}
	first := chosen[0]
	for d := SameNode; d <= Far; d++ {
		there := func(cpu int) bool { return p.between(first, cpu) == d }
		if cpu := p.nearest(cpus, chosen, first, d); cpu >= 0 && there(cpu) && !slices.ContainsFunc(chosen, there) {
			take(cpu)
		}
	}
	for len(chosen) < MaxMatrix {
		take(p.farthest(cpus, chosen))
	}
	slices.Sort(chosen)
	return chosen
}

// farthest is the CPU whose nearest neighbour among chosen is the farthest, of
// several the one with the fewest at that distance, the first of them.
func (p places) farthest(cpus, chosen []int) int {
	best, far, fewest := -1, Distance(0), 0
	for _, cpu := range cpus {
		if slices.Contains(chosen, cpu) {
			continue
		}
		near, count := Far+1, 0
		for _, other := range chosen {
			switch d := p.between(cpu, other); {
			case d < near:
				near, count = d, 1
			case d == near:
				count++
			}
		}
		if best < 0 || near > far || near == far && count < fewest {
			best, far, fewest = cpu, near, count
		}
	}
	return best
}

// nearest is the first CPU not chosen at least so far from seed, the nearest of
// these; -1: there is none, or with SameCore, no sibling.
func (p places) nearest(cpus, chosen []int, seed int, least Distance) int {
	best, near := -1, Far+1
	for _, cpu := range cpus {
		if cpu == seed || slices.Contains(chosen, cpu) {
			continue
		}
		d := p.between(seed, cpu)
		if d < least || d >= near || least == SameCore && d != SameCore {
			continue
		}
		best, near = cpu, d
	}
	return best
}

// peer is the nearest of cpus on another core than cpu, else a sibling, else cpu
// itself.
func (p places) peer(cpus []int, cpu int) int {
	for _, least := range []Distance{SameCache, SameCore} {
		if other := p.nearest(cpus, nil, cpu, least); other >= 0 {
			return other
		}
	}
	return cpu
}
