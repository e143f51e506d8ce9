package reactor

import (
	"errors"
	"fmt"
	"math"
	"runtime/metrics"
	"time"

	"github.com/boomnet-go/boomnet/reactor/idle"
)

// How a reactor waits in system-call state (idle.SpinWait, idle.Exclusive), and what
// Exclusive adds: the P is pinned from the beginning of the loop to its end, but for
//
//	the wait itself           syswait lets go and pins again, in one nosplit stretch
//	the life of an endpoint   cold: what may block, in our code or in the user's
//
// A preemption that the monitor has asked for meanwhile is taken where the stack is
// checked: nowhere in a wait, but in a cold part, where it costs 20 to 40 µs.

// ErrExclusive says that idle.Exclusive was asked for where it must not run.
var ErrExclusive = errors.New("reactor: idle strategy exclusive")

// strategy returns the strategy that c.Idle comes to on this machine, and why it is
// another one.
func (c *Config) strategy() (s idle.Strategy, instead, err error) {
	err = c.Idle.Check()
	switch {
	case errors.Is(err, idle.ErrCounter) && c.Idle == idle.SpinWait:
		return idle.Spin, err, nil
	case err != nil:
		return c.Idle, nil, fmt.Errorf("reactor: %w", err)
	case c.Idle != idle.Exclusive:
	case c.OnPanic != Crash:
		return c.Idle, nil, fmt.Errorf("%w: OnPanic must be Crash: a panic under it ends the process", ErrExclusive)
	case !collectorOff():
		return c.Idle, nil, fmt.Errorf("%w: the garbage collector must be off (GOGC=off, reactor.TuneProcess)", ErrExclusive)
	}
	return c.Idle, nil, nil
}

// collectorOff reports whether GOGC is off. A memory limit may still be set.
func collectorOff() bool {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return s[0].Value.Kind() == metrics.KindUint64 && s[0].Value.Uint64() == math.MaxUint64
}

const (
	// letInEvery is how long an exclusive reactor works at most, but for the rest
	// of a turn, without a wait of letInFor: the time in which the collector, which
	// tries again and again, finds the goroutine in system-call state.
	letInEvery = int64(100 * time.Microsecond)
	letInFor   = 2 * time.Microsecond
)

// spin waits in system-call state. With nothing to wait for, wait is 0, it looks.
func (r *Reactor) spin(wait time.Duration) (int, error) {
	if r.counts.dirty > 0 { // a wait may be long
		r.counts.publish()
	}
	if len(r.rings) > 0 {
		if r.now-r.ringsAt >= int64(maxRingAge) {
			r.publishRings()
		} else {
			wait = min(wait, maxRingAge) // and then publish
		}
	}
	before := r.now
	n, err := r.sel.Spin(r.events[:], wait, &r.waiter)
	r.now = r.clock.Now()
	r.recordPark()
	if r.now-before >= int64(letInFor) {
		r.letIn = r.now
	}
	return n, err
}

// letRuntimeIn waits for a moment when a pinned reactor has worked for long, and has
// one that is not pinned go on for as long again.
func (r *Reactor) letRuntimeIn() {
	if !r.waits || r.now-r.letIn < letInEvery {
		return
	}
	if r.waiter.Pinned() {
		r.waiter.Pause(letInFor)
	} else {
		r.waiter.Tick()
	}
	r.letIn = r.now
}

// beginWaiting and endWaiting enclose the time in which the reactor, on a thread of
// its own, waits as its strategy says.
func (r *Reactor) beginWaiting() {
	if r.waits = r.strategy.Waits(); r.waits {
		r.waiter.Start()
	}
	r.pin()
}

func (r *Reactor) endWaiting() {
	r.cold()
	r.waits = false
	r.waiter.Stop()
}

// pin keeps the P until cold, where the strategy wants that.
func (r *Reactor) pin() {
	if r.strategy == idle.Exclusive {
		r.waiter.Pin()
	}
}

// cold lets go of a pinned P for work that may block. It reports whether there was
// one, for hot:
//
//	defer r.hot(r.cold())
func (r *Reactor) cold() (was bool) { return r.waiter.Unpin() }

// hot undoes cold.
func (r *Reactor) hot(was bool) {
	if was {
		r.waiter.Pin()
	}
}
