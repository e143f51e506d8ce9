package jitter

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// made is a report of ten seconds on CPU 3 with gaps of 30 µs.
func made(change func(*Report), gaps map[Cause]int64) *Report {
	r := &Report{
		Loop: LoopReactor, Idle: "spin", CPU: 3, Watched: int64(10 * time.Second),
		Process: &Process{GOMAXPROCS: 3, GCPercent: 100, CPUs: 4},
		Machine: &Machine{Seconds: 10},
	}
	for _, c := range Causes() {
		if n := gaps[c]; n > 0 {
			r.Causes = append(r.Causes, CauseCount{c, c.GoMade(), n, n * 30000, 30000})
		}
	}
	if change != nil {
		change(r)
	}
	return r
}

func TestAdvice(t *testing.T) {
	idle := func(alias string) func(*Report) { return func(r *Report) { r.Idle = alias } }
	interrupts := func(i ...Interrupts) func(*Report) { return func(r *Report) { r.Machine.Interrupts = i } }
	for _, c := range []struct {
		name     string
		change   func(*Report)
		gaps     map[Cause]int64
		what     []string // each advice begins with
		why      string
		commands []string // of the first
	}{
		{name: "nothing", what: []string{"leave it as it is"}},
		{name: "a few", gaps: map[Cause]int64{Switch: 4, Interrupt: 4, Unknown: 1}, what: []string{"leave it as it is"}, why: "one in 2s"},
		{
			name: "Go's scheduler", gaps: map[Cause]int64{Switch: 480},
			what: []string{"wait in system-call state"}, why: "48 times a second, for up to 30.0 µs",
			commands: []string{"go build -tags boomnet_wait", "boomctl jitter --loop reactor --idle spin-wait"},
		},
		{name: "plain", change: func(r *Report) { r.Loop, r.Idle = LoopPlain, "" }, gaps: map[Cause]int64{Switch: 480}, what: []string{"wait in system-call state"}},
		{name: "backoff", change: idle("backoff"), gaps: map[Cause]int64{Switch: 480}, what: []string{"use a strategy that does not sleep"}, why: "backoff gives the CPU away"},
		{name: "park", change: idle("park(50µs)"), gaps: map[Cause]int64{Switch: 480}, what: []string{"use a strategy that does not sleep"}},
		{
			name: "spin-wait at work", change: func(r *Report) { r.Idle, r.Busy = "spin-wait", 60 }, gaps: map[Cause]int64{Switch: 200, ChangeOfP: 100},
			what: []string{"make GOMAXPROCS larger"}, why: "with 60 % of the time in handlers", commands: []string{"boomctl jitter --loop reactor --idle exclusive --busy 60"},
		},
		{name: "exclusive that blocks", change: idle("exclusive"), gaps: map[Cause]int64{Switch: 20}, what: []string{"find the call that blocks"}},
		{
			name: "collector", gaps: map[Cause]int64{GCStop: 50}, what: []string{"turn the collector off"}, why: "5 times a second",
			commands: []string{"reactor.TuneProcess(reactor.Tuning{Reactors: 1, MemoryLimit: 1 << 30})", "GOGC=off GOMEMLIMIT=1GiB"},
		},
		{name: "collector that was asked for", change: func(r *Report) { r.Stops = &Stops{Count: 50} }, gaps: map[Cause]int64{GCStop: 50}, what: []string{"turn the collector off"}, why: "(50 were asked for)"},
		{name: "profiles", gaps: map[Cause]int64{OtherStop: 50}, what: []string{"take what stops the world out"}},
		{name: "one P", change: func(r *Report) { r.Process.GOMAXPROCS = 1 }, what: []string{"raise GOMAXPROCS"}, why: "it is 1"},
		{name: "many Ps", change: func(r *Report) { r.Process.GOMAXPROCS = 64 }, gaps: map[Cause]int64{ChangeOfP: 10}, what: []string{"lower GOMAXPROCS", "wait in system-call state"}, why: "64 on 4 CPUs"},
		{name: "not pinned", change: func(r *Report) { r.CPU = -1 }, what: []string{"pin the loop"}, why: "wherever the kernel put it"},
		{name: "moved", change: func(r *Report) { r.CPU = -1 }, gaps: map[Cause]int64{Migration: 20}, what: []string{"pin the loop"}, why: "moved it to another one 2 times a second"},
		{name: "moved though pinned", gaps: map[Cause]int64{Migration: 20}, what: []string{"find out who changes the masks"}},
		{
			name: "neighbours", gaps: map[Cause]int64{Preemption: 100}, what: []string{"keep other threads off CPU 3"},
			commands: []string{"ps -eLo psr,cls,rtprio,pid,tid,comm | awk '$1 == 3'", "boomctl jitter --confine", "isolcpus=domain,managed_irq,3 on the kernel's command line"},
		},
		{name: "neighbours on an isolated CPU", change: func(r *Report) { r.Machine.Isolated = true }, gaps: map[Cause]int64{Preemption: 100}, what: []string{"find out what was put on CPU 3"}},
		{name: "host", change: func(r *Report) { r.Machine.Steal = int64(50 * time.Millisecond) }, what: []string{"ask for CPUs of its own"}, why: "0.5 % of the time of CPU 3"},
		{
			name: "tick", change: interrupts(Interrupts{"LOC", "Local timer interrupts", 2500}), gaps: map[Cause]int64{Interrupt: 2000},
			what: []string{"stop the timer's tick on CPU 3"}, why: "250 times a second", commands: []string{"nohz_full=3 rcu_nocbs=3 on the kernel's command line"},
		},
		{
			name: "tick in spite of nohz_full", change: func(r *Report) {
				r.Machine.NohzFull = true
				r.Machine.Interrupts = []Interrupts{{"LOC", "Local timer interrupts", 2500}}
			}, gaps: map[Cause]int64{Interrupt: 2000}, what: []string{"have one thread alone on CPU 3"},
		},
		{name: "interrupts too short to be gaps", change: interrupts(Interrupts{"LOC", "Local timer interrupts", 2500}), what: []string{"leave it as it is"}},
		{
			name: "device and calls", change: interrupts(Interrupts{"36", "virtio1-req.0", 900}, Interrupts{"RES", "", 400}, Interrupts{"CAL", "", 300}, Interrupts{"NMI", "", 9000}), gaps: map[Cause]int64{Interrupt: 100},
			what: []string{"move interrupt 36 (virtio1-req.0) to another CPU", "find out who calls CPU 3"}, commands: []string{"echo OTHERS > /proc/irq/36/smp_affinity_list", "systemctl stop irqbalance"},
		},
		{name: "interrupts of no kind", gaps: map[Cause]int64{Interrupt: 100}, what: []string{"look beneath the thread"}},
		{
			name: "seen in C too", change: func(r *Report) {
				r.Floor = &Report{Watched: int64(time.Second), Causes: []CauseCount{{Interrupt, false, 9, 0, 0}}}
			}, gaps: map[Cause]int64{Interrupt: 100}, what: []string{"look beneath the thread"}, why: "a loop in C saw it 9 times a second: it is not Go's",
		},
		{name: "signals", gaps: map[Cause]int64{Signal: 100}, what: []string{"find out who sends signals"}},
		{name: "signals to a pinned P", change: idle("exclusive"), gaps: map[Cause]int64{Signal: 60000}, what: []string{"find out who sends signals"}, why: "6,000 times a second"},
		{name: "faults", gaps: map[Cause]int64{PageFault: 100}, what: []string{"have memory mapped"}},
		{name: "firmware", gaps: map[Cause]int64{Unknown: 100}, what: []string{"look at firmware"}},
		{name: "stops wait", change: func(r *Report) { r.Stops = &Stops{Count: 3, Stopping: int64(80 * time.Millisecond)} }, what: []string{"let the world stop"}, why: "80.0 ms"},
		{name: "stops get through", change: func(r *Report) { r.Stops = &Stops{Count: 3, Stopping: int64(40 * time.Millisecond)} }, what: []string{"leave it as it is"}},
		{name: "in C", change: func(r *Report) { r.Loop, r.Idle, r.Process, r.Machine = LoopC, "", nil, nil }, gaps: map[Cause]int64{Switch: 100, Interrupt: 100}, what: []string{"look for what blocks"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Advise(made(c.change, c.gaps))
			require.Len(t, got, len(c.what), "%+v", got)
			for i, a := range got {
				require.True(t, strings.HasPrefix(a.What, c.what[i]), a.What)
				require.NotEmpty(t, a.Why)
			}
			require.Contains(t, got[0].Why, c.why)
			if c.commands != nil {
				require.Equal(t, c.commands, got[0].Commands)
			}
		})
	}
}
