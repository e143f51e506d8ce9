package affinity

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Place chooses CPUs for n threads, such as reactors, as the policy says. Nothing
// is pinned: that happens when the threads run.
//
// Errors: *TooFewCPUsError when fewer than n CPUs remain, for KindShared when none
// does; for KindFixed ErrUnavailable when the policy excludes a CPU or it is there
// twice, and ErrTooFewCPUs when there are fewer than n; ErrNoNIC. Any goroutine may
// call it; it allocates.
func (t *Topology) Place(n int, p Policy) (*Plan, error) {
	if n < 1 || n > MaxCPUs {
		return nil, fmt.Errorf("affinity: %d threads to place, must be 1 to %d", n, MaxCPUs)
	}
	if int(p.Kind) >= len(kindNames) {
		return nil, fmt.Errorf("affinity: placement %v is unknown", p.Kind)
	}
	if p.Kind == KindUnbound {
		return &Plan{Placements: make([]Placement, n), Rest: t.usable()}, nil
	}
	nic, near, err := t.near(p.NearNIC)
	if err != nil {
		return nil, err
	}
	c := t.candidates(p, near)
	var chosen []int
	switch p.Kind {
	case KindFixed:
		chosen, err = c.fixed(n, p.CPUs)
	case KindSpread, KindShared:
		chosen = c.spread(n)
	case KindPack:
		chosen = c.pack(n)
	}
	switch have := len(chosen); {
	case err != nil:
		return nil, err
	case have == 0, have < n && p.Kind != KindShared:
		return nil, &TooFewCPUsError{Wanted: n, Remain: c.remain(), Excluded: c.excluded}
	case have < n:
		for i := have; i < n; i++ {
			chosen = append(chosen, chosen[i-have])
		}
	}
	plan := &Plan{Excluded: c.excluded, Rest: t.usable()}
	for _, cpu := range chosen {
		plan.Placements = append(plan.Placements, Fixed(cpu))
		plan.Rest = plan.Rest.Without(Of(cpu))
		if p.AvoidSMT {
			plan.Rest = plan.Rest.Without(t.Siblings(cpu))
		}
	}
	plan.warn(t, p, chosen, nic, near)
	return plan, nil
}

// usable are the CPUs that run and that this process may use.
func (t *Topology) usable() Set { return t.Online().And(t.Process.Allowed) }

// near returns an interface by its name and the CPUs next to it, none when that is
// not known. One that works through others is near what they are near.
func (t *Topology) near(name string) (*NIC, Set, error) {
	if name == "" {
		return nil, Set{}, nil
	}
	byName := make(map[string]*NIC, len(t.NICs))
	var names []string
	for i := range t.NICs {
		byName[t.NICs[i].Name] = &t.NICs[i]
		names = append(names, t.NICs[i].Name)
	}
	nic := byName[name]
	if nic == nil {
		return nil, Set{}, fmt.Errorf("%w: %q, there are: %s", ErrNoNIC, name, strings.Join(names, ", "))
	}
	var cpus Set
	below, seen := []string{name}, map[string]bool{name: true}
	for len(below) > 0 {
		at := byName[below[0]]
		below = below[1:]
		if at == nil {
			continue
		}
		cpus = cpus.Or(t.nextTo(at))
		for _, lower := range at.Lower {
			if !seen[lower] {
				seen[lower] = true
				below = append(below, lower)
			}
		}
	}
	return nic, cpus, nil
}

// nextTo are the CPUs next to a device. The kernel gives all of them for a device
// without a node: then nothing is known.
func (t *Topology) nextTo(nic *NIC) Set {
	if i := slices.IndexFunc(t.Nodes, func(n Node) bool { return n.ID == nic.Node }); i >= 0 && t.Nodes[i].CPUs != (Set{}) {
		return t.Nodes[i].CPUs
	}
	if online := t.Online(); !online.Within(nic.CPUs) {
		return nic.CPUs.And(online)
	}
	return Set{}
}

// The domains of a CPU, from the widest to the narrowest.
const (
	inPackage = iota
	inNode
	inDie
	inCache   // the largest
	inCluster // the one below, which several cores may share
	inCore
	domains
)

// candidate is a CPU that the policy allows.
type candidate struct {
	cpu    int
	domain [domains]int // which one; CPUs of unknown ones are together in -1
	// What makes it worse than others, each 0 or 1.
	shared, slow, first int // not isolated though that is preferred; a slow core; CPU 0's core
}

type candidates struct {
	all      []candidate // ascending
	excluded []Exclusion
}

// candidates sorts out the CPUs that the policy does not allow.
func (t *Topology) candidates(p Policy, near Set) *candidates {
	var c candidates
	core0 := t.Siblings(0)
	out := make(map[Exclude]Set)
	for _, cpu := range t.CPUs {
		id := cpu.ID
		var why Exclude
		switch {
		case !cpu.Online:
			why = Offline
		case !t.pinnable(p).Contains(id):
			why = NotAllowed
		case p.Within != (Set{}) && !p.Within.Contains(id):
			why = NotWithin
		case p.Except.Contains(id):
			why = Excepted
		case near != (Set{}) && !near.Contains(id):
			why = FarFromNIC
		case p.AvoidCPU0 && id == 0:
			why = IsCPU0
		case p.AvoidCPU0 && p.AvoidSMT && core0.Contains(id):
			why = CPU0Sibling
		case p.AvoidSlow && cpu.Kind == Efficiency:
			why = SlowCore
		case p.OnlyIsolated && !t.Isolated.Contains(id):
			why = NotIsolated
		default:
			c.all = append(c.all, t.candidate(cpu, core0, p.PreferIsolated))
			continue
		}
		out[why] = out[why].Or(Of(id))
	}
	if p.AvoidSMT {
		c.oneOfEachCore(p.CPUs, out)
	}
	for _, why := range []Exclude{Offline, NotAllowed, NotWithin, Excepted, FarFromNIC, IsCPU0, CPU0Sibling, SlowCore, NotIsolated, SMTSibling} {
		if cpus := out[why]; cpus != (Set{}) {
			c.excluded = append(c.excluded, Exclusion{why, cpus})
		}
	}
	return &c
}

func (t *Topology) candidate(cpu CPU, core0 Set, preferIsolated bool) candidate {
	group := func(g Group) Set { return g.CPUs }
	c := candidate{cpu: cpu.ID, domain: [domains]int{
		inPackage: cpu.Package,
		inNode:    cpu.Node,
		inDie:     holder(t.Dies, cpu.ID, group),
		inCache:   holder(t.Caches, cpu.ID, func(c Cache) Set { return c.CPUs }),
		inCluster: -1,
		inCore:    holder(t.Cores, cpu.ID, group),
	}}
	if last := c.domain[inCache]; last >= 0 {
		c.domain[inCluster] = slices.IndexFunc(t.Caches, func(below Cache) bool {
			return below.Level < t.Caches[last].Level && below.CPUs.Contains(cpu.ID)
		})
	}
	if preferIsolated && !t.Isolated.Contains(cpu.ID) {
		c.shared = 1
	}
	if cpu.Kind == Efficiency {
		c.slow = 1
	}
	if core0.Contains(cpu.ID) {
		c.first = 1
	}
	return c
}

// oneOfEachCore leaves one candidate a core: one that was asked for by its number,
// else the best, of equals the lowest.
func (c *candidates) oneOfEachCore(asked []int, out map[Exclude]Set) {
	rank := func(a candidate) int {
		if slices.Contains(asked, a.cpu) {
			return -1
		}
		return a.shared
	}
	best := make(map[int]candidate)
	for _, a := range c.all {
		if b, ok := best[a.domain[inCore]]; !ok || rank(a) < rank(b) {
			best[a.domain[inCore]] = a
		}
	}
	c.all = slices.DeleteFunc(c.all, func(a candidate) bool {
		if best[a.domain[inCore]].cpu == a.cpu {
			return false
		}
		out[SMTSibling] = out[SMTSibling].Or(Of(a.cpu))
		return true
	})
}

func (c *candidates) remain() Set {
	var s Set
	for _, a := range c.all {
		s.Add(a.cpu)
	}
	return s
}

// fixed takes the CPUs asked for.
func (c *candidates) fixed(n int, cpus []int) ([]int, error) {
	remain := c.remain()
	for i, cpu := range cpus[:min(n, len(cpus))] {
		if slices.Contains(cpus[:i], cpu) {
			return nil, fmt.Errorf("%w: CPU %d is asked for twice", ErrUnavailable, cpu)
		}
		if remain.Contains(cpu) {
			continue
		}
		why := "there is none"
		for _, x := range c.excluded {
			if x.CPUs.Contains(cpu) {
				why = string(x.Why)
			}
		}
		return nil, fmt.Errorf("%w: CPU %d: %s", ErrUnavailable, cpu, why)
	}
	if len(cpus) < n {
		return nil, fmt.Errorf("%w: %d wanted, %d asked for by number: %v", ErrTooFewCPUs, n, len(cpus), cpus)
	}
	return cpus[:n], nil
}

// spread takes up to n candidates one by one, each as far as can be from those
// that were taken.
func (c *candidates) spread(n int) []int {
	var taken [domains]map[int]int // how many in each domain
	for d := range taken {
		taken[d] = make(map[int]int)
	}
	compare := func(a, b candidate) int {
		count := func(d int) int { return taken[d][a.domain[d]] - taken[d][b.domain[d]] }
		return cmp.Or(a.shared-b.shared, count(inCore), a.slow-b.slow, a.first-b.first,
			count(inPackage), count(inNode), count(inDie), count(inCache), count(inCluster), a.cpu-b.cpu)
	}
	rest := slices.Clone(c.all)
	var chosen []int
	for len(chosen) < n && len(rest) > 0 {
		at := 0
		for i := range rest {
			if compare(rest[i], rest[at]) < 0 {
				at = i
			}
		}
		chosen = append(chosen, rest[at].cpu)
		for d, in := range rest[at].domain {
			taken[d][in]++
		}
		rest = slices.Delete(rest, at, at+1)
	}
	return chosen
}

// pack takes n candidates that are near each other, all when there are fewer.
// Worse ones are taken only when all better ones are, near to those.
func (c *candidates) pack(n int) []int {
	var chosen []candidate
	for tier := 0; len(chosen) < n && tier < 1<<3; tier++ {
		pool := slices.DeleteFunc(slices.Clone(c.all), func(a candidate) bool {
			return a.shared<<2|a.slow<<1|a.first != tier
		})
		chosen = pack(chosen, pool, n-len(chosen))
	}
	var cpus []int
	for _, a := range chosen {
		cpus = append(cpus, a.cpu)
	}
	slices.Sort(cpus)
	return cpus
}

// pack adds n of pool to chosen, all when there are fewer. It takes the narrowest
// domain that has as many, and fills it from its largest parts.
func pack(chosen, pool []candidate, n int) []candidate {
	if len(pool) <= n {
		return append(chosen, pool...)
	}
	level, in := inPackage-1, pool // wider than a package: all of pool
	for d := domains - 1; d >= inPackage; d-- {
		if g := best(chosen, pool, d, func(size int) int { return size - n }); g != nil {
			level, in = d, g
			break
		}
	}
	if level == inCore {
		return append(chosen, in[:n]...)
	}
	// No part of in has n: its largest is taken whole, then what is missing.
	part := best(chosen, in, level+1, func(size int) int { return n - size })
	rest := slices.DeleteFunc(slices.Clone(in), func(a candidate) bool { return slices.Contains(part, a) })
	return pack(append(chosen, part...), rest, n-len(part))
}

// best is the group of a domain that is nearest to what is chosen, then the one
// with the least spare, then the first; nil when spare is negative for all.
func best(chosen, pool []candidate, domain int, spare func(size int) int) []candidate {
	var groups [][]candidate // by their first CPU
	at := make(map[int]int)
	for _, a := range pool {
		i, ok := at[a.domain[domain]]
		if !ok {
			i = len(groups)
			at[a.domain[domain]] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], a)
	}
	var best []candidate
	for _, g := range groups {
		if left := spare(len(g)); left >= 0 &&
			(best == nil || cmp.Or(nearer(chosen, g[0], best[0]), left-spare(len(best))) < 0) {
			best = g
		}
	}
	return best
}

// nearer is negative when more of chosen are near a than near b, by the widest
// domain that makes a difference.
func nearer(chosen []candidate, a, b candidate) int {
	for d := range domains {
		n := 0
		for _, c := range chosen {
			if c.domain[d] == b.domain[d] {
				n++
			}
			if c.domain[d] == a.domain[d] {
				n--
			}
		}
		if n != 0 {
			return n
		}
	}
	return 0
}
