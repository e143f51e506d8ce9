package reactor

import (
	"errors"

	"github.com/boomnet-go/boomnet/affinity"
)

// Ways to choose the reactor for an endpoint. Each is a look at the group as it is;
// the endpoint then stays where it was registered.

// LeastLoaded returns the reactor with the fewest endpoints, of equals the first
// one. Reactors that are closed or ending do not count; when all are, it is the
// first one, which refuses. It counts endpoints and not their traffic, which at
// the time of choosing nobody knows: feeds that differ much are placed by name.
// Any goroutine may call it.
func (g *Group) LeastLoaded() *Reactor {
	return g.best(func(r *Reactor) int { return -r.standingCount() })
}

// BySymbol returns the reactor that a symbol, or any other key, belongs to: always
// the same one for the same names of reactors, in this process and in others, by
// rendezvous hashing. A reactor more takes its share of the keys from all others
// and moves no key between them; the order of the reactors does not matter. Any
// goroutine may call it.
func (g *Group) BySymbol(symbol string) *Reactor {
	best, most := 0, uint64(0)
	for i, m := range g.members {
		if w := weight(m.r.Name(), symbol); i == 0 || w > most || w == most && m.r.Name() < g.members[best].r.Name() {
			best, most = i, w
		}
	}
	return g.members[best].r
}

// weight is how much a key wants to be with a name: FNV-1a of both, mixed so that
// names that differ in one letter do not give like weights.
func weight(name, key string) uint64 {
	h := uint64(14695981039346656037)
	for _, s := range [...]string{name, "\x00", key} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
	}
	// The finalizer of MurmurHash3.
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// NearCPU returns the reactor that runs nearest to a CPU: on it, on its core, below
// its last-level cache, on its NUMA node, in its package. Among equals it is the
// one with the fewest endpoints; where nothing is near, as with reactors that are
// not pinned, that of LeastLoaded. The CPU may be that of an interface's interrupts
// (affinity.NIC.IRQCPUs), of stream.IncomingCPU, or of [ProbeCPU]. It may read the
// machine's topology, which takes milliseconds. Not from two goroutines at a time.
func (g *Group) NearCPU(cpu int) *Reactor {
	t := g.topology()
	return g.best(func(r *Reactor) int {
		near := 0
		if at, fixed := r.cfg.CPU.CPU(); fixed {
			near = nearness(t, at, cpu)
		}
		return near<<24 - r.standingCount()
	})
}

// nearness is larger the more two CPUs share.
func nearness(t *affinity.Topology, a, b int) int {
	one, known := t.CPU(a)
	other, too := t.CPU(b)
	cache, cached := t.LastCache(a)
	switch {
	case !known || !too:
		return 0
	case a == b:
		return 5
	case t.Siblings(a).Contains(b):
		return 4
	case cached && cache.CPUs.Contains(b):
		return 3
	case one.Node >= 0 && one.Node == other.Node:
		return 2
	case one.Package >= 0 && one.Package == other.Package:
		return 1
	}
	return 0
}

// best returns the reactor with the highest rank among those that take endpoints.
func (g *Group) best(rank func(*Reactor) int) *Reactor {
	best, most := g.members[0].r, 0
	found := false
	for _, m := range g.members {
		if m.r.closed.Load() || m.r.stop.Load() {
			continue
		}
		if n := rank(m.r); !found || n > most {
			best, most, found = m.r, n, true
		}
	}
	return best
}

// standingCount is how many endpoints are registered. Any goroutine.
func (r *Reactor) standingCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.table) - len(r.freeIDs)
}

// ErrNoPacket says that no packet has come in on a probe's connection.
var ErrNoPacket = errors.New("reactor: no packet has come in yet, its CPU is not known")
