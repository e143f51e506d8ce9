package reactor

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Run drives the reactor until ctx ends or Close is called, then ends in order
// and frees everything: afterwards the reactor is closed. It returns nil for
// such an end, or the error that stopped the reactor.
//
// The work is done on a goroutine of its own, locked to its thread and pinned
// to Config.CPU, which ends with Run; the calling goroutine just waits. The
// thread is never unlocked, so its mask is not inherited by other goroutines.
func (r *Reactor) Run(ctx context.Context) error {
	if !r.owner.CompareAndSwap(false, true) {
		return ErrRunning
	}
	defer r.owner.Store(false)
	if r.closed.Load() {
		return ErrClosed
	}
	unregister := context.AfterFunc(ctx, r.requestStop)
	defer unregister()
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if cpu, fixed := r.cfg.CPU.CPU(); fixed {
			if err := affinity.Pin(cpu); err != nil {
				result <- fmt.Errorf("reactor %s: %w", r.cfg.Name, err)
				return
			}
		}
		result <- r.loop()
	}()
	return <-result
}

func (r *Reactor) loop() error {
	err := r.turns()
	if err != nil {
		r.release()
		return err
	}
	r.finish()
	return nil
}

// turns drives the reactor until it is closing.
func (r *Reactor) turns() error {
	waiter := idle.NewWaiter(r.strategy)
	r.waits = r.strategy.Waits()
	r.pin()
	defer func() { // the orderly end parks
		r.waits = false
		r.cold()
	}()
	var wait time.Duration
	for !r.closing {
		work, err := r.turn(wait)
		if err != nil {
			return err
		}
		wait = waiter.Idle(work)
	}
	return nil
}

// requestStop asks for an orderly end. Any goroutine.
func (r *Reactor) requestStop() {
	r.stop.Raise()
	r.wake()
}

// Close ends the reactor in order: each open connection is closed as its
// protocol wants and given Config.CloseTimeout to answer, set-ups are given up,
// everything is freed. With Run under way it asks Run to do that and waits for
// it; it must then not be called from a handler. For a reactor driven by Poll
// call it on the goroutine that polls. Closing twice does nothing.
func (r *Reactor) Close() error {
	r.requestStop()
	for !r.owner.CompareAndSwap(false, true) {
		select {
		case <-r.done:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
	defer r.owner.Store(false)
	if r.closed.Load() {
		return nil
	}
	r.finish()
	return nil
}

// finish drives the reactor until all connections have ended or the time is up,
// then frees everything.
func (r *Reactor) finish() {
	r.now = r.clock.Now()
	if !r.closing {
		r.beginClosing()
	}
	// Both clocks bound this: the configured one may stand still.
	give := r.now + int64(r.cfg.CloseTimeout)
	real := clock.Nano() + int64(r.cfg.CloseTimeout)
	waiter := idle.NewWaiter(idle.Backoff)
	var wait time.Duration
	for r.live > 0 && r.now < give && clock.Nano() < real {
		work, err := r.turn(wait)
		if err != nil {
			break
		}
		wait = waiter.Idle(work)
	}
	r.release()
}

// beginClosing deregisters everything that stands.
func (r *Reactor) beginClosing() {
	defer r.hot(r.cold())
	r.closing = true
	for _, s := range r.slots {
		if s != nil {
			r.deregister(s)
		}
	}
}

// release frees everything, whatever is still open.
func (r *Reactor) release() {
	r.closing = true
	r.closed.Store(true)
	for _, s := range r.slots {
		if s == nil {
			continue
		}
		s.closing = true
		for _, c := range s.conns {
			if c != nil {
				r.lose(c, endpoint.ErrCloseDeadline)
			}
		}
		if r.slots[s.id.Slot] == s { // it had no connection
			r.publish(s, endpoint.Event{State: endpoint.Closed})
			r.retire(s)
		}
	}
	// Set-ups that are on their way out may still post their outcome.
	close(r.done)
	r.house.stop(r.cfg.CloseTimeout)
	for {
		m, ok := r.mail.pop()
		if !ok {
			break
		}
		switch {
		case m.kind == mailOutcome && m.hot != nil:
			discard(m.hot, m.hot.Source().FD)
		case m.kind == mailRegister: // came too late to begin
			r.live++
			r.publish(m.slot, endpoint.Event{State: endpoint.Closed})
			r.retire(m.slot)
		}
	}
	r.sel.Close()
	r.counts.publish()
}
