package reactor

import (
	"context"
	"fmt"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
)

// ID is the stable name of an endpoint in its reactor: a place, and how often it
// was given out. The zero ID names none.
type ID struct{ Slot, Gen uint32 }

func (id ID) String() string { return fmt.Sprintf("%d.%d", id.Slot, id.Gen) }

// Handle is a typed ID. It is a small comparable value that any goroutine may
// keep and copy; it outlives every connection of its endpoint. When the endpoint
// no longer stands it answers ErrStale.
type Handle[P endpoint.Protocol] struct{ id ID }

// ID returns the handle's id.
func (h Handle[P]) ID() ID { return h.id }

// Register adds an endpoint to r, which begins to connect it in its next turn.
// It never waits: what goes wrong from then on comes as OnLoss. An endpoint
// that cannot work (no OnData, a URL that is none) is refused here. p belongs to
// the reactor until it is deregistered. Any goroutine may call it.
func Register[P endpoint.Protocol](r *Reactor, p P) (Handle[P], error) {
	id, err := r.register(p)
	return Handle[P]{id}, err
}

// Deregister ends an endpoint in order: an open connection is closed as its
// protocol wants, OnLoss is called for it, and then the handle is stale. It does
// not wait for that. Any goroutine may call it.
func Deregister[P endpoint.Protocol](r *Reactor, h Handle[P]) error {
	s, err := r.standing(h.id)
	if err != nil {
		return err
	}
	return r.post(mail{kind: mailDeregister, slot: s})
}

// Dispatch has f called on the reactor's goroutine with the endpoint and its
// open connection; the connection is nil when there is none, and for a
// WebSocket its write methods then answer ws.ErrNotConnected. Calls of one
// goroutine are made in order. f must not block. When the endpoint is
// deregistered, or the reactor closed, before its turn comes f is not called;
// Stats counts that, and [Call] tells. Any goroutine may call it; it allocates.
// Errors: ErrStale, ErrMailboxFull, ErrClosed.
func Dispatch[P interface {
	endpoint.Protocol
	Conn() C
}, C any](r *Reactor, h Handle[P], f func(P, C)) error {
	if _, err := r.standing(h.id); err != nil {
		return err
	}
	return r.post(mail{kind: mailCall, call: func() {
		s := r.slotOf(h.id)
		if s == nil {
			r.counts.undelivered++
			return
		}
		p := s.proto.(P)
		r.guarded(s, func() { f(p, p.Conn()) })
	}})
}

// Call is Dispatch that waits until f has run and returns its error. When f will
// never run the answer is ErrStale or ErrClosed; when ctx ends first it is the
// cause of that, and f may still run. It must not be called on the reactor's
// goroutine, where it would wait for itself.
func Call[P interface {
	endpoint.Protocol
	Conn() C
}, C any](ctx context.Context, r *Reactor, h Handle[P], f func(P, C) error) error {
	if _, err := r.standing(h.id); err != nil {
		return err
	}
	result := make(chan error, 1)
	err := r.post(mail{kind: mailCall, call: func() {
		s := r.slotOf(h.id)
		if s == nil {
			r.counts.undelivered++
			result <- ErrStale
			return
		}
		p := s.proto.(P)
		err := error(&endpoint.PanicError{Value: "the function called has panicked"})
		r.guarded(s, func() { err = f(p, p.Conn()) })
		result <- err
	}})
	if err != nil {
		return err
	}
	select {
	case err = <-result:
		return err
	case <-r.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select { // it may have run just before the end
	case err = <-result:
		return err
	default:
		return ErrClosed
	}
}

// Each has f called on the reactor's goroutine for every endpoint that stands,
// in the order of their places. f must not block. Any goroutine may call it.
func Each(r *Reactor, f func(Info, endpoint.Protocol)) error {
	return r.post(mail{kind: mailCall, call: func() {
		for _, s := range r.slots {
			if s != nil && !s.closing {
				r.guarded(s, func() { f(s.info(), s.proto) })
			}
		}
	}})
}

// slotOf finds an endpoint on the reactor's goroutine; nil when it has gone.
func (r *Reactor) slotOf(id ID) *slot {
	if int(id.Slot) >= len(r.slots) {
		return nil
	}
	if s := r.slots[id.Slot]; s != nil && s.id == id && !s.closing {
		return s
	}
	return nil
}

// guarded calls a function of the user's on behalf of s, and looks after what it
// did to the connection: bytes queued, a close begun.
func (r *Reactor) guarded(s *slot, f func()) {
	if r.tape != nil {
		r.tape.Endpoint(tape.KindCall, s.id.Slot, "", 0)
	}
	err := r.call(f)
	if err != nil && s.conns == [roles]*conn{} {
		r.fail(s, err)
		return
	}
	for _, c := range s.conns {
		switch {
		case c == nil:
		case err != nil:
			r.lose(c, err)
		case c.hot != nil:
			r.after(c)
			r.markReady(c)
		}
	}
}

func (r *Reactor) call(f func()) (err error) {
	if r.isolate {
		defer recovered(&err)
	}
	f()
	return nil
}
