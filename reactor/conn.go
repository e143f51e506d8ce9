package reactor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// conn is one connection of an endpoint, from the beginning of its set-up to its
// end. It is the connection's endpoint.Attachment.
type conn struct {
	r        *Reactor
	slot     *slot
	id       uint32
	role     role
	tape     *tape.Conn   // nil: nobody records
	played   *tape.Played // nil: it is no replay
	held     []mail       // of the set-up; the recording says when to read it
	reported bool         // the set-up has ended
	machine  endpoint.Machine
	cancel   context.CancelCauseFunc // ends the set-up
	dead     bool                    // retired; late events and outcomes are dropped

	// From the take-over on.
	hot     endpoint.Hot
	queuer  endpoint.Queuer // nil: not implemented
	meter   endpoint.Meter
	traffic endpoint.TrafficMeter
	due     func(int64) int64 // Source.Due, for streams without a descriptor
	fd      int
	token   uint64
	gen     uint32
	writing bool // watched for writability
	queued  bool // on the ready list

	messages, bytes int64 // as the meter said last
	moved           endpoint.Traffic

	state, timer, again, stale timer
}

// ID implements endpoint.Attachment.
func (c *conn) ID() uint32 { return c.id }

// Scratch implements endpoint.Attachment.
func (c *conn) Scratch() *stream.Scratch { return c.r.scratch }

// Now implements endpoint.Attachment.
func (c *conn) Now() int64 { return c.r.now }

// SetTimer implements endpoint.Attachment.
func (c *conn) SetTimer(at int64) {
	if !c.dead {
		c.r.timers.set(&c.timer, at)
	}
}

// WantWrite implements endpoint.Attachment.
func (c *conn) WantWrite() {
	if !c.dead {
		c.r.watchWrites(c, true)
	}
}

// Next implements endpoint.Attachment.
func (c *conn) Next() bool { return c.role == next }

// Ready implements endpoint.Attachment.
func (c *conn) Ready() {
	if c.role == next && !c.dead && c.machine.State() == endpoint.Open {
		c.r.timers.set(&c.slot.renew, c.r.now) // in this turn or the next
	}
}

// A token is the generation of a place in Reactor.conns and the place, so that
// an event of a descriptor whose connection has gone is recognised.
func (r *Reactor) enrol(c *conn) {
	var place uint32
	if n := len(r.freed); n > 0 {
		place = r.freed[n-1]
		r.freed = r.freed[:n-1]
	} else {
		place = uint32(len(r.conns))
		r.conns = append(r.conns, nil)
	}
	r.counts.generation++
	// The top generation is left out: selectors use the token of all ones.
	c.gen = r.counts.generation % math.MaxUint32
	c.token = uint64(c.gen)<<32 | uint64(place)
	r.conns[place] = c
}

func (r *Reactor) strike(c *conn) {
	place := uint32(c.token)
	r.conns[place] = nil
	r.freed = append(r.freed, place)
}

func (r *Reactor) lookup(token uint64) *conn {
	if place := uint32(token); int(place) < len(r.conns) {
		if c := r.conns[place]; c != nil && c.token == token {
			return c
		}
	}
	return nil
}

// attach takes a connection over from its connector.
func (r *Reactor) attach(c *conn, hot endpoint.Hot) {
	if c.tape != nil {
		c.tape.Attach()
	}
	if c.played != nil {
		c.played.Attach()
	}
	src := hot.Source()
	c.hot, c.fd, c.due = hot, src.FD, src.Due
	c.queuer, _ = hot.(endpoint.Queuer)
	c.meter, _ = hot.(endpoint.Meter)
	c.traffic, _ = hot.(endpoint.TrafficMeter)
	if t, ok := hot.(endpoint.Timed); ok && c.slot.cells.delay != nil {
		t.RecordDelay(c.slot.cells.delay.Record)
	}
	r.enrol(c)
	c.machine.Opened(r.now)
	r.opened(c)
	if c.fd >= 0 {
		c.due = nil
		if err := r.sel.Add(c.fd, c.token); err != nil {
			r.lose(c, err)
			return
		}
	} else if c.due == nil {
		r.lose(c, fmt.Errorf("reactor: %T has neither a descriptor nor Source.Due", hot))
		return
	}
	c.slot.cells.opened()
	r.changed(c)
	if a, ok := hot.(endpoint.Attacher); ok {
		if err := r.callAttach(a, c); err != nil {
			r.lose(c, err)
			return
		}
	}
	if after := c.slot.policy.StaleAfter; after > 0 {
		r.timers.set(&c.stale, r.now+int64(after))
	}
	r.after(c)
	// The set-up may have read more than it needed: look without waiting.
	r.markReady(c)
}

// markReady has c driven in this turn's ready part, or the next one's.
func (r *Reactor) markReady(c *conn) {
	if !c.queued && !c.dead {
		c.queued = true
		r.ready = append(r.ready, c)
	}
}

// drive lets c do one network read.
func (r *Reactor) drive(c *conn) (work int) {
	more, err := r.callReady(c)
	switch {
	case err == nil:
		work = 1
		if r.measure(c) {
			c.machine.Data(r.now)
		}
	case err != stream.ErrWouldBlock:
		r.lose(c, err)
		return 1
	}
	if c.dead {
		return work
	}
	r.after(c)
	if more {
		r.markReady(c)
	} else if c.due != nil && !c.dead {
		r.schedule(c)
	}
	return work
}

// schedule asks a stream without a descriptor when it wants to be read again.
func (r *Reactor) schedule(c *conn) {
	at := c.due(r.now)
	if at <= r.now {
		r.markReady(c)
		return
	}
	r.timers.set(&c.again, at)
}

// after looks what a call of one of c's methods has sent, and whether it left bytes
// queued.
func (r *Reactor) after(c *conn) {
	if c.dead {
		return
	}
	if c.traffic != nil {
		r.meter(c)
	}
	if c.queuer != nil {
		queued := c.queuer.Queued()
		c.slot.cells.queue(int64(queued))
		r.watchWrites(c, queued > 0)
	}
}

// meter publishes what c has read and sent since the last time.
func (r *Reactor) meter(c *conn) {
	if now := c.traffic.Traffic(); now != c.moved {
		c.slot.cells.moved(&c.moved, &now)
		c.moved = now
	}
}

func (r *Reactor) watchWrites(c *conn, on bool) {
	if c.writing == on || c.fd < 0 {
		return
	}
	if err := r.sel.Write(c.fd, c.token, on); err != nil {
		r.lose(c, err)
		return
	}
	c.writing = on
}

func (r *Reactor) writable(c *conn) {
	if err := r.callWritable(c); err != nil && err != stream.ErrWouldBlock {
		r.lose(c, err)
		return
	}
	if c.queuer == nil {
		r.watchWrites(c, false)
	}
	r.after(c)
}

func (r *Reactor) hotTimer(c *conn) {
	if err := r.callTimer(c); err != nil {
		r.lose(c, err)
		return
	}
	r.after(c)
}

// measure publishes what c has received since the last time and reports whether
// that was data: whole messages, where they are counted.
func (r *Reactor) measure(c *conn) bool {
	if c.meter == nil {
		return true
	}
	messages, bytes := c.meter.Meter()
	data := messages != c.messages
	c.slot.cells.received(messages-c.messages, bytes-c.bytes)
	c.messages, c.bytes = messages, bytes
	return data
}

// staleCheck ends c when no data has arrived for too long, else looks again when
// that could be.
func (r *Reactor) staleCheck(c *conn) {
	if c.machine.State() != endpoint.Open {
		return
	}
	if at := c.machine.LastData() + int64(c.slot.policy.StaleAfter); at > r.now {
		r.timers.set(&c.stale, at)
		return
	}
	r.lose(c, endpoint.ErrStaleFeed)
}

// close begins the orderly end of c.
func (r *Reactor) close(c *conn) {
	if c.machine.State().InSetup() {
		r.lose(c, endpoint.ErrDeregistered)
		return
	}
	if c.machine.State() == endpoint.Closing {
		return
	}
	c.machine.Close(r.now)
	r.changed(c)
	if err := r.callClose(c, c.machine.Deadline()); err != nil {
		r.lose(c, err)
		return
	}
	r.after(c)
	r.markReady(c)
}

// overdue is the end of a state that has lasted too long.
func (r *Reactor) overdue(c *conn) {
	if err := c.machine.Overdue(r.now); err != nil {
		r.lose(c, err)
	}
}

// lose ends c for the reason err and tells its endpoint.
func (r *Reactor) lose(c *conn, err error) {
	if c.dead {
		return
	}
	defer r.hot(r.cold())
	loss := endpoint.NewLoss(c.machine.State(), c.id, err)
	healthy := c.machine.Healthy()
	if c.hot != nil {
		r.measure(c)
		if c.traffic != nil {
			r.meter(c)
		}
		if c.queuer != nil {
			loss.Unsent = c.queuer.Queued()
			c.slot.cells.queue(0)
		}
	}
	if c.tape != nil {
		c.tape.Lost(loss.Error())
	}
	c.dead = true
	c.machine.End(r.now)
	c.cancel(err)
	r.timers.set(&c.state, 0)
	r.timers.set(&c.timer, 0)
	r.timers.set(&c.again, 0)
	r.timers.set(&c.stale, 0)
	if c.hot != nil {
		if c.fd >= 0 {
			// The descriptor is still open here, so this can only fail when it
			// was never added, or closed behind our back.
			_ = r.sel.Remove(c.fd)
		}
		r.strike(c)
		if d, ok := c.hot.(endpoint.Detacher); ok {
			if err := r.callDetach(d); err != nil {
				loss.Err = errors.Join(err, loss.Err)
			}
		}
		if c.tape != nil {
			c.tape.Detach()
		}
		if c.played != nil {
			r.replayLost(c)
		}
		hot, fd := c.hot, c.fd
		r.background(task{run: func() { discard(hot, fd) }})
		c.hot = nil
	} else if c.played != nil {
		r.replayLost(c)
	}
	for i, other := range c.slot.conns {
		if other == c {
			c.slot.conns[i] = nil
		}
	}
	r.lost(c.slot, c, loss, healthy)
}

// discard frees a connection that the reactor has let go of.
func discard(hot endpoint.Hot, fd int) {
	if d, ok := hot.(endpoint.Discarder); ok {
		d.Discard()
	} else if fd >= 0 {
		unix.Close(fd)
	}
}

// The calls into an endpoint's code. Under the policy Isolate a panic there
// becomes the error that ends the connection.

func (r *Reactor) callAttach(a endpoint.Attacher, c *conn) (err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return a.OnAttach(c)
}

func (r *Reactor) callReady(c *conn) (more bool, err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return c.hot.OnReady()
}

func (r *Reactor) callWritable(c *conn) (err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return c.hot.OnWritable()
}

func (r *Reactor) callTimer(c *conn) (err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return c.hot.OnTimer(r.now)
}

func (r *Reactor) callClose(c *conn, deadline int64) (err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return c.hot.Close(deadline)
}

func (r *Reactor) callDetach(d endpoint.Detacher) (err error) {
	if r.isolate {
		defer recovered(&err)
	}
	d.OnDetach()
	return nil
}

// recovered is deferred: it turns a panic into an error.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &endpoint.PanicError{Value: v, Stack: debug.Stack()}
	}
}
