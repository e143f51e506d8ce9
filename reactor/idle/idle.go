// Package idle says how a reactor waits when a turn found nothing to do. The
// strategies go by the names that the field knows from Agrona:
//
//	noop     go on at once; the lowest latency, a core for itself
//	spin     a PAUSE, then go on; a core for itself, kinder to its sibling
//	yield    let other goroutines and threads run, then go on
//	backoff  10 spins, 5 yields, then park 1 µs doubling to 1 ms (the default)
//	park(d)  park for d each time; "sleep-ns" and "sleep-ms" are 1 µs and 1 ms
//
// Two more keep the Go runtime from interrupting the wait, in builds with the tag
// boomnet_wait on linux/amd64 (see [Strategy.Check]):
//
//	spin-wait  spin in system-call state: Go does not preempt the wait
//	exclusive  that, and no preemption of the work either; see Exclusive
//
// A reactor parks in its selector, not in a nap: a socket that becomes ready and
// a message from another goroutine end it at once. What a park costs is the wake
// of a thread, tens of microseconds on many machines, and timer slack makes the
// shortest parks about 50 µs long.
package idle

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/reactor/internal/syswait"
)

type kind uint8

const (
	backoff kind = iota // the zero Strategy is backoff: nothing spins unasked
	noop
	spin
	yield
	park
	spinWait
	exclusive
)

// Strategy is one way to wait. It is a comparable value; the zero value is
// Backoff.
type Strategy struct {
	kind kind
	d    time.Duration
}

// The strategies without a setting.
var (
	Backoff = Strategy{}
	Noop    = Strategy{kind: noop}
	Spin    = Strategy{kind: spin}
	Yield   = Strategy{kind: yield}
)

// SpinWait spins as Spin does, for a core of its own, but in the state that Go has
// for goroutines in a system call. Go's monitor preempts a reactor that spins in
// Go about fifty times a second, at 20 to 40 µs each; one that waits like this it
// leaves alone, and a stop of the world needs nothing from it. Nor does it preempt
// the reactor's work, which counts as a new goroutine's after each wait, and after
// each 100 µs without one: only a handler that runs for 10 ms is preempted. A stop of
// the world does interrupt the work.
//
// It needs a processor (GOMAXPROCS) more than there are reactors that wait like
// this, as TuneProcess sets: what other goroutines leave to this one's only another
// one runs. With fewer, which is looked at once a second, work is preempted as
// before, and the processor is taken while the reactor waits.
//
// The selector is asked in each round, with epoll about 0.1 to 0.2 µs, with direct
// by poll(2), half as much again; words in memory (rings, the mailbox) are looked
// at in between, so a message there waits for no more than that. A reactor without descriptors
// looks at memory only. Driven by Reactor.Poll it is Noop.
//
// Where the processor's time stamp counter is not invariant, as some hypervisors
// say, it is plain Spin: see [Strategy.Check] and Reactor.Idle.
var SpinWait = Strategy{kind: spinWait}

// Exclusive is SpinWait and, while the reactor works, keeps the runtime from taking
// its processor away at all (the P is pinned), for a stop of the world or after 10 ms
// of work either. It blocks SIGURG, by which the runtime asks for that, on the
// reactor's thread; a process started from a handler would inherit that. It is for
// reactors whose handlers never block, in a process without garbage collection, and
// it is dangerous. What it spares a reactor beyond SpinWait is little: handlers of
// more than 10 ms, and where no processor is to spare. Measure both:
//
//   - A handler that blocks ends the process: "fatal error: schedule: holding
//     locks". Blocking is a channel, a contended sync.Mutex, time.Sleep, net, log to
//     a slow place, a call of Register, Dispatch or another function of package
//     reactor that takes a lock, a tls.ClientSessionCache that connections share, and the first use of a
//     sync.Pool after a collection, for which all pools of the process have one lock
//     (compressed and fragmented messages of proto/ws use pools).
//     Atomics, ring offers, system calls and allocation do not block.
//   - A handler that panics ends the process: "panic holding locks". reactor.New
//     insists on PanicPolicy Crash, because Isolate could not be kept.
//   - A stop of the world waits for the reactor: for as long as a turn lasts, as it
//     lets the runtime in between turns, at every wait and for 2 µs each 100 µs when
//     there is always work. A handler that runs for long makes every goroutine of
//     the process wait for as long at each stop.
//   - reactor.New insists on the garbage collector being off (GOGC=off,
//     debug.SetGCPercent(-1), reactor.TuneProcess): each cycle stops the world twice.
//
// Pinned are OnReady (OnData), OnWritable, OnTimer and calls by Dispatch. The life of
// an endpoint is not: set-up, OnOpen, OnLoss, the observer, its end may block, and
// may cost a preemption. Driven by Reactor.Poll nothing is pinned.
var Exclusive = Strategy{kind: exclusive}

// MaxWait is how long a wait of SpinWait and Exclusive lasts when nothing happens.
const MaxWait = 10 * time.Millisecond

// Errors of Check.
var (
	// ErrBuildTag says that the strategy is not in this build: it needs linux/amd64
	// and the tag, go build -tags boomnet_wait.
	ErrBuildTag = errors.New("needs linux/amd64 and a build with -tags boomnet_wait")
	// ErrCounter says that the strategy cannot be had on this machine.
	ErrCounter = errors.New("needs an invariant time stamp counter (constant_tsc and nonstop_tsc in /proc/cpuinfo)")
)

// MaxPark is the longest park: a bound on how late anything is noticed that
// does not wake the reactor.
const MaxPark = time.Second

// Park returns the strategy that parks for d, between 1 ns and MaxPark; other
// values are moved to the nearer end.
func Park(d time.Duration) Strategy {
	return Strategy{kind: park, d: min(max(d, 1), MaxPark)}
}

// Bounds of backoff.
const (
	backoffSpins   = 10
	backoffYields  = 5
	backoffMinPark = time.Microsecond
	backoffMaxPark = time.Millisecond
)

// Parse understands the aliases: "noop", "spin", "yield", "backoff",
// "park(50us)", "sleep-ns", "sleep-ms", "spin-wait", "exclusive". The last two it
// knows in every build: whether they can be had Check says.
func Parse(alias string) (Strategy, error) {
	switch alias {
	case "noop":
		return Noop, nil
	case "spin":
		return Spin, nil
	case "yield":
		return Yield, nil
	case "backoff", "":
		return Backoff, nil
	case "spin-wait":
		return SpinWait, nil
	case "exclusive":
		return Exclusive, nil
	case "sleep-ns":
		return Park(time.Microsecond), nil
	case "sleep-ms":
		return Park(time.Millisecond), nil
	}
	if arg, ok := strings.CutPrefix(alias, "park("); ok {
		if arg, ok = strings.CutSuffix(arg, ")"); ok {
			d, err := time.ParseDuration(arg)
			if err == nil && d > 0 && d <= MaxPark {
				return Park(d), nil
			}
			return Strategy{}, fmt.Errorf("idle: %q: the time must be a duration over 0 and at most %v", alias, MaxPark)
		}
	}
	return Strategy{}, fmt.Errorf("idle: unknown strategy %q: want noop, spin, yield, backoff, park(DURATION), sleep-ns, sleep-ms, spin-wait or exclusive", alias)
}

// String returns the alias.
func (s Strategy) String() string {
	switch s.kind {
	case noop:
		return "noop"
	case spin:
		return "spin"
	case yield:
		return "yield"
	case park:
		return "park(" + s.d.String() + ")"
	case spinWait:
		return "spin-wait"
	case exclusive:
		return "exclusive"
	}
	return "backoff"
}

// Busy reports whether the strategy never gives its core away.
func (s Strategy) Busy() bool { return s.kind == noop || s.kind == spin || s.Waits() }

// Waits reports whether the strategy waits in system-call state: SpinWait and
// Exclusive.
func (s Strategy) Waits() bool { return s.kind == spinWait || s.kind == exclusive }

// Check says whether the strategy can be had in this build and on this machine: nil,
// or an error that wraps ErrBuildTag or ErrCounter. The first call for SpinWait or
// Exclusive measures the time stamp counter, which may take 2 ms.
func (s Strategy) Check() error {
	switch {
	case !s.Waits():
		return nil
	case !syswait.Built:
		return fmt.Errorf("idle: %v %w", s, ErrBuildTag)
	case !syswait.Usable():
		return fmt.Errorf("idle: %v %w", s, ErrCounter)
	}
	return nil
}

// Waiter carries a strategy from turn to turn. One goroutine uses it.
type Waiter struct {
	strategy Strategy
	turns    int           // idle turns in a row
	parked   time.Duration // length of the last park, backoff only
}

// NewWaiter returns a Waiter for s.
func NewWaiter(s Strategy) *Waiter { return &Waiter{strategy: s} }

// Idle is called after each turn with the work it did. It spins or yields
// itself; when the strategy wants the reactor to park, or to wait (see
// [Strategy.Waits]), it returns for how long, else 0. A wait follows a turn with
// work too: it begins with a look.
func (w *Waiter) Idle(work int) time.Duration {
	if w.strategy.Waits() {
		return MaxWait
	}
	if work > 0 {
		w.turns, w.parked = 0, 0
		return 0
	}
	switch w.strategy.kind {
	case noop:
	case spin:
		pause()
	case yield:
		yieldAll()
	case park:
		return w.strategy.d
	default:
		return w.backOff()
	}
	return 0
}

func (w *Waiter) backOff() time.Duration {
	switch {
	case w.turns < backoffSpins:
		w.turns++
		pause()
	case w.turns < backoffSpins+backoffYields:
		w.turns++
		yieldAll()
	default:
		w.parked = min(max(2*w.parked, backoffMinPark), backoffMaxPark)
		return w.parked
	}
	return 0
}
