package doctor

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/boomnet-go/boomnet/affinity"
)

// rest are the CPUs that run and that are neither reactor cores nor on one core
// with them.
func (e *exam) rest() affinity.Set { return e.topology.Online().Without(e.wholeCores()) }

// wholeCores are the reactor cores with their siblings.
func (e *exam) wholeCores() affinity.Set {
	all := e.cores
	for _, cpu := range e.cores.CPUs() {
		all = all.Or(e.topology.Siblings(cpu))
	}
	return all
}

// inList judges a list of CPUs in which all reactor cores should be.
func (e *exam) inList(in affinity.Set, otherwise Verdict) found {
	out := e.cores.Without(in)
	switch {
	case out == affinity.Set{}:
		return good("all of %s", e.cores)
	case out == e.cores && in == affinity.Set{}:
		return judge(false, otherwise, "none is")
	}
	return judge(false, otherwise, "not %s; those that are: %s", out, some(in))
}

// outOfList judges a list of CPUs in which no reactor core should be.
func (e *exam) outOfList(in affinity.Set, what string) found {
	shared := in.And(e.cores)
	if shared == (affinity.Set{}) {
		return good("%s %s, no reactor core", what, some(in))
	}
	return warn("%s %s, reactor cores %s among them", what, in, shared)
}

func isolated(e *exam) found {
	_, err := e.list(cpuDir + "/isolated")
	if err != nil && !e.cores.Within(e.topology.Isolated) { // a cpuset partition tells as well
		return unknown(err)
	}
	f := e.inList(e.topology.Isolated, Bad)
	var now []string
	if rest := e.rest(); rest != (affinity.Set{}) {
		now = []string{fmt.Sprintf("for s in system.slice user.slice init.scope; do systemctl set-property --runtime $s AllowedCPUs=%s; done", rest)}
	}
	return f.atBoot("isolcpus=managed_irq,domain,"+e.wholeCores().String(), now...)
}

func nohzFull(e *exam) found {
	if _, err := e.list(cpuDir + "/nohz_full"); err != nil {
		return unknown(fmt.Errorf("%w (a kernel without CONFIG_NO_HZ_FULL has no such file)", err))
	}
	return e.inList(e.topology.NohzFull, Warn).atBoot("nohz_full=" + e.wholeCores().String())
}

// boot reads the kernel's command line.
func (e *exam) boot() (string, error) {
	const file, longest = "proc/cmdline", 64 << 10
	line, err := e.text(file)
	if err == nil && (len(line) > longest || strings.ContainsFunc(line, unicode.IsControl)) {
		return "", malformed(file, line, "a command line")
	}
	return line, err
}

func rcuNocbs(e *exam) found {
	line, err := e.boot()
	if err != nil {
		return unknown(err)
	}
	all := e.topology.Present()
	cpus := all.CPUs()
	last := 0
	if len(cpus) > 0 {
		last = cpus[len(cpus)-1]
	}
	var offloaded affinity.Set
	for _, name := range []string{"rcu_nocbs", "nohz_full"} { // the second implies the first
		value, ok := parameter(line, name)
		switch {
		case !ok:
			continue
		case value == "" && name == "rcu_nocbs":
			offloaded = all
			continue
		}
		s, err := parseBootCPUs(value, last)
		if err != nil {
			return unknown(malformed("proc/cmdline", name+"="+value, "a list of CPUs"))
		}
		offloaded = offloaded.Or(s)
	}
	return e.inList(offloaded.And(all), Warn).atBoot("rcu_nocbs=" + e.wholeCores().String())
}

func housekeeping(e *exam) found {
	rest := e.topology.Online().Without(e.cores)
	if rest == (affinity.Set{}) {
		return bad("reactors take all CPUs, %s", e.cores).by("one reactor less: --cores of this command is what it would be then")
	}
	if e.rest() == (affinity.Set{}) {
		return warn("only SMT siblings of reactor cores are left, %s", rest).by("one reactor less, or siblings for the rest of the program")
	}
	return good("CPUs %s are left", rest)
}

func smt(e *exam) found {
	var both, busy, quiet affinity.Set
	for _, cpu := range e.cores.CPUs() {
		core := e.topology.Siblings(cpu)
		if core == (affinity.Set{}) {
			return unknown(fmt.Errorf("/%s: nothing tells the siblings of CPU %d", cpuDir, cpu))
		}
		for _, other := range core.Without(affinity.Of(cpu)).CPUs() {
			switch {
			case e.cores.Contains(other):
				both = both.Or(core)
			case e.topology.Isolated.Contains(other):
				quiet.Add(other)
			default:
				busy.Add(other)
			}
		}
	}
	off := func(cpus affinity.Set) string {
		var all []string
		for _, cpu := range cpus.CPUs() {
			all = append(all, fmt.Sprint(cpu))
		}
		return fmt.Sprintf("for c in %s; do echo 0 >/%s/cpu$c/online; done", strings.Join(all, " "), cpuDir)
	}
	switch {
	case both != affinity.Set{}:
		return bad("reactors on both siblings of a core: %s", both).by("one reactor for each core: `boomctl topology place N --avoid-smt` chooses")
	case busy != affinity.Set{}:
		return warn("siblings %s may run anything", busy).atBoot("isolcpus with the siblings, or nosmt", off(busy))
	case quiet != affinity.Set{}:
		return good("siblings %s are isolated", quiet)
	}
	return good("no siblings")
}

func cpu0(e *exam) found {
	if !e.cores.Contains(0) {
		return good("not a reactor's")
	}
	return warn("CPU 0 is a reactor's").by("another core: `boomctl topology place N --avoid-cpu0` chooses")
}

func slowCores(e *exam) found {
	var slow affinity.Set
	kinds := false
	for _, c := range e.topology.CPUs {
		kinds = kinds || c.Kind != ""
		if e.cores.Contains(c.ID) && c.Kind == affinity.Efficiency {
			slow.Add(c.ID)
		}
	}
	switch {
	case slow != affinity.Set{}:
		return bad("%s are efficiency cores", slow).by("another core: `boomctl topology place N --avoid-slow` chooses")
	case kinds:
		return good("performance cores")
	}
	return good("all cores are alike, as far as is known")
}

func oneNode(e *exam) found {
	if len(e.topology.Nodes) == 0 {
		if _, err := e.names(nodeDir); err != nil {
			return unknown(fmt.Errorf("%w (a kernel without NUMA has no such folder)", err))
		}
		return unknown(fmt.Errorf("/%s: no node in it", nodeDir))
	}
	var on []string
	for _, n := range e.topology.Nodes {
		if here := n.CPUs.And(e.cores); here != (affinity.Set{}) {
			on = append(on, fmt.Sprintf("%s on node %d", here, n.ID))
		}
	}
	return judge(len(on) <= 1, Warn, "%s", strings.Join(on, ", ")).
		by("cores of one node for reactors that talk to each other: `boomctl topology place N --policy pack` chooses")
}
