package reactor

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/boomnet-go/boomnet/reactor/ring"
)

// ErrLinked says that there is a link for that message type between the two
// reactors, or an inbox for it: there can be one.
var ErrLinked = errors.New("reactor: linked already")

// LinkConfig is how a link is made. The zero value is useful.
type LinkConfig struct {
	// Capacity is how many messages may wait, rounded up to a power of two;
	// more are refused with ring.BackPressured. Default 1024.
	Capacity int
	// Wake ends a park of the receiving reactor with each message that finds it
	// parked, by an eventfd write of about 10 µs on the sender's side; every
	// publish is a sequentially consistent store. Default: the receiver looks by
	// itself and parks for at most 1 ms, whatever its idle strategy, so that a
	// message is that late at worst. Receivers that spin need no Wake.
	Wake bool
}

// Link makes a way for messages of type T from one reactor to another, or to
// itself: a ring of which from is the producer and to the consumer.
//
// to calls handle on its goroutine, in its turn after the mail and before the
// timers, for at most 64 messages of a link in a turn. The message lies in the
// ring: it is handle's until handle returns. handle must not block. Messages of
// a link are handled in the order in which they were published, each once; there
// is no order between links.
//
// A panic in handle ends the link under [Isolate]: that message and those behind
// it are dropped and counted, the sender is answered ring.Closed, and
// Config.Report and Run's error tell of it. Under [Crash] it ends the process.
//
// There is one link for each pair of reactors and type of message; another one is
// refused with [ErrLinked] until the first has ended. Other errors: [ErrClosed]
// when one of the reactors is closed, or to is ending; [ErrMailboxFull];
// ring.ErrCapacity. With Config.Counters of to other processes read how the link
// stands. Any goroutine may call Link, before the reactors run and while they do.
// It allocates all that the link ever needs. Messages had better hold no pointers,
// see ring.Ring.
func Link[T any](from, to *Reactor, cfg LinkConfig, handle func(*T)) (*Sender[T], error) {
	message := reflect.TypeFor[T]()
	if from == nil || to == nil || handle == nil {
		return nil, fmt.Errorf("reactor: Link for %v: a reactor or the handler is nil", message)
	}
	c := ring.Config{Capacity: cfg.Capacity}
	if cfg.Wake {
		// The ring's own parked flag stays down, the reactor has one for all that
		// comes in: this only makes it publish in the order that wake needs.
		c.Wake = to.wake
	}
	q, err := ring.New[T](c)
	if err != nil {
		return nil, fmt.Errorf("reactor: Link for %v: %w", message, err)
	}
	l := &link[T]{port: port{from: from, to: to, message: message, wakes: cfg.Wake}, ring: q}
	l.handle = taped(to, l.String(), handle)
	if err := to.admit(l); err != nil {
		return nil, err
	}
	if err := from.send(l); err != nil {
		l.close() // its receiver finds it closed and empty
		return nil, err
	}
	s := &Sender[T]{ring: q, link: l}
	if cfg.Wake {
		s.wakes = to
	}
	return s, nil
}

// send notes that out ends with r. Any goroutine.
func (r *Reactor) send(out inbound) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	kept := r.outbound[:0]
	for _, o := range r.outbound {
		if !o.base().ended.Load() {
			kept = append(kept, o)
		}
	}
	r.outbound = append(kept, out)
	return nil
}

// Sender is the sending end of a link. Claim, Publish, ClaimBatch, PublishBatch
// and Offer are for the goroutine of the sending reactor, in a handler or a
// function given to Dispatch; before that reactor runs, for the one goroutine that
// prepares it. None of them blocks, allocates or locks.
type Sender[T any] struct {
	ring  *ring.Ring[T]
	wakes *Reactor // nil: the receiver looks by itself
	link  *link[T]
}

// Claim returns the next message to fill in place, every field of it, or nil and
// why not: ring.BackPressured when the receiver is that far behind, ring.Closed
// when either side has ended the link. It is the sender's until Publish.
func (s *Sender[T]) Claim() (*T, ring.Result) { return s.ring.Claim() }

// Publish sends the message that the last Claim returned.
func (s *Sender[T]) Publish() {
	s.ring.Publish()
	if s.wakes != nil {
		s.wakes.wake()
	}
}

// ClaimBatch returns up to n messages to fill, fewer when there is less room or
// the ring's buffer ends; none and why when there is no room at all.
func (s *Sender[T]) ClaimBatch(n int) ([]T, ring.Result) { return s.ring.ClaimBatch(n) }

// PublishBatch sends the first n messages of the last ClaimBatch.
func (s *Sender[T]) PublishBatch(n int) {
	s.ring.PublishBatch(n)
	if s.wakes != nil {
		s.wakes.wake()
	}
}

// Offer copies v in and sends it, or says why not. Claim and Publish are faster.
func (s *Sender[T]) Offer(v T) ring.Result {
	res := s.ring.Offer(v)
	if res == ring.Accepted && s.wakes != nil {
		s.wakes.wake()
	}
	return res
}

// Close ends the link: what was published is still handled, further messages are
// answered ring.Closed. Closing twice does nothing. Any goroutine may call it. A
// link ends with either of its reactors too.
func (s *Sender[T]) Close() { s.link.close() }

// Info tells how the link stands. Any goroutine may call it; it allocates.
func (s *Sender[T]) Info() LinkInfo { return infoOf(s.link) }

// link is the receiving end.
type link[T any] struct {
	port
	ring   *ring.Ring[T]
	handle func(*T)
}

func (l *link[T]) drain(limit int) int { return l.ring.Drain(limit, l.handle) }
func (l *link[T]) feed(m []byte) error { return fed(&l.port, m, l.handle) }
func (l *link[T]) forget()             { l.ring.Drain(l.ring.Cap(), func(*T) {}) }
func (l *link[T]) length() int         { return l.ring.Len() }
func (l *link[T]) stored() bool        { return true } // a claim holds nothing up, and lasts as its sender likes
func (l *link[T]) empty() bool         { return l.ring.Empty() }
func (l *link[T]) isClosed() bool      { return l.ring.IsClosed() }
func (l *link[T]) word() *uint64       { return l.ring.Published() }

func (l *link[T]) close() {
	l.ring.Close()
	if l.wakes {
		l.to.wake() // to see that it has ended
	}
}

func (l *link[T]) counts() portCounts {
	handled := l.ring.Released() // first: what is published is never behind it
	s := l.ring.Stats()
	return portCounts{s.Offered - s.Refused, handled, s.Refused, s.HighWater, l.ring.Cap()}
}
