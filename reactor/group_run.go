package reactor

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/clock"
)

//	made ── Run ──► starting ──► running ── ctx ends, Close, a failure, ──► stopping ──► closed
//	  │             the last of                all have ended              the first of    ▲
//	  │             StopOrder first                                        StopOrder first │
//	  └── Close ───────────────────────────────────────────────────────────────────────────┘

// Run starts all reactors, each on its own thread as Reactor.Run says, and waits:
// until ctx ends, Close is called, a reactor fails (StopAll), or all have ended.
// Then it ends those that run, in StopOrder: each handles the messages that were
// sent to it, closes its connections within its CloseTimeout, and ends its links.
// Afterwards the group is closed; Links tells what was dropped.
//
// It returns nil for such an end, else all that went wrong, joined: a
// *ReactorError for each reactor, with *LinkErrors inside, and ErrStuck inside for
// one that has not ended. A reactor that cannot be started, because its CPU is not
// available, ends the group before those that send to it have begun. A second Run
// is refused with ErrRunning, one after the end with ErrClosed.
func (g *Group) Run(ctx context.Context) error {
	if !g.owner.CompareAndSwap(false, true) {
		select {
		case <-g.done:
			return ErrClosed
		default:
			return ErrRunning
		}
	}
	defer close(g.done)
	all := make(chan struct{}) // all that were started have ended
	begun := 0
	for _, m := range slices.Backward(g.order) {
		if g.asked.Load() || ctx.Err() != nil {
			break
		}
		if !m.r.owner.CompareAndSwap(false, true) {
			m.err = ErrRunning // by its own Run or Poll
			close(m.ended)
			g.stop()
			break
		}
		begun++
		go g.drive(m)
		select {
		case <-m.started:
		case <-m.ended:
		}
	}
	running := g.order[len(g.order)-begun:]
	go func() {
		for _, m := range running {
			<-m.ended
		}
		close(all)
	}()
	select {
	case <-ctx.Done():
	case <-g.quit:
	case <-all:
	}
	g.asked.Store(true) // no more restarts
	return g.end(running)
}

// drive runs a member to its end.
func (g *Group) drive(m *member) {
	defer close(m.ended)
	defer m.r.owner.Store(false)
	if m.r.closed.Load() {
		m.err = ErrClosed
	} else {
		m.err = m.r.run(func() { close(m.started) }, func(err error) bool { return g.again(m, err) })
	}
	if !m.r.closed.Load() { // its thread could not be placed
		g.tell(&ReactorError{m.r.Name(), m.err})
		g.stop()
	}
}

// again reports a failure of m and decides whether m goes on. It runs on m's
// goroutine.
func (g *Group) again(m *member, err error) bool {
	g.tell(&ReactorError{m.r.Name(), err})
	switch {
	case g.asked.Load():
		return false
	case g.cfg.OnFailure == GoOn:
		return false
	case g.cfg.OnFailure == Restart:
		now := clock.Nano()
		m.restarts = slices.DeleteFunc(m.restarts, func(at int64) bool { return now-at > int64(time.Minute) })
		if len(m.restarts) < g.cfg.MaxRestarts {
			m.restarts = append(m.restarts, now)
			m.r.note(err)
			return true
		}
	}
	g.stop()
	return false
}

func (g *Group) tell(err error) {
	if g.cfg.Report != nil {
		g.cfg.Report(err)
	}
}

// stop asks for the end. Any goroutine.
func (g *Group) stop() {
	if g.asked.CompareAndSwap(false, true) {
		close(g.quit)
	}
}

// end ends the members that run, in their order, and closes the others.
func (g *Group) end(running []*member) error {
	late := time.NewTimer(g.cfg.StopTimeout)
	defer late.Stop()
	inOrder := true
	for _, m := range g.order {
		if !slices.Contains(running, m) {
			continue
		}
		m.r.requestStop()
		if inOrder {
			select {
			case <-m.ended:
			case <-late.C:
				inOrder = false
			}
		}
	}
	var errs []error
	for _, m := range g.order {
		var err error
		switch {
		case slices.Contains(running, m):
			err = m.outcome()
		case m.err != nil: // why it was not begun
			err = m.err
		default:
			err = m.r.Close()
		}
		if err != nil {
			errs = append(errs, &ReactorError{m.r.Name(), err})
		}
	}
	return errors.Join(errs...)
}

// outcome waits for a member that was told to end: by now it has had the time to.
func (m *member) outcome() error {
	grace := time.NewTimer(m.r.cfg.CloseTimeout + time.Second)
	defer grace.Stop()
	select {
	case <-m.ended:
	case <-grace.C:
		select {
		case <-m.ended: // both, where this goroutine was not run meanwhile
		default:
			return ErrStuck
		}
	}
	if !m.r.closed.Load() { // its thread could not be placed
		return errors.Join(m.err, m.r.Close())
	}
	return m.err
}

// Close ends the group as the end of Run's context does, and waits for it. On a
// group that was never run it closes the reactors in StopOrder on this goroutine.
// It must not be called on a reactor's goroutine. Closing twice does nothing.
func (g *Group) Close() error {
	g.stop()
	if !g.owner.CompareAndSwap(false, true) {
		<-g.done
		return nil
	}
	defer close(g.done)
	return g.end(nil)
}
