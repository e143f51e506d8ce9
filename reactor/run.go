package reactor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/capture/tape"
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
// thread is never unlocked, so its mask is not inherited by other goroutines. The
// thread is named after the reactor (ps, top, gdb; 15 bytes of it), the goroutine
// has the pprof label reactor=NAME.
//
// Links and inboxes that have ended because their handlers panicked are in the
// error, each a *LinkError.
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
	return r.run(func() {}, func(error) bool { return false })
}

// run drives the reactor for its owner, until a stop is asked for or it fails.
// started is called when the thread is where it belongs; again says whether the
// reactor goes on after a failure.
func (r *Reactor) run(started func(), again func(error) bool) error {
	result := make(chan error, 1)
	go onThread(func() {
		label(r.cfg.Name)
		if err := r.place(); err != nil {
			result <- fmt.Errorf("reactor %s: %w", r.cfg.Name, err)
			return
		}
		started()
		err := r.loop(again)
		result <- errors.Join(append(r.failures, err)...)
	})
	return <-result
}

// place prepares the thread.
func (r *Reactor) place() error {
	if slack := timerSlack.Load(); slack > 0 {
		if err := setTimerSlack(slack); err != nil {
			return err
		}
	}
	if cpu, fixed := r.cfg.CPU.CPU(); fixed {
		return affinity.Pin(cpu)
	}
	return nil
}

func (r *Reactor) loop(again func(error) bool) error {
	err := r.turns(again)
	if errors.Is(err, tape.ErrEnd) || errors.Is(err, tape.ErrAborted) && r.stop.Load() {
		r.release() // the recording ends where the reactor had not, or the replay was stopped
		return nil
	}
	if err != nil {
		r.release()
		return err
	}
	r.finish()
	return nil
}

// turns drives the reactor until it is closing.
func (r *Reactor) turns(again func(error) bool) error {
	r.turning = true
	r.beginWaiting()
	defer func() { // the orderly end parks
		r.turning = false
		r.endWaiting()
	}()
	var wait time.Duration
	for !r.closing {
		work, err := r.turn(wait)
		if err != nil {
			err = r.renew(err, again)
		}
		if err != nil {
			return err
		}
		wait = r.idler.Idle(work)
	}
	return nil
}

// renew puts a selector in the place of one that has failed for the reason err, if
// again wants that. Every connection is lost for it; endpoints, links and mail stay.
func (r *Reactor) renew(err error, again func(error) bool) error {
	defer r.hot(r.cold())
	if !again(err) {
		return err
	}
	for _, s := range r.slots {
		if s == nil {
			continue
		}
		for _, c := range s.conns {
			if c != nil && c.hot != nil {
				r.lose(c, err)
			}
		}
	}
	sel, failed := newSelector(&r.cfg)
	if failed != nil {
		return errors.Join(err, failed)
	}
	r.waking.Lock()
	defer r.waking.Unlock()
	r.sel.Close()
	r.sel = sel
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
	if r.replay != nil {
		r.finishReplay()
		return
	}
	r.now = r.clock.Now()
	if !r.closing {
		if r.tape != nil {
			r.recordTurn()
		}
		r.beginClosing()
	}
	waiter := idle.NewWaiter(idle.Backoff)
	var wait time.Duration
	for r.live > 0 && !r.overtime() {
		work, err := r.turn(wait)
		if err != nil {
			break
		}
		wait = waiter.Idle(work)
	}
	if r.tape != nil {
		r.recordTurn()
	}
	r.endInbound(true)
	r.release()
}

// beginClosing handles the messages that have come and deregisters everything that
// stands.
func (r *Reactor) beginClosing() {
	defer r.hot(r.cold())
	r.closeBy = r.now + int64(r.cfg.CloseTimeout)
	r.closeByReal = clock.Nano() + int64(r.cfg.CloseTimeout)
	r.settle()
	r.closing = true
	if r.tape != nil {
		r.tape.Stop()
	}
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
	r.endInbound(false)
	for len(r.rings) > 0 {
		r.hideRing(r.rings[0])
	}
	for _, s := range r.slots {
		if s == nil {
			continue
		}
		s.closing = true
		for _, c := range s.conns {
			if c != nil {
				r.lose(c, r.lateLoss())
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
	r.awaitMail()
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
	r.endOutbound()
	r.waking.Lock() // whoever has lowered the flag of the last park may still be about to write
	r.sel.Close()
	r.waking.Unlock()
	if r.replay != nil {
		_ = r.replay.player.Close() // reading it has ended, whatever comes of that
	}
	r.counts.settle(r.clock.Now())
	r.counts.end()
	if r.tape != nil {
		r.tape.End()
	}
}

// awaitMail lets whoever has taken a place in the mailbox store his message, as
// awaitPosts does for an inbox: a connection behind it could not be discarded.
func (r *Reactor) awaitMail() {
	for limit := clock.Nano() + int64(r.cfg.CloseTimeout); !r.mail.stored() && clock.Nano() < limit; {
		runtime.Gosched()
	}
}
