package jitter

import (
	"fmt"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// Advice is what to do about gaps of one kind.
type Advice struct {
	What     string   `json:"what"`
	Why      string   `json:"why"`
	Commands []string `json:"commands,omitempty"` // of a shell, or lines of Go
}

// worth is how many gaps a second are worth advice.
const worth = 0.5

// Advise says what follows from r, the most useful first. It looks at nothing but
// r, so it can be asked about one that was made elsewhere.
func Advise(r *Report) []Advice {
	a := adviser{Report: r}
	for _, rule := range []func(*adviser){
		(*adviser).unpinned,
		(*adviser).processors,
		(*adviser).collector,
		(*adviser).otherStops,
		(*adviser).switches,
		(*adviser).signals,
		(*adviser).preemptions,
		(*adviser).host,
		(*adviser).interrupts,
		(*adviser).faults,
		(*adviser).unknown,
		(*adviser).stops,
	} {
		rule(&a)
	}
	if len(a.list) == 0 {
		a.add("leave it as it is", fmt.Sprintf("there is no kind of gap of which there is one in %v", time.Duration(float64(time.Second)/worth)))
	}
	return a.list
}

type adviser struct {
	*Report
	list []Advice
}

func (a *adviser) add(what, why string, commands ...string) {
	a.list = append(a.list, Advice{what, why, commands})
}

// seen returns the gaps of some causes together, and whether they are worth
// advice. said puts them into words.
func (a *adviser) seen(causes ...Cause) (said string, worthwhile bool) {
	var s CauseCount
	for _, c := range causes {
		n := a.Of(c)
		s.Count += n.Count
		s.Longest = max(s.Longest, n.Longest)
	}
	times := "once"
	if s.Count != 1 {
		times = often(a.PerSecond(s.Count))
	}
	return fmt.Sprintf("%s, for up to %s", times, term.Duration(time.Duration(s.Longest))), a.PerSecond(s.Count) >= worth
}

// often puts a rate into words.
func often(perSecond float64) string {
	if perSecond >= 99.5 {
		return term.Count(int64(perSecond+0.5)) + " times a second"
	}
	return fmt.Sprintf("%.2g times a second", perSecond)
}

// onCPU is the loop's CPU in a command.
func (a *adviser) onCPU() string {
	if a.CPU < 0 {
		return "N"
	}
	return fmt.Sprint(a.CPU)
}

// waits reports whether the reactor waits in system-call state, parks whether it
// sleeps.
func (a *adviser) waits() bool { return a.Idle == "spin-wait" || a.Idle == "exclusive" }
func (a *adviser) parks() bool {
	return a.Idle == "backoff" || a.Idle == "yield" || strings.HasPrefix(a.Idle, "park(")
}

func (a *adviser) unpinned() {
	said, moved := a.seen(Migration)
	switch {
	case a.CPU < 0 && moved:
		a.add("pin the loop to one CPU", "the kernel has moved it to another one "+said+"; caches and clocks start anew there",
			"boomctl jitter --cpu N", "reactor.Config{CPU: affinity.Fixed(N)}")
	case a.CPU < 0:
		a.add("pin the loop to one CPU", "it ran wherever the kernel put it, so nothing is known of its CPU's interrupts and of the host",
			"boomctl jitter --cpu N", "reactor.Config{CPU: affinity.Fixed(N)}")
	case moved:
		a.add("find out who changes the masks of threads", "the loop was pinned and yet moved "+said+": a cpuset was changed, or a tool has set its mask",
			"boomctl topology", "cat /proc/self/cpuset")
	}
}

func (a *adviser) processors() {
	p := a.Process
	if p == nil {
		return
	}
	said, switched := a.seen(Switch, ChangeOfP, GCStop, OtherStop)
	switch {
	case p.GOMAXPROCS < 2:
		a.add("raise GOMAXPROCS", "it is 1 and the loop never gives its P away: timers, the collector and connecting wait until it is taken by force; one more than there are busy loops is the least",
			"reactor.TuneProcess(reactor.Tuning{Reactors: 1})", "GOMAXPROCS=3 boomctl jitter")
	case p.CPUs > 0 && p.GOMAXPROCS > 2*p.CPUs && switched:
		a.add("lower GOMAXPROCS", fmt.Sprintf("it is %d on %d CPUs, so idle workers of the collector run on the loop's CPU; Go's own gaps were seen %s", p.GOMAXPROCS, p.CPUs, said),
			"reactor.TuneProcess(reactor.Tuning{Reactors: 1})")
	}
}

func (a *adviser) collector() {
	said, ok := a.seen(GCStop)
	if !ok {
		return
	}
	if a.Stops != nil {
		said += fmt.Sprintf(" (%d were asked for)", a.Stops.Count)
	}
	a.add("turn the collector off while memory is below a limit", "it has stopped the loop "+said+"; a hot path that allocates nothing does not need it",
		"reactor.TuneProcess(reactor.Tuning{Reactors: 1, MemoryLimit: 1 << 30})", "GOGC=off GOMEMLIMIT=1GiB")
}

func (a *adviser) otherStops() {
	if said, ok := a.seen(OtherStop); ok {
		a.add("take what stops the world out of the program", "it was stopped "+said+", and not by the collector: runtime.ReadMemStats, a profile of goroutines or a trace, or GOMAXPROCS that follows a cgroup; runtime/metrics stops nothing",
			"grep -rn 'ReadMemStats\\|SetGCPercent\\|GOMAXPROCS' .")
	}
}

func (a *adviser) switches() {
	said, ok := a.seen(Switch, ChangeOfP)
	switch {
	case !ok:
	case a.Loop == LoopC:
		a.add("look for what blocks", "the loop in C went to sleep "+said, "strace -f -c boomctl jitter")
	case a.Loop == LoopPlain || a.Idle == "spin" || a.Idle == "noop":
		a.add("wait in system-call state: idle.SpinWait in a build with the tag boomnet_wait", "Go's scheduler has taken the loop off its P "+said+": it preempts what has run for 10 ms, and for a locked thread that is two wake-ups by the kernel",
			"go build -tags boomnet_wait", "boomctl jitter --loop reactor --idle spin-wait")
	case a.parks():
		a.add("use a strategy that does not sleep: spin, or spin-wait in a build with the tag boomnet_wait", fmt.Sprintf("%s gives the CPU away when there is nothing to do, and came back late %s", a.Idle, said),
			"boomctl jitter --loop reactor --idle spin")
	case a.Idle == "exclusive":
		a.add("find the call that blocks in a handler", "the P is pinned and yet the thread has gone to sleep "+said+": a lock, a channel or a system call that blocks; it may end the process",
			"perf trace -s -p PID", "go tool trace")
	case a.waits():
		a.add("make GOMAXPROCS larger than the number of reactors that wait so, and handlers shorter than 10 ms", fmt.Sprintf("with %d %% of the time in handlers the scheduler has preempted the loop %s, which it does where no P is to spare or a handler runs for longer; idle.Exclusive pins the P where the collector is off and handlers never block", a.Busy, said),
			"boomctl jitter --loop reactor --idle exclusive --busy "+fmt.Sprint(a.Busy))
	}
}

func (a *adviser) signals() {
	said, ok := a.seen(Signal)
	switch {
	case !ok:
	case a.Idle == "exclusive":
		a.add("find out who sends signals", "one was handled "+said+" and nothing else happened: not Go's monitor, whose SIGURG the thread blocks; a profile, or another program",
			"strace -f -e trace=tgkill -p PID")
	default:
		a.add("find out who sends signals", "one was handled "+said+" and nothing else happened: Go's monitor asks for a preemption, or a profile is being taken",
			"strace -f -e trace=tgkill -p PID")
	}
}

func (a *adviser) preemptions() {
	said, ok := a.seen(Preemption)
	if !ok {
		return
	}
	cpu := a.onCPU()
	why := "the kernel has run other threads on the loop's CPU " + said
	if a.Machine != nil && a.Machine.Isolated {
		a.add("find out what was put on CPU "+cpu, why+"; it is isolated, so they were pinned there, or are the kernel's own",
			"ps -eLo psr,cls,rtprio,pid,tid,comm | awk '$1 == "+cpu+"'")
		return
	}
	a.add("keep other threads off CPU "+cpu, why,
		"ps -eLo psr,cls,rtprio,pid,tid,comm | awk '$1 == "+cpu+"'",
		"boomctl jitter --confine",
		"isolcpus=domain,managed_irq,"+cpu+" on the kernel's command line")
}

// A thousandth of a CPU's time is much for a host to take.
const muchSteal = 0.001

func (a *adviser) host() {
	m := a.Machine
	if m == nil || m.Seconds <= 0 {
		return
	}
	if share := time.Duration(m.Steal).Seconds() / m.Seconds; share >= muchSteal {
		a.add("ask for CPUs of its own at the host", fmt.Sprintf("the host has kept %.2g %% of the time of CPU %d for others (steal); nothing inside of the guest helps", 100*share, a.CPU),
			"vmstat 1")
	}
}

// Interrupts of the kernel itself, by their names in /proc/interrupts.
const (
	localTimer   = "LOC"
	rescheduling = "RES"
	functionCall = "CAL"
	tlbShootdown = "TLB"
)

// Rates of interrupts, a second, that are worth advice.
const (
	muchTimer  = 50
	muchCalls  = 50
	muchDevice = 5
)

func (a *adviser) interrupts() {
	said, ok := a.seen(Interrupt)
	m := a.Machine
	if !ok || m == nil || m.Seconds <= 0 {
		return
	}
	why := "something beneath the thread has run " + said
	if f := a.Floor; f != nil {
		if n := f.Of(Interrupt); 2*f.PerSecond(n.Count) >= a.PerSecond(a.Of(Interrupt).Count) {
			why += fmt.Sprintf(" (a loop in C saw it %s: it is not Go's)", often(f.PerSecond(n.Count)))
		}
	}
	cpu := a.onCPU()
	before := len(a.list)
	calls := 0.0
	for _, i := range m.Interrupts {
		rate := float64(i.Count) / m.Seconds
		switch i.Name {
		case localTimer:
			if rate < muchTimer {
				continue
			}
			timer := fmt.Sprintf("%s; the timer has interrupted CPU %s %s", why, cpu, often(rate))
			if m.NohzFull {
				a.add("have one thread alone on CPU "+cpu, timer+", although it is one of nohz_full: the tick stays while two threads are runnable",
					"ps -eLo psr,cls,rtprio,pid,tid,comm | awk '$1 == "+cpu+"'")
			} else {
				a.add("stop the timer's tick on CPU "+cpu, timer,
					"nohz_full="+cpu+" rcu_nocbs="+cpu+" on the kernel's command line")
			}
		case rescheduling, functionCall, tlbShootdown:
			calls += rate
		default:
			if rate < muchDevice || strings.Trim(i.Name, "0123456789") != "" {
				continue
			}
			a.add(fmt.Sprintf("move interrupt %s (%s) to another CPU", i.Name, i.About), fmt.Sprintf("%s; this one came to CPU %s %s", why, cpu, often(rate)),
				"echo OTHERS > /proc/irq/"+i.Name+"/smp_affinity_list", "systemctl stop irqbalance")
		}
	}
	if calls >= muchCalls {
		a.add("find out who calls CPU "+cpu+" from other CPUs", fmt.Sprintf("%s; other CPUs have interrupted it %s, to run something, wake something or forget mappings: memory that is unmapped by the same process does that", why, often(calls)),
			"perf record -e ipi:ipi_send_cpu -a -g sleep 5")
	}
	if len(a.list) == before {
		a.add("look beneath the thread", why+", and no kind of interrupt stands out",
			"perf trace -e 'irq:*,irq_vectors:*' -C "+cpu+" sleep 5")
	}
}

func (a *adviser) faults() {
	if said, ok := a.seen(PageFault); ok {
		a.add("have memory mapped before it is used", "the thread has touched memory that was not there "+said+": memory used for the first time, or taken away to see on which NUMA node it is used",
			"sysctl kernel.numa_balancing=0", "unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE)")
	}
}

func (a *adviser) unknown() {
	if said, ok := a.seen(Unknown); ok {
		a.add("look at firmware and clock frequency", "the loop stood still "+said+" and no counter of the kernel moved: system management interrupts, a change of frequency, a host that does not tell",
			"turbostat --show SMI,Busy%,Bzy_MHz", "cpupower frequency-set -g performance")
	}
}

// maxStop is how long the world may take to stop.
const maxStop = 50 * time.Millisecond

func (a *adviser) stops() {
	if s := a.Stops; s != nil && time.Duration(s.Stopping) > maxStop {
		a.add("let the world stop: a wait of 1 µs at least every 100 µs", fmt.Sprintf("a collection had to wait %s for the loop, and so did every goroutine of the process", term.Duration(time.Duration(s.Stopping))),
			"boomctl jitter --loop reactor --idle spin-wait --gc 100ms")
	}
}
