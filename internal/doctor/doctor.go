// Package doctor looks at a machine as a low-latency engineer would, before a
// reactor is given a core of it: is the core left alone, does its clock run at
// full speed, where do interrupts go, what may the process use.
//
//	report, err := doctor.Examine(os.DirFS("/"), doctor.Options{Cores: affinity.Of(3)})
//	for _, f := range report.Findings {
//		fmt.Println(f.Verdict, f.Check, f.Seen)
//	}
//
// [Examine] only reads, and only from the file system that it is given, so that a
// copy of another machine's /sys and /proc, or a fake one, does as well. What lies
// in no file comes with [Options].
//
// A check is one entry of the table below: a name, what it is good for, and a
// function that looks. The functions are in files named after the groups. A new
// check is a new entry, and a case in checks_test.go.
package doctor

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// Verdict is what a check thinks of what it has seen.
type Verdict string

// The verdicts, the best first.
const (
	OK      Verdict = "ok"
	Unknown Verdict = "unknown" // it could not be read, or says nothing; Seen is why
	Warn    Verdict = "warn"    // costs microseconds, or milliseconds now and then
	Bad     Verdict = "bad"     // costs milliseconds, or stops the reactor
)

// Verdicts are all of them, the worst first.
var Verdicts = []Verdict{Bad, Warn, Unknown, OK}

// Finding is what one check has found.
type Finding struct {
	Check   string   `json:"check"`
	Group   string   `json:"group"`
	Verdict Verdict  `json:"verdict"`
	Seen    string   `json:"seen"`           // when unknown: why it is
	Why     string   `json:"why"`            // it matters
	Mend    []string `json:"mend,omitempty"` // shell commands, for root, that last until the next boot
	Keep    string   `json:"keep,omitempty"` // what makes it last: a file and a line in it, or a parameter
}

// Report is what all checks have found.
type Report struct {
	Cores     affinity.Set `json:"cores"`      // taken for the reactors'
	CoresFrom string       `json:"cores_from"` // how they were chosen
	NIC       string       `json:"nic"`        // the interface that was looked at; empty: none
	Findings  []Finding    `json:"checks"`     // in the order of the table
}

// Count is how many findings have a verdict.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// Options say what to look at. The zero value is good.
type Options struct {
	// Cores are those on which reactors will run. Empty: those that
	// [affinity.Topology.Place] chooses for Reactors.
	Cores affinity.Set
	// Reactors is how many cores to choose; 0: all cores that are isolated, or one.
	Reactors int
	// NIC is the interface that matters. Empty: the fastest with a device that is up.
	NIC string

	Only []string // checks or groups; empty: all
	Skip []string // checks or groups

	// What lies in no file; the zero values are unknown.
	Now        time.Time // for the age of the kernel
	GOMAXPROCS int       // of this process
}

// check is an entry of the table.
type check struct {
	group, name string
	why         string
	look        func(*exam) found
}

// The groups.
const (
	cores   = "cores"
	power   = "power"
	memory  = "memory"
	network = "network"
	timing  = "time"
	process = "process"
	kernel  = "kernel"
)

// table holds all checks, in the order in which they are shown.
var table = []check{
	{cores, "isolated", "The scheduler puts other threads onto a core that is not isolated, and a reactor that spins there waits for milliseconds until it gets it back.", isolated},
	{cores, "nohz-full", "A core with a timer tick is interrupted 100 to 1000 times a second, some microseconds each.", nohzFull},
	{cores, "rcu-nocbs", "RCU callbacks run in a softirq of the core that queued them, in batches, unless they are offloaded.", rcuNocbs},
	{cores, "housekeeping", "The rest of the program, the kernel's threads and interrupts need a core that no reactor spins on.", housekeeping},
	{cores, "smt", "An SMT sibling shares execution units and the first caches: what runs there slows the reactor down by up to a half.", smt},
	{cores, "cpu0", "CPU 0 takes what can run anywhere: interrupts without a place, timers, timekeeping for nohz_full cores.", cpu0},
	{cores, "slow-cores", "An efficiency core has a fraction of the speed and of the caches.", slowCores},
	{cores, "one-node", "A cache line that goes from one NUMA node to another takes several times as long; so does memory of the other node.", oneNode},

	{power, "governor", "A governor that follows load lets the clock fall while little comes in, and raises it milliseconds after the burst has begun.", governor},
	{power, "energy-policy", "With a preference for saving energy the processor raises its clock late, whatever the governor is.", energyPolicy},
	{power, "frequency", "A limit below what the processor can do is lost speed.", frequency},
	{power, "c-states", "A core that wakes from a deep state needs up to hundreds of microseconds. One that spins never sleeps, but one that parks, and the one that takes the card's interrupts, do.", cStates},

	{memory, "thp", "With transparent huge pages for everybody the kernel builds and splits them under running programs, with page faults of hundreds of microseconds.", thp},
	{memory, "thp-defrag", "A page fault that compacts memory itself, to get a huge page, takes milliseconds.", thpDefrag},
	{memory, "khugepaged", "khugepaged moves pages of running programs together, which stop at them and at TLB shootdowns meanwhile.", khugepaged},
	{memory, "huge-pages", "Pages reserved for hugetlbfs are nobody else's memory, used or not. boomnet needs none.", hugePages},
	{memory, "ksm", "Same-page merging write-protects pages of running programs: the next write is a page fault that copies.", ksm},
	{memory, "swap", "A page that was swapped out is a disk read away: milliseconds.", swap},
	{memory, "swappiness", "The higher, the earlier the kernel swaps pages of programs out to keep files cached.", swappiness},
	{memory, "zone-reclaim", "With zone reclaim an allocation frees pages of its own node, in its own time, before it takes one of another node.", zoneReclaim},
	{memory, "numa-balancing", "NUMA balancing unmaps pages to see who uses them: page faults on purpose, and pages that move.", numaBalancing},
	{memory, "compaction", "Proactive compaction moves pages of running programs in the background, with a TLB shootdown for each batch.", compaction},
	{memory, "vm-stat", "Each vm.stat_interval seconds a kernel worker folds memory statistics on every core that has a tick.", vmStat},

	{network, "nic-node", "Packets are written to memory and cache of the card's NUMA node: a reactor on another one reads them over the interconnect.", nicNode},
	{network, "nic-irqs", "An interrupt on a reactor's core, and the softirq after it, takes the core from the reactor for each packet.", nicIRQs},
	{network, "irqs", "An interrupt of a disk or another device takes the core from the reactor too.", otherIRQs},
	{network, "irq-default", "Interrupts of devices that come up later are put where the default mask says.", irqDefault},
	{network, "irqbalance", "irqbalance moves interrupts every ten seconds, onto reactors' cores too unless these are isolated or banned.", irqbalance},
	{network, "packet-steering", "RPS hands packets to the cores in its mask by an interrupt between processors.", packetSteering},
	{network, "busy-poll", "Without busy polling a packet waits for the card's interrupt and its softirq; a read that polls the card's queue does not.", busyPoll},
	{network, "socket-buffers", "SO_RCVBUF and SO_SNDBUF above net.core.rmem_max and wmem_max are cut to these without an error.", socketBuffers},
	{network, "tcp-buffers", "The receive buffer grows up to the third number of tcp_rmem: a burst beyond it closes the window and waits for the reactor.", tcpBuffers},
	{network, "tcp-idle", "After a pause TCP forgets the congestion window: the first large message after it takes round trips more.", tcpIdle},

	{timing, "clock-source", "Reading the time costs 20 to 30 ns with the TSC, and microseconds with a clock that needs a device or a system call.", clockSource},
	{timing, "tsc", "A TSC that stops or changes its rate with the clock cannot measure time; the kernel turns to a slow clock some day.", tsc},
	{timing, "timer-slack", "The kernel ends a sleep up to this much late, to join wake-ups: the shortest park takes as long.", timerSlack},

	{process, "mask", "A thread can be pinned only where the process may run.", mask},
	{process, "quota", "A cgroup's quota counts the time that spinning takes: when it is used up all threads stand still until the period, mostly 100 ms, is over.", quota},
	{process, "gomaxprocs", "A reactor that spins never gives its processor back: with too few the collector, timers and connecting wait for it, and it for them.", gomaxprocs},
	{process, "open-files", "Each connection takes a descriptor, each reactor a few more; without one, connecting fails.", openFiles},
	{process, "locked-memory", "mlockall and registered buffers need this limit; memory that is not locked can be reclaimed.", lockedMemory},
	{process, "real-time", "A real-time thread that spins is stopped by throttling each second, and without throttling it starves the kernel's threads of its core.", realTime},

	{kernel, "kernel-version", "epoll_pwait2, for parks below a millisecond, came with Linux 5.11, busy polling of epoll with 6.9; an old build lacks repairs.", kernelVersion},
	{kernel, "mitigations", "Some mitigations cost hundreds of nanoseconds at each system call, and a reactor makes one or two a turn.", mitigations},
	{kernel, "hypervisor", "The host may take a virtual CPU away at any time, and what leaves the guest costs microseconds.", hypervisor},
	{kernel, "steal", "Time that the host gave to others while this CPU wanted to run: gaps of milliseconds.", steal},
	{kernel, "nmi-watchdog", "The NMI watchdog takes a performance counter of each core and interrupts it every ten seconds or so.", nmiWatchdog},
	{kernel, "watchdog", "The soft-lockup watchdog runs a timer and a thread on each core of its mask every four seconds.", watchdog},
	{kernel, "workqueues", "Kernel work that is bound to no core runs on those of this mask.", workqueues},
}

// Check is what a check is for.
type Check struct{ Group, Name, Why string }

// Checks are all checks, in the order of the table.
func Checks() []Check {
	all := make([]Check, len(table))
	for i, c := range table {
		all[i] = Check{c.group, c.name, c.why}
	}
	return all
}

// Examine runs the checks. What a check cannot read makes it Unknown; errors are
// those of the options: a CPU or an interface that is not there, a name that no
// check has. It takes some milliseconds, more on a machine with many CPUs.
func Examine(fsys fs.FS, o Options) (*Report, error) {
	selected, err := choose(o.Only, o.Skip)
	if err != nil {
		return nil, err
	}
	e := &exam{fsys: fsys, o: o, topology: affinity.Read(fsys)}
	report := new(Report)
	if report.NIC, err = e.chooseNIC(o.NIC); err != nil {
		return nil, err
	}
	if report.CoresFrom, err = e.chooseCores(report.NIC); err != nil {
		return nil, err
	}
	report.Cores = e.cores
	for _, c := range selected {
		f := c.look(e)
		report.Findings = append(report.Findings, Finding{c.name, c.group, f.verdict, f.seen, c.why, f.mend, f.keep})
	}
	return report, nil
}

// choose picks checks by name or group.
func choose(only, skip []string) ([]check, error) {
	names := func(c check, of []string) bool { return slices.Contains(of, c.name) || slices.Contains(of, c.group) }
	for _, name := range slices.Concat(only, skip) {
		if !slices.ContainsFunc(table, func(c check) bool { return names(c, []string{name}) }) {
			var known []string
			for _, c := range table {
				known = append(known, c.name)
			}
			return nil, fmt.Errorf("doctor: no check or group %q, there are: %s", name, strings.Join(known, ", "))
		}
	}
	selected := slices.DeleteFunc(slices.Clone(table), func(c check) bool {
		return len(only) > 0 && !names(c, only) || names(c, skip)
	})
	if len(selected) == 0 {
		return nil, fmt.Errorf("doctor: of the checks asked for all are skipped: %s", strings.Join(skip, ", "))
	}
	return selected, nil
}

// exam is one examination.
type exam struct {
	fsys     fs.FS
	o        Options
	topology *affinity.Topology
	cores    affinity.Set
	devices  []affinity.NIC // of the interface: itself, or what a bond or VLAN works through
}

// chooseNIC finds the interface and its devices. Without a name it is the fastest
// that is up, and none is no error.
func (e *exam) chooseNIC(name string) (string, error) {
	if name == "" {
		var best *affinity.NIC
		for i, n := range e.topology.NICs {
			if !n.Virtual && n.Up && (best == nil || n.Speed > best.Speed) {
				best = &e.topology.NICs[i]
			}
		}
		if best == nil {
			return "", nil
		}
		name = best.Name
	}
	var names []string
	for _, n := range e.topology.NICs {
		names = append(names, n.Name)
	}
	if !slices.Contains(names, name) {
		return "", fmt.Errorf("doctor: %w: %q, there are: %s", affinity.ErrNoNIC, name, strings.Join(names, ", "))
	}
	below := []string{name}
	for i := 0; i < len(below); i++ { // it grows meanwhile
		at := slices.IndexFunc(e.topology.NICs, func(n affinity.NIC) bool { return n.Name == below[i] })
		if at < 0 {
			continue
		}
		nic := e.topology.NICs[at]
		if !nic.Virtual {
			e.devices = append(e.devices, nic)
		}
		for _, lower := range nic.Lower {
			if !slices.Contains(below, lower) {
				below = append(below, lower)
			}
		}
	}
	return name, nil
}

// chooseCores takes the cores asked for, or those that a reactor would be put on.
func (e *exam) chooseCores(nic string) (from string, err error) {
	t := e.topology
	if e.o.Cores != (affinity.Set{}) {
		if missing := e.o.Cores.Without(t.Online()); missing != (affinity.Set{}) {
			return "", fmt.Errorf("doctor: CPUs %s: not online, online are %s", missing, t.Online())
		}
		e.cores = e.o.Cores
		return "asked for", nil
	}
	n := e.o.Reactors
	if n == 0 {
		n = 1
		free := t.Isolated.And(t.Online()).And(t.Process.Allowed.Or(t.Isolated))
		whole := 0
		for _, core := range t.Cores {
			if core.CPUs.And(free) != (affinity.Set{}) {
				whole++
			}
		}
		n = max(n, whole)
	}
	// Isolated CPUs need not be in the mask of the shell that asks: the reactor's
	// unit has another one. So they count as allowed here.
	machine := *t
	machine.Process.Allowed = t.Process.Allowed.Or(t.Isolated)
	policy := affinity.Policy{Kind: affinity.KindPack, AvoidSMT: true, AvoidCPU0: true, AvoidSlow: true, PreferIsolated: true, NearNIC: nic}
	for _, relax := range []func(){
		func() {},
		func() { policy.NearNIC = "" },
		func() { policy.AvoidCPU0 = false },
		func() { policy.AvoidSMT, policy.AvoidSlow = false, false },
	} {
		relax()
		plan, placeErr := machine.Place(n, policy)
		if err = placeErr; err == nil {
			e.cores = plan.Chosen()
			return "as a placement would choose", nil
		}
	}
	return "", fmt.Errorf("doctor: choosing cores for %d reactors: %w", n, err)
}
