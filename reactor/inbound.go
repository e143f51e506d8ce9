package reactor

import (
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/clock"
)

// inbound is a way in for messages of one type, beside the mailbox: a link or an
// inbox. Its base, a port, is what both have.
type inbound interface {
	base() *port
	drain(limit int) int       // calls the handler for up to limit messages; reactor only
	feed(message []byte) error // calls the handler for a recorded message; reactor only
	forget()                   // takes what waits and does nothing with it; reactor only
	length() int               // how many wait; any goroutine
	empty() bool               // nothing waits, nor is being written; reactor only
	stored() bool              // no message is half written before others; reactor only
	close()                    // refuses all further messages; any goroutine
	isClosed() bool
	word() *uint64 // changes with each message
	counts() portCounts
}

// portCounts are what LinkInfo says of a port.
type portCounts struct {
	sent, handled, refused, highWater uint64
	capacity                          int
}

// port is a message type's way into a reactor.
type port struct {
	from    *Reactor // nil: any goroutine
	to      *Reactor
	message reflect.Type
	wakes   bool // a message ends a park of to
	listed  bool // to looks at it in its turns; to's own
	ended   atomic.Bool
	err     atomic.Pointer[LinkError]
	cells   *ringCells // nil without Config.Counters; to's own
}

func (p *port) base() *port { return p }

// LinkError says why the receiving side has ended a link or an inbox.
type LinkError struct {
	From, To string // names of reactors; From is empty for an inbox
	Message  string // type of the messages
	Err      error  // *endpoint.PanicError, or ErrClosed
}

// Error names both ends and the cause.
func (e *LinkError) Error() string {
	if e.From == "" {
		return fmt.Sprintf("reactor: inbox of %s for %s has ended: %v", e.To, e.Message, e.Err)
	}
	return fmt.Sprintf("reactor: link from %s to %s for %s has ended: %v", e.From, e.To, e.Message, e.Err)
}

// Unwrap returns the cause.
func (e *LinkError) Unwrap() error { return e.Err }

func (p *port) String() string {
	if p.from == nil {
		return fmt.Sprintf("inbox of %s for %v", p.to.Name(), p.message)
	}
	return fmt.Sprintf("link from %s to %s for %v", p.from.Name(), p.to.Name(), p.message)
}

// failure is the end of the port for the reason err.
func (p *port) failure(err error) *LinkError {
	e := &LinkError{To: p.to.Name(), Message: p.message.String(), Err: err}
	if p.from != nil {
		e.From = p.from.Name()
	}
	return e
}

// LinkInfo is how a link or an inbox stands. The counts are exact when both ends
// rest.
type LinkInfo struct {
	From, To  string // names of reactors; From is empty for an inbox
	Message   string // type of the messages
	Capacity  int    // messages
	Sent      uint64 // messages published or posted
	Handled   uint64 // messages whose handler has returned
	Refused   uint64 // claims, offers and posts that were BackPressured or Closed
	HighWater uint64 // largest backlog seen by either side, messages
	Waiting   uint64 // sent and not handled yet
	Dropped   uint64 // sent and never to be handled: the receiving side has ended
	Err       error  // why it has ended it, *LinkError; nil while it stands or after the sender's Close
}

func infoOf(in inbound) LinkInfo {
	p := in.base()
	i := LinkInfo{To: p.to.Name(), Message: p.message.String()}
	if p.from != nil {
		i.From = p.from.Name()
	}
	if e := p.err.Load(); e != nil {
		i.Err = e
	}
	ended := p.ended.Load()
	n := in.counts()
	i.Capacity, i.Sent, i.Handled, i.Refused, i.HighWater = n.capacity, n.sent, n.handled, n.refused, n.highWater
	left := min(n.sent-n.handled, uint64(n.capacity)) // they were not read at one time
	if ended {
		i.Dropped = left
	} else {
		i.Waiting = left
	}
	return i
}

// Links tells how the links and inboxes into r stand, in the order in which they
// were made; the last one of each kind is also told of when it has ended. Any
// goroutine may call it; it allocates.
func (r *Reactor) Links() []LinkInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]LinkInfo, len(r.known))
	for i, in := range r.known {
		out[i] = infoOf(in)
	}
	return out
}

// admit makes in known to its receiver, which looks at it from its next turn on.
// There is one for each message type and sender. Any goroutine.
func (r *Reactor) admit(in inbound) error {
	p := in.base()
	p.cells = newRingCells(p)
	err := r.adopt(in)
	if err != nil && p.cells != nil {
		p.cells.block.Free()
	}
	return err
}

func (r *Reactor) adopt(in inbound) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() || r.stop.Load() {
		return ErrClosed
	}
	p := in.base()
	place := len(r.known)
	for i, other := range r.known {
		if o := other.base(); o.from == p.from && o.message == p.message {
			if !o.ended.Load() {
				return fmt.Errorf("%w: %v", ErrLinked, p)
			}
			place = i
		}
	}
	if err := r.post(mail{kind: mailCall, call: func() { r.enlist(in) }}); err != nil {
		return err
	}
	if place == len(r.known) {
		r.known = append(r.known, nil)
	}
	r.known[place] = in
	return nil
}

// The rest runs on the receiving reactor.

// Bounds of what comes in.
const (
	maxInbound = 64               // messages of one link or inbox in a turn
	maxNap     = time.Millisecond // a park, where something comes in that does not wake
)

// enlist has the turn look at in.
func (r *Reactor) enlist(in inbound) {
	p := in.base()
	if p.listed || p.ended.Load() {
		return
	}
	p.listed = true
	r.inbound = append(r.inbound, in)
	r.showRing(in)
	r.watch(in.word())
	r.setNap()
}

// delist is the end of in; err is nil when its sender has closed it. Its cells are
// given back, but those of one whose handler has panicked stay until there is
// another one or the reactor ends: somebody will want to see what was dropped.
func (r *Reactor) delist(in inbound, err error) {
	p := in.base()
	if err != nil {
		p.err.CompareAndSwap(nil, p.failure(err))
	}
	in.close()
	p.ended.Store(true)
	p.listed = false
	r.unwatch(in.word())
	for i, other := range r.inbound {
		if other == in {
			r.inbound = append(r.inbound[:i], r.inbound[i+1:]...)
			break
		}
	}
	r.setNap()
	if err == nil || r.closing {
		r.hideRing(in)
	}
}

func (r *Reactor) setNap() {
	r.nap = 0
	for _, in := range r.inbound {
		if !in.base().wakes {
			r.nap = maxNap
		}
	}
}

// readInbound handles what came by links and inboxes, of each so much.
func (r *Reactor) readInbound() (work int) {
	for i := 0; i < len(r.inbound); {
		in := r.inbound[i]
		n, gone := r.handle(in, maxInbound)
		work += n
		if !gone {
			i++
		}
	}
	return work
}

// handle drains in, and ends it when its sender has or its handler has panicked.
func (r *Reactor) handle(in inbound, limit int) (n int, gone bool) {
	n, err := r.callDrain(in, limit)
	switch {
	case err != nil:
		r.delist(in, err)
		r.report(in.base().failure(err))
		return 1, true
	case n == 0 && in.isClosed() && in.empty():
		r.delist(in, nil)
		return 0, true
	}
	return n, false
}

func (r *Reactor) callDrain(in inbound, limit int) (n int, err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return in.drain(limit), nil
}

// inboundEmpty reports whether nothing waits in any of them.
func (r *Reactor) inboundEmpty() bool {
	for _, in := range r.inbound {
		if !in.empty() {
			return false
		}
	}
	return true
}

// settle handles what was sent before the end began, so that orders that lie in a
// link still find their connection open. Each is drained of what it holds now, and
// no longer than the end may last.
func (r *Reactor) settle() {
	r.mu.Lock()
	known := append([]inbound(nil), r.known...)
	r.mu.Unlock()
	for _, in := range known {
		r.enlist(in) // the mail that does it may not have been read yet
	}
	for _, in := range known {
		r.exhaust(in)
	}
}

// exhaust drains in of what it holds now.
func (r *Reactor) exhaust(in inbound) {
	for left := in.length(); left > 0 && in.base().listed && !r.overtime(); {
		n, gone := r.handle(in, min(left, maxInbound))
		if gone || n == 0 {
			return
		}
		left -= n
	}
}

// awaitPosts lets the posters of an inbox that is closed store what they have taken
// a place for: the messages behind that place can be read only then. A poster is
// between the two for a moment, or for as long as its thread is not run.
func (r *Reactor) awaitPosts(in inbound) {
	for !in.stored() && !r.overtime() {
		runtime.Gosched()
	}
}

// overtime reports whether the orderly end has taken all the time it may. Both
// clocks bound it: the configured one may stand still.
func (r *Reactor) overtime() bool {
	return r.clock.Now() >= r.closeBy || clock.Nano() >= r.closeByReal
}

// endInbound refuses all further messages and, in an orderly end, handles the last
// ones while there is time.
func (r *Reactor) endInbound(orderly bool) {
	r.mu.Lock()
	known := append([]inbound(nil), r.known...)
	r.mu.Unlock()
	for _, in := range known {
		in.close()
	}
	for _, in := range known {
		if orderly {
			r.awaitPosts(in)
			r.exhaust(in)
		}
		if p := in.base(); !p.ended.Load() {
			r.delist(in, ErrClosed)
		}
	}
}

// endOutbound ends the links out of r; their receivers still handle what lies in
// them.
func (r *Reactor) endOutbound() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, out := range r.outbound {
		out.close()
	}
}

// report tells of a failure that does not end the reactor.
func (r *Reactor) report(err error) {
	defer r.hot(r.cold())
	if r.cfg.Report != nil {
		r.cfg.Report(err)
	}
	r.note(err)
}

// note keeps a failure for Run's error.
func (r *Reactor) note(err error) {
	if len(r.failures) < maxFailures {
		r.failures = append(r.failures, err)
	}
}

// maxFailures bounds what Run's error says of failures that did not end the reactor.
const maxFailures = 16
