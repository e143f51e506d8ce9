package reactor

import (
	"fmt"
	"math/bits"
	"reflect"
	"sync/atomic"

	"github.com/boomnet-go/boomnet/reactor/ring"
)

// Inbox is a way for messages of type T into a reactor from any goroutine.
type Inbox[T any] struct {
	port
	queue   *queue[T]
	handle  func(*T)
	closed  atomic.Bool
	refused atomic.Uint64
	high    atomic.Uint64 // written by the reactor
}

// NewInbox makes an inbox of to for messages of type T, with room for capacity of
// them, rounded up to a power of two; 0 is 1024. handle is called as [Link] says,
// with a copy that is its own until it returns. Messages of one goroutine are
// handled in the order in which they were posted. There is one inbox for each type
// of message; another one is refused with [ErrLinked] until the first has ended.
// Other errors: ErrClosed, ErrMailboxFull, ring.ErrCapacity. With Config.Counters of to
// other processes read how the inbox stands. Any goroutine may call NewInbox. It
// allocates all that the inbox ever needs.
func NewInbox[T any](to *Reactor, capacity int, handle func(*T)) (*Inbox[T], error) {
	message := reflect.TypeFor[T]()
	switch {
	case to == nil || handle == nil:
		return nil, fmt.Errorf("reactor: NewInbox for %v: the reactor or the handler is nil", message)
	case capacity < 0 || capacity > ring.MaxCapacity:
		return nil, fmt.Errorf("reactor: NewInbox for %v: %w: %d is not in 0..%d", message, ring.ErrCapacity, capacity, ring.MaxCapacity)
	case capacity == 0:
		capacity = ring.DefaultCapacity
	}
	i := &Inbox[T]{
		port:   port{to: to, message: message, wakes: true},
		queue:  newQueue[T](max(2, 1<<bits.Len(uint(capacity-1)))),
		handle: handle,
	}
	i.handle = taped(to, i.String(), handle)
	if err := to.admit(i); err != nil {
		return nil, err
	}
	return i, nil
}

// Post gives the reactor a copy of v, or says why not: ring.BackPressured when
// the inbox is full, ring.Closed when it has ended. It ends a park of the reactor,
// which costs about 10 µs; otherwise some tens of nanoseconds. Any goroutine may
// call it. It does not block, allocate or lock.
func (i *Inbox[T]) Post(v T) ring.Result {
	if i.closed.Load() {
		i.refused.Add(1)
		return ring.Closed
	}
	if !i.queue.push(v) {
		i.refused.Add(1)
		return ring.BackPressured
	}
	i.to.wake()
	return ring.Accepted
}

// Close ends the inbox: what was posted before is still handled. What is posted
// while Close is called may be Accepted and then dropped, which Info counts. Closing
// twice does nothing. Any goroutine may call it. An inbox ends with its reactor too.
func (i *Inbox[T]) Close() { i.close() }

// Info tells how the inbox stands. Any goroutine may call it; it allocates.
func (i *Inbox[T]) Info() LinkInfo { return infoOf(i) }

func (i *Inbox[T]) drain(limit int) (n int) {
	q := i.queue
	if p := q.peek(); p != nil {
		if waiting := uint64(q.length()); waiting > i.high.Load() {
			i.high.Store(waiting)
		}
	}
	for ; n < limit; n++ {
		v := q.peek()
		if v == nil {
			break
		}
		i.handle(v)
		q.drop()
	}
	return n
}

func (i *Inbox[T]) feed(m []byte) error { return fed(&i.port, m, i.handle) }

func (i *Inbox[T]) forget() {
	for i.queue.peek() != nil {
		i.queue.drop()
	}
}

func (i *Inbox[T]) length() int    { return i.queue.length() }
func (i *Inbox[T]) empty() bool    { return i.queue.empty() }
func (i *Inbox[T]) stored() bool   { return i.queue.stored() }
func (i *Inbox[T]) isClosed() bool { return i.closed.Load() }
func (i *Inbox[T]) word() *uint64  { return &i.queue.tail }

func (i *Inbox[T]) close() {
	i.closed.Store(true)
	i.to.wake()
}

func (i *Inbox[T]) counts() portCounts {
	handled := atomic.LoadUint64(&i.queue.head) // first: the tail is never behind it
	return portCounts{atomic.LoadUint64(&i.queue.tail), handled, i.refused.Load(), i.high.Load(), len(i.queue.cells)}
}
