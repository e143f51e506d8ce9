package reactor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
)

// slot is an endpoint and its connections. There are few of them, each in the
// place of its role.
type slot struct {
	id       ID
	name     string
	proto    endpoint.Protocol
	policy   endpoint.Policy
	host     *endpoint.HostBucket   // nil: tries are not limited
	handler  endpoint.LossHandler   // nil: always reconnect
	expirer  endpoint.ExpireHandler // nil: renewals are never put off
	conns    [roles]*conn
	lastConn uint32 // id of the youngest connection
	losses   int    // since the last healthy connection
	lostAt   int64  // when the last loss was; 0: never
	renewals int    // losses of connections that were to renew, in a row
	retry    timer  // the back-off is over
	renew    timer  // what renewal does next, see renewal.go
	closing  bool   // deregistered; goes when its connections have gone
	cells    cells
}

// role is what a connection is to its endpoint.
type role uint8

const (
	current role = iota // carries the endpoint
	next                // is to replace the current one
	leaving             // was replaced and is closing
	roles
)

// register takes a place for p. Any goroutine.
func (r *Reactor) register(p endpoint.Protocol) (id ID, err error) {
	if p == nil {
		return ID{}, errors.New("reactor: Register: the endpoint is nil")
	}
	s := &slot{proto: p}
	if c, ok := p.(endpoint.Configured); ok {
		if err := c.EndpointPolicy().Validate(); err != nil {
			return ID{}, err
		}
		s.policy = c.EndpointPolicy().WithDefaults()
	} else {
		s.policy = endpoint.DefaultPolicy
	}
	s.handler, _ = p.(endpoint.LossHandler)
	s.expirer, _ = p.(endpoint.ExpireHandler)
	s.retry = timer{kind: timerRetry, slot: s}
	s.renew = timer{kind: timerRenew, slot: s}
	if r.closed.Load() || r.stop.Load() {
		return ID{}, ErrClosed
	}
	if b, ok := p.(endpoint.Binder); ok {
		if err := b.Bind(p); err != nil {
			return ID{}, err
		}
		defer func() {
			if err != nil {
				b.Unbind()
			}
		}()
	}
	if h, ok := p.(endpoint.Hosted); ok && h.EndpointHost() != "" {
		s.host = r.limiter.Host(h.EndpointHost())
	}
	if err := r.take(s); err != nil {
		return ID{}, err
	}
	// The reactor may want the table: it must not wait for a file that grows.
	s.cells.init(&r.cfg, s.name, r.now0())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table[s.id.Slot].slot = s
	if err := r.post(mail{kind: mailRegister, slot: s}); err != nil {
		r.vacate(s)
		s.cells.block.Free()
		return ID{}, err
	}
	return s.id, nil
}

// take finds a place for s in the table, and its name. Nobody sees s there yet.
func (r *Reactor) take(s *slot) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	place := uint32(len(r.table))
	if n := len(r.freeIDs); n > 0 {
		place = r.freeIDs[n-1]
	} else if len(r.table) == r.cfg.MaxEndpoints {
		return fmt.Errorf("reactor: %d endpoints are registered, MaxEndpoints is %d", len(r.table), r.cfg.MaxEndpoints)
	}
	gen := uint32(1)
	if int(place) < len(r.table) {
		gen = r.table[place].gen + 1
	}
	s.id = ID{place, gen}
	s.name = fmt.Sprintf("%T#%d", s.proto, place)
	if n, ok := s.proto.(endpoint.Named); ok && n.EndpointName() != "" {
		s.name = n.EndpointName()
	}
	if n := len(r.freeIDs); n > 0 {
		r.freeIDs = r.freeIDs[:n-1]
	} else {
		r.table = append(r.table, registration{})
	}
	r.table[place] = registration{gen: gen}
	return nil
}

// vacate gives the place of s back. r.mu is held.
func (r *Reactor) vacate(s *slot) {
	r.table[s.id.Slot].slot = nil
	r.freeIDs = append(r.freeIDs, s.id.Slot)
}

// now0 is the time for other goroutines, which must not read r.now.
func (r *Reactor) now0() int64 { return r.clock.Now() }

// standing returns the endpoint of an id. Any goroutine.
func (r *Reactor) standing(id ID) (*slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int(id.Slot) >= len(r.table) || r.table[id.Slot].gen != id.Gen || r.table[id.Slot].slot == nil {
		return nil, ErrStale
	}
	return r.table[id.Slot].slot, nil
}

// The rest runs on the reactor's goroutine.

// begin is the first thing that happens to an endpoint.
func (r *Reactor) begin(s *slot) {
	r.live++
	for len(r.slots) <= int(s.id.Slot) {
		r.slots = append(r.slots, nil)
	}
	r.slots[s.id.Slot] = s
	if r.closing {
		r.deregister(s)
	} else {
		r.retryIn(s, 0, endpoint.Event{})
	}
}

// retryIn connects s after a delay, or later when the host's limiter says so.
func (r *Reactor) retryIn(s *slot, delay time.Duration, e endpoint.Event) {
	wanted := r.now + int64(delay)
	at := s.reserve(wanted)
	if r.replay != nil {
		at = r.replayRetry(s, at)
	}
	r.recordRetry(s, at)
	if at <= r.now && e.Loss == nil {
		r.connect(s, current)
		return
	}
	r.timers.set(&s.retry, max(at, r.now+1))
	e.State, e.Delay = endpoint.Backoff, time.Duration(at-r.now)
	r.publish(s, e)
}

// reserve asks the limiter of the host for a try.
func (s *slot) reserve(wanted int64) int64 {
	if s.host == nil {
		return wanted
	}
	return s.host.Reserve(wanted)
}

// connect begins to set up a connection.
func (r *Reactor) connect(s *slot, as role) {
	s.lastConn++
	c := &conn{r: r, slot: s, id: s.lastConn, role: as, machine: endpoint.NewMachine(&s.policy), fd: -1}
	c.state = timer{kind: timerState, conn: c}
	c.timer = timer{kind: timerHot, conn: c}
	c.again = timer{kind: timerDue, conn: c}
	c.stale = timer{kind: timerStale, conn: c}
	s.conns[as] = c
	s.cells.begun(c.id)
	c.machine.Start(r.now)
	seams := r.cfg.Seams
	if r.replay != nil {
		seams = r.replayConnect(c, seams)
	}
	if r.tape != nil {
		c.tape = r.tape.Connect(s.id.Slot, s.name, c.id, uint8(as), seams)
		seams = c.tape.Seams()
	}
	r.changed(c)
	ctx, cancel := context.WithCancelCause(context.Background())
	c.cancel = cancel
	via := endpoint.NewConnector(c.id, seams, func(state endpoint.State) {
		if c.played != nil {
			c.played.Enter(state)
		}
		if c.tape != nil {
			c.tape.Enter(state)
		}
		// An error means that the reactor is gone, and then so is ctx.
		_ = r.deliver(mail{kind: mailPhase, conn: c, state: state})
	})
	r.background(task{apart: true, run: func() { r.runSetup(ctx, c, via) }})
}

// background has a task run on another goroutine.
func (r *Reactor) background(t task) {
	if r.cfg.Seams.Executor != nil && t.apart {
		r.cfg.Seams.Executor(t.run)
		return
	}
	r.house.give(t)
}

// phase is a report of c's set-up.
func (r *Reactor) phase(c *conn, state endpoint.State) {
	if !c.dead && c.machine.Enter(state, r.now) {
		r.changed(c)
	}
}

// outcome is the end of c's set-up.
func (r *Reactor) outcome(c *conn, hot endpoint.Hot, err error) {
	switch {
	case c.dead:
		if hot != nil {
			fd := hot.Source().FD
			r.background(task{run: func() { discard(hot, fd) }})
		}
	case err != nil:
		r.lose(c, err)
	default:
		r.attach(c, hot)
	}
}

// changed publishes a new state of c and sets its deadline.
func (r *Reactor) changed(c *conn) {
	r.timers.set(&c.state, c.machine.Deadline())
	if c.tape != nil {
		c.tape.State(c.machine.State())
	}
	e := endpoint.Event{Conn: c.id, State: c.machine.State()}
	if c.role == current {
		r.publish(c.slot, e)
	} else {
		r.observe(c.slot, e)
	}
}

// publish tells of a new state of s.
func (r *Reactor) publish(s *slot, e endpoint.Event) {
	s.cells.enter(e.State, r.now)
	r.observe(s, e)
}

// observe tells the observer of something that leaves the state of s as it is.
func (r *Reactor) observe(s *slot, e endpoint.Event) {
	if f := r.cfg.Seams.Observer; f != nil {
		defer r.hot(r.cold())
		e.At, e.Slot, e.Name = r.now, int(s.id.Slot), s.name
		f(e)
	}
}

// lost goes on after the loss of c, whose place is free already.
func (r *Reactor) lost(s *slot, c *conn, loss *endpoint.LossError, healthy bool) {
	if c.role == leaving {
		r.observe(s, endpoint.Event{Conn: c.id, State: endpoint.Closed, Loss: loss})
		r.retireIfDone(s)
		return
	}
	failures := &s.losses
	if c.role == next {
		failures, loss.Renewal = &s.renewals, true
	}
	if *failures++; healthy {
		*failures = 1
	}
	loss.Attempt = *failures
	delay, tooLong := r.delay(s, loss)
	if tooLong != nil {
		loss.Err = tooLong
	}
	action := endpoint.Reconnect
	if s.handler != nil {
		var err error
		if action, err = r.callLoss(s.handler, loss); err != nil {
			both := *loss // the endpoint may have kept loss
			both.Phase, both.Err = endpoint.User, errors.Join(err, loss.Err)
			loss = &both
		}
	}
	s.cells.lost(loss)
	s.lostAt = r.now
	r.counts.lost(loss)
	var panicked *endpoint.PanicError
	gone := action == endpoint.Stop || tooLong != nil
	e := endpoint.Event{Conn: c.id, Loss: loss}
	switch {
	case s.closing:
		e.State = endpoint.Closed
		if c.role == next {
			r.observe(s, e)
		} else {
			r.publish(s, e)
		}
		r.retireIfDone(s)
	case errors.As(loss.Err, &panicked):
		r.giveUp(s, e)
	case c.role == next:
		r.renewalLost(s, e, delay, gone)
	case s.conns[next] != nil:
		r.observe(s, endpoint.Event{Conn: c.id, State: endpoint.Closed, Loss: loss})
		r.promote(s)
	case gone || s.policy.MaxAttempts > 0 && s.losses >= s.policy.MaxAttempts:
		r.giveUp(s, e)
	default:
		r.timers.set(&s.renew, 0)
		r.retryIn(s, delay, e)
	}
}

// delay is the back-off after a loss: the policy's, or what the peer asked for.
// tooLong is set when that is more than the policy obeys.
func (r *Reactor) delay(s *slot, loss *endpoint.LossError) (d time.Duration, tooLong error) {
	d = s.policy.Delay(loss.Attempt, r.random)
	after, ok := endpoint.RetryAfter(loss.Err, r.wall())
	if ok && after > s.policy.RetryAfterCap {
		return 0, &endpoint.RetryAfterError{After: after, Cap: s.policy.RetryAfterCap, Err: loss.Err}
	}
	// The jitter comes on top: many endpoints may have been told the same.
	return after + d, nil
}

// giveUp ends the endpoint's activity for good.
func (r *Reactor) giveUp(s *slot, e endpoint.Event) {
	r.timers.set(&s.retry, 0)
	r.timers.set(&s.renew, 0)
	e.State = endpoint.Failed
	r.publish(s, e)
	for _, c := range s.conns {
		if c != nil && !c.dead {
			c.role = leaving // its end changes nothing any more
			r.close(c)
		}
	}
}

func (r *Reactor) callLoss(h endpoint.LossHandler, loss *endpoint.LossError) (a endpoint.Action, err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return h.OnLoss(loss), nil
}

// fail gives an endpoint up that has no connection to lose.
func (r *Reactor) fail(s *slot, err error) {
	loss := endpoint.NewLoss(endpoint.User, s.lastConn, err)
	s.cells.lost(loss)
	s.lostAt = r.now
	r.counts.lost(loss)
	r.giveUp(s, endpoint.Event{Loss: loss})
}

// deregister ends an endpoint in order.
func (r *Reactor) deregister(s *slot) {
	if s.closing {
		return
	}
	s.closing = true
	r.timers.set(&s.retry, 0)
	r.timers.set(&s.renew, 0)
	alone := true
	for _, c := range s.conns {
		if c != nil {
			alone = false
			r.close(c)
		}
	}
	if alone {
		r.publish(s, endpoint.Event{State: endpoint.Closed})
		r.retire(s)
	}
}

// retireIfDone retires an endpoint that is closing when its last connection has
// ended.
func (r *Reactor) retireIfDone(s *slot) {
	if s.closing && s.conns == [roles]*conn{} && r.slots[s.id.Slot] == s {
		r.retire(s)
	}
}

// retire gives the place of an endpoint back; its handle is stale from now on.
func (r *Reactor) retire(s *slot) {
	r.live--
	if int(s.id.Slot) < len(r.slots) {
		r.slots[s.id.Slot] = nil
	}
	if b, ok := s.proto.(endpoint.Binder); ok {
		b.Unbind()
	}
	r.free(s.cells.block)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.vacate(s)
}
