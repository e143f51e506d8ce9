// Package idle says how a reactor waits when a turn found nothing to do. The
// strategies go by the names that the field knows from Agrona:
//
//	noop     go on at once; the lowest latency, a core for itself
//	spin     a PAUSE, then go on; a core for itself, kinder to its sibling
//	yield    let other goroutines and threads run, then go on
//	backoff  10 spins, 5 yields, then park 1 µs doubling to 1 ms (the default)
//	park(d)  park for d each time; "sleep-ns" and "sleep-ms" are 1 µs and 1 ms
//
// A reactor parks in its selector, not in a nap: a socket that becomes ready and
// a message from another goroutine end it at once. What a park costs is the wake
// of a thread, tens of microseconds on many machines, and timer slack makes the
// shortest parks about 50 µs long.
package idle

import (
	"fmt"
	"strings"
	"time"
)

type kind uint8

const (
	backoff kind = iota // the zero Strategy is backoff: nothing spins unasked
	noop
	spin
	yield
	park
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
// "park(50us)", "sleep-ns", "sleep-ms".
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
	return Strategy{}, fmt.Errorf("idle: unknown strategy %q: want noop, spin, yield, backoff, park(DURATION), sleep-ns or sleep-ms", alias)
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
	}
	return "backoff"
}

// Busy reports whether the strategy never gives its core away.
func (s Strategy) Busy() bool { return s.kind == noop || s.kind == spin }

// Waiter carries a strategy from turn to turn. One goroutine uses it.
type Waiter struct {
	strategy Strategy
	turns    int           // idle turns in a row
	parked   time.Duration // length of the last park, backoff only
}

// NewWaiter returns a Waiter for s.
func NewWaiter(s Strategy) *Waiter { return &Waiter{strategy: s} }

// Idle is called after each turn with the work it did. It spins or yields
// itself; when the strategy wants the reactor to park it returns for how long,
// else 0.
func (w *Waiter) Idle(work int) time.Duration {
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
