package affinity

import "fmt"

// warn notes what is not as one would have it.
func (p *Plan) warn(t *Topology, policy Policy, chosen []int, nic *NIC, near Set) {
	add := func(kind WarningKind, cpus Set, format string, args ...any) {
		p.Warnings = append(p.Warnings, Warning{kind, cpus, fmt.Sprintf(format, args...)})
	}
	all := Of(chosen...)
	var shared, siblings, slow Set
	threads := make(map[int]int)
	for _, cpu := range chosen {
		if threads[cpu]++; threads[cpu] > 1 {
			shared.Add(cpu)
		}
		if core := t.Siblings(cpu).And(all); core.Len() > 1 {
			siblings = siblings.Or(core)
		}
		if c, _ := t.CPU(cpu); c.Kind == Efficiency {
			slow.Add(cpu)
		}
	}
	if shared != (Set{}) {
		add(WarnShared, shared, "%d threads on %d CPUs: they take turns on %s, one that spins holds the others up for milliseconds",
			len(chosen), all.Len(), shared)
	}
	if siblings != (Set{}) {
		add(WarnSiblings, siblings, "%s are SMT siblings of each other: what one does slows the other down", siblings)
	}
	if slow != (Set{}) {
		add(WarnSlow, slow, "%s are on slow cores", slow)
	}
	if rest := all.Without(t.Isolated); policy.PreferIsolated && rest != (Set{}) {
		add(WarnNotIsolated, rest, "%s are not isolated: anything may run there", rest)
	}
	if p.Rest == (Set{}) {
		add(WarnNothingLeft, all, "no CPU is left for the rest of the program: it shares those of the threads")
	}
	if quota := t.Process.QuotaCPUs(); quota > 0 && quota < float64(all.Len()) {
		add(WarnQuota, all, "the cgroup's quota is %.4g CPUs: %d threads that spin use it up, then all stand still until the period of %v is over",
			quota, all.Len(), t.Process.Period)
	}
	if nic == nil {
		return
	}
	if near == (Set{}) {
		add(WarnNICPlace, all, "nothing tells which CPUs %s is near", nic.Name)
	}
	if busy := nic.IRQCPUs().And(all); busy != (Set{}) && !t.Online().Within(nic.IRQCPUs()) {
		add(WarnInterrupts, busy, "interrupts of %s are handled on %s", nic.Name, busy)
	}
}
