package reactor

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// Tuning is what TuneProcess sets. The zero value changes nothing.
type Tuning struct {
	// Reactors is how many reactors with a busy idle strategy will run.
	// GOMAXPROCS becomes Reactors + Others + 1: one more than there are
	// goroutines that never give way, so that the garbage collector and the
	// connectors always find a processor.
	Reactors int
	// Others is how many cores the rest of the program may use. Default 1.
	Others int
	// MemoryLimit turns the garbage collector off until the process uses so
	// many bytes, by SetGCPercent(-1) and SetMemoryLimit: on a steady hot path
	// nothing is allocated and it never runs.
	MemoryLimit int64
	// Rest are the CPUs for all threads but the reactors': affinity.Plan.Rest,
	// Group.Plan().Rest. Threads that are there and threads to come are moved to
	// them, reactors are pinned to theirs when they run. Empty: threads stay
	// where the kernel puts them.
	Rest affinity.Set
	// TimerSlack is how late the kernel may end a park of a reactor, in steps of
	// 1 ns. It is set on the thread of each reactor that is run afterwards. 0: the
	// system's, 50 µs as a rule. Idle strategies that spin do without.
	TimerSlack time.Duration
}

// TuneProcess sets what belongs to the whole process: GOMAXPROCS, the garbage
// collector, where threads run, timer slack. Call it once, from main, before Run:
// it stops the world. Nothing else in this library touches these settings. It
// returns what it did, for a log, nothing being the empty string, and the first
// thing that could not be done; what came before that is done.
//
// What it is about, as seen on Go 1.26 and Linux 6:
//
//   - GOMAXPROCS is taken from the process's affinity mask, and since Go 1.25
//     again whenever that changes, which stops the world: it is better set. Too
//     small, and a reactor that spins keeps a processor from everybody else: with
//     one processor and one spinner a ticker of 1 ms came 19 ms late. Far too
//     large, and the collector's idle workers find their way onto hot cores.
//   - A reactor locked to its thread is still preempted by the Go scheduler, about
//     fifty times a second while it spins, for 20 to 40 µs each. GODEBUG's
//     asyncpreemptoff does not help, and a process whose loop makes raw system
//     calls stands still with it at the first collection: leave it alone.
//   - A collection has to stop every goroutine, and its workers take processor
//     time and cache. What allocates nothing needs none: with MemoryLimit there is
//     one to begin with, and none below the limit; the one that comes every two
//     minutes is off as well. The limit is the net below programs that do
//     allocate: near it collections follow each other.
//   - Other stops of the world: changes of GOMAXPROCS, runtime.ReadMemStats,
//     goroutine profiles, the start and the end of a trace, setuid.
//     runtime/metrics makes none: /sched/pauses/total/gc:seconds and
//     /gc/cycles/total:gc-cycles tell what happened.
//   - A mask keeps the threads of this process off a core, and nothing else: other
//     processes need cpusets or isolcpus. Rest wants a CPU for each processor that
//     is not a reactor's. Beside a reactor that spins, threads that all wait for
//     one other CPU make the Go scheduler's hand-overs wait with them: one took 402
//     ms. On a machine of two CPUs with a reactor that spins leave Rest empty.
//   - Timer slack makes a park of 1 µs one of 50 µs and more: the kernel may
//     serve timers that are near each other together. It is a property of a
//     thread, and no thread may set that of another one without CAP_SYS_NICE. It
//     does nothing for threads with a real-time priority, which have none, nor for
//     time.Sleep, which is Go's poller: that wakes to the millisecond.
func TuneProcess(t Tuning) (said string, err error) {
	var done []string
	if t.Reactors > 0 {
		others := t.Others
		if others <= 0 {
			others = 1
		}
		n := t.Reactors + others + 1
		done = append(done, fmt.Sprintf("GOMAXPROCS %d → %d", runtime.GOMAXPROCS(n), n))
	}
	if t.MemoryLimit > 0 {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(t.MemoryLimit)
		runtime.GC()
		done = append(done, fmt.Sprintf("garbage collector off below %d MiB", t.MemoryLimit>>20))
	}
	if t.TimerSlack > 0 {
		timerSlack.Store(int64(t.TimerSlack))
		done = append(done, fmt.Sprintf("timer slack of reactors %v", t.TimerSlack))
	}
	if t.Rest != (affinity.Set{}) {
		if _, err = affinity.Confine(t.Rest); err == nil {
			done = append(done, fmt.Sprintf("other threads on CPUs %s", t.Rest))
		}
	}
	return strings.Join(done, ", "), err
}
