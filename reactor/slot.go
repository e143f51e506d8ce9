package reactor

import (
	"context"
	"errors"
	"fmt"

	"github.com/boomnet-go/boomnet/endpoint"
)

// slot is an endpoint and its connections. conns is small and fixed: the
// current connection, and at most one more beside it while it is renewed.
type slot struct {
	id       ID
	name     string
	proto    endpoint.Protocol
	policy   endpoint.Policy
	handler  endpoint.LossHandler // nil: always reconnect
	conns    [2]*conn
	lastConn uint32 // id of the youngest connection
	losses   int    // since the last healthy connection
	retry    timer
	closing  bool // deregistered; goes when its connections have gone
	cells    cells
}

// current is the place of the connection that carries the endpoint.
const current = 0

// register takes a place for p. Any goroutine.
func (r *Reactor) register(p endpoint.Protocol) (ID, error) {
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
	s.retry = timer{kind: timerRetry, slot: s}
	if r.closed.Load() || r.stop.Load() {
		return ID{}, ErrClosed
	}
	if b, ok := p.(endpoint.Binder); ok {
		if err := b.Bind(p); err != nil {
			return ID{}, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	place := uint32(len(r.table))
	if n := len(r.freeIDs); n > 0 {
		place = r.freeIDs[n-1]
	} else if len(r.table) == r.cfg.MaxEndpoints {
		return ID{}, fmt.Errorf("reactor: %d endpoints are registered, MaxEndpoints is %d", len(r.table), r.cfg.MaxEndpoints)
	}
	gen := uint32(1)
	if int(place) < len(r.table) {
		gen = r.table[place].gen + 1
	}
	s.id = ID{place, gen}
	s.name = fmt.Sprintf("%T#%d", p, place)
	if n, ok := p.(endpoint.Named); ok && n.EndpointName() != "" {
		s.name = n.EndpointName()
	}
	s.cells.init(s.name, r.now0())
	if err := r.post(mail{kind: mailRegister, slot: s}); err != nil {
		return ID{}, err
	}
	if n := len(r.freeIDs); n > 0 {
		r.freeIDs = r.freeIDs[:n-1]
	} else {
		r.table = append(r.table, registration{})
	}
	r.table[place] = registration{gen, s}
	return s.id, nil
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
		return
	}
	if !s.closing {
		r.connect(s)
	}
}

// connect begins to set up a connection.
func (r *Reactor) connect(s *slot) {
	s.lastConn++
	c := &conn{r: r, slot: s, id: s.lastConn, machine: endpoint.NewMachine(&s.policy), fd: -1}
	c.state = timer{kind: timerState, conn: c}
	c.timer = timer{kind: timerHot, conn: c}
	c.again = timer{kind: timerDue, conn: c}
	s.conns[current] = c
	c.machine.Start(r.now)
	r.changed(c)
	ctx, cancel := context.WithCancelCause(context.Background())
	c.cancel = cancel
	via := endpoint.NewConnector(c.id, r.cfg.Seams, func(state endpoint.State) {
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
	r.publish(c.slot, endpoint.Event{Conn: c.id, State: c.machine.State()})
}

// publish tells of a new state of s.
func (r *Reactor) publish(s *slot, e endpoint.Event) {
	s.cells.enter(e, r.now)
	if observe := r.cfg.Seams.Observer; observe != nil {
		e.At, e.Slot, e.Name = r.now, int(s.id.Slot), s.name
		observe(e)
	}
}

// lost goes on after the loss of c.
func (r *Reactor) lost(s *slot, c *conn, loss *endpoint.LossError, healthy bool) {
	s.conns[current] = nil
	s.losses++
	if healthy {
		s.losses = 1
	}
	loss.Attempt = s.losses
	action, err := endpoint.Reconnect, error(nil)
	if s.handler != nil {
		action, err = r.callLoss(s.handler, loss)
	}
	var panicked *endpoint.PanicError
	switch {
	case s.closing:
		s.cells.lost(loss)
		r.publish(s, endpoint.Event{Conn: c.id, State: endpoint.Closed, Loss: loss})
		r.retire(s)
		return
	case err != nil: // OnLoss itself panicked
		loss = endpoint.NewLoss(endpoint.User, c.id, err)
		loss.Attempt = s.losses
		fallthrough
	case action == endpoint.Stop,
		errors.As(loss.Err, &panicked),
		s.policy.MaxAttempts > 0 && s.losses >= s.policy.MaxAttempts:
		s.cells.lost(loss)
		r.publish(s, endpoint.Event{Conn: c.id, State: endpoint.Failed, Loss: loss})
		return
	}
	s.cells.lost(loss)
	delay := s.policy.Delay(s.losses, r.random)
	r.timers.set(&s.retry, r.now+max(int64(delay), 1))
	r.publish(s, endpoint.Event{Conn: c.id, State: endpoint.Backoff, Loss: loss, Delay: delay})
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
	r.timers.set(&s.retry, 0)
	s.cells.lost(loss)
	r.publish(s, endpoint.Event{State: endpoint.Failed, Loss: loss})
}

// deregister ends an endpoint in order.
func (r *Reactor) deregister(s *slot) {
	if s.closing {
		return
	}
	s.closing = true
	r.timers.set(&s.retry, 0)
	idle := true
	for _, c := range s.conns {
		if c != nil {
			idle = false
			r.close(c)
		}
	}
	if idle {
		r.publish(s, endpoint.Event{State: endpoint.Closed})
		r.retire(s)
	}
}

// retire gives the place of an endpoint back; its handle is stale from now on.
func (r *Reactor) retire(s *slot) {
	r.live--
	if int(s.id.Slot) < len(r.slots) {
		r.slots[s.id.Slot] = nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table[s.id.Slot].slot = nil
	r.freeIDs = append(r.freeIDs, s.id.Slot)
}
