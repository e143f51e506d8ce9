package reactor

import (
	"sync/atomic"

	"github.com/boomnet-go/boomnet/endpoint"
)

// mail is a message to the reactor: the only way in from other goroutines.
type mail struct {
	kind  mailKind
	slot  *slot
	conn  *conn
	state endpoint.State
	hot   endpoint.Hot
	err   error
	call  func()
}

type mailKind uint8

const (
	mailRegister   mailKind = iota // slot begins
	mailDeregister                 // slot ends
	mailPhase                      // conn's set-up has entered state
	mailOutcome                    // conn's set-up has ended with hot or err
	mailCall                       // call, for Dispatch, Each and new links
)

// mailbox is the queue of the reactor's own messages.
type mailbox = queue[mail]

// newMailbox makes a mailbox for capacity messages, a power of two.
func newMailbox(capacity int) *mailbox { return newQueue[mail](capacity) }

// queue is a bounded queue with many writers and one reader. Each cell has a
// sequence number that says whose turn it is: position i of the queue may be
// written when the number is i and read when it is i+1. A writer takes its
// position by compare-and-swap, so an idle queue costs the reader one load.
type queue[T any] struct {
	cells []cell[T]
	mask  uint64
	_     [128]byte
	tail  uint64 // next position to write; only by atomics
	_     [128]byte
	head  uint64 // next position to read; the reader stores, others load
}

type cell[T any] struct {
	seq  atomic.Uint64
	item T
}

// newQueue makes a queue for capacity items, a power of two over 1.
func newQueue[T any](capacity int) *queue[T] {
	q := &queue[T]{cells: make([]cell[T], capacity), mask: uint64(capacity - 1)}
	for i := range q.cells {
		q.cells[i].seq.Store(uint64(i))
	}
	return q
}

// push reports false when the queue is full. Any goroutine may call it.
func (q *queue[T]) push(item T) bool {
	for {
		pos := atomic.LoadUint64(&q.tail)
		c := &q.cells[pos&q.mask]
		switch seq := c.seq.Load(); {
		case seq == pos:
			if atomic.CompareAndSwapUint64(&q.tail, pos, pos+1) {
				c.item = item
				c.seq.Store(pos + 1)
				return true
			}
		case seq < pos:
			return false // still holds the item of one round ago
		}
	}
}

// peek returns the next item, which stays in its place until drop; nil when there
// is none. Reader only.
func (q *queue[T]) peek() *T {
	c := &q.cells[q.head&q.mask]
	if c.seq.Load() != q.head+1 {
		return nil
	}
	return &c.item
}

// drop frees the place of the item that peek returned. Reader only.
func (q *queue[T]) drop() {
	c := &q.cells[q.head&q.mask]
	var none T
	c.item = none // for the garbage collector
	c.seq.Store(q.head + uint64(len(q.cells)))
	atomic.StoreUint64(&q.head, q.head+1)
}

// pop takes the next item. Reader only.
func (q *queue[T]) pop() (item T, ok bool) {
	p := q.peek()
	if p == nil {
		return item, false
	}
	item = *p
	q.drop()
	return item, true
}

// empty reports whether no writer has taken a place that is not read yet. An item
// that is being written counts, though pop does not find it: a reader that waits
// for the tail to change must not miss the moment when it can be read. Reader only.
func (q *queue[T]) empty() bool { return atomic.LoadUint64(&q.tail) == q.head }

// stored reports whether all writers that have taken a place have stored their
// item. Reader only.
func (q *queue[T]) stored() bool {
	for pos, tail := q.head, atomic.LoadUint64(&q.tail); pos != tail; pos++ {
		if q.cells[pos&q.mask].seq.Load() != pos+1 {
			return false
		}
	}
	return true
}

// length is how many items wait. Any goroutine.
func (q *queue[T]) length() int {
	head := atomic.LoadUint64(&q.head) // first: the tail is never behind it
	return int(min(atomic.LoadUint64(&q.tail)-head, uint64(len(q.cells))))
}
