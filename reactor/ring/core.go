package ring

import "sync/atomic"

// line is two cache lines: the unit that processors with an adjacent-line
// prefetcher pass between cores.
const line = 128

// core is all of a ring but its slots: the two indices, what each side remembers
// of the other's, closing, parking and the counts. Nothing in it depends on the
// type of the messages, so that a Ring of any type shares its code. It counts
// messages of a Ring, and bytes of a Bytes.
//
// Each index is there twice: its owner counts in a line of its own and stores what
// the other side is to see in a line that it never reads. Some processors take the
// line away from the writer when the other core reads it, and a read of it then
// waits for a whole round trip.
type core struct {
	mask   uint64 // capacity - 1
	wake   func()
	closed atomic.Uint32
	_      [line]byte

	parked atomic.Uint32
	_      [line]byte

	published uint64 // tail, for the consumer to see
	_         [line]byte

	tail    uint64 // units published; the producer's own
	limit   uint64 // what tail may not pass: head when last seen + capacity
	refused uint64 // refusals
	full    uint64 // largest backlog the producer saw
	_       [line]byte

	released uint64 // head, for the producer to see
	_        [line]byte

	head uint64 // units released; the consumer's own
	seen uint64 // tail when last seen
	high uint64 // largest backlog the consumer saw
	_    [line]byte
}

func (c *core) init(capacity int, wake func()) {
	c.mask, c.limit, c.wake = uint64(capacity-1), uint64(capacity), wake
}

// room looks at what the consumer has released, and answers whether n units fit.
func (c *core) room(n uint64) Result {
	if c.closed.Load() != 0 {
		store(&c.refused, c.refused+1)
		return Closed
	}
	head := atomic.LoadUint64(&c.released)
	if n := c.tail - head; n > c.full {
		store(&c.full, n)
	}
	c.limit = head + c.mask + 1
	if c.limit-c.tail < n {
		store(&c.refused, c.refused+1)
		return BackPressured
	}
	return Accepted
}

// publish lets the consumer see n units more.
func (c *core) publish(n uint64) {
	c.tail += n
	if c.wake == nil {
		store(&c.published, c.tail)
		return
	}
	atomic.StoreUint64(&c.published, c.tail)
	c.notify()
}

// look sees what the producer has published.
func (c *core) look() bool {
	c.seen = atomic.LoadUint64(&c.published)
	n := c.seen - c.head
	if n > c.high {
		store(&c.high, n)
	}
	return n != 0
}

// release lets the producer overwrite the n oldest units.
func (c *core) release(n uint64) {
	c.head += n
	store(&c.released, c.head)
}

// Cap returns how many messages fit. Any goroutine may call it.
func (c *core) Cap() int { return int(c.mask + 1) }

// Len returns how many messages wait. Exact for the two sides while the other
// rests. Any goroutine may call it.
func (c *core) Len() int {
	head := atomic.LoadUint64(&c.released)
	n := int64(atomic.LoadUint64(&c.published) - head)
	return int(min(max(n, 0), int64(c.mask+1))) // neither was read at the time of the other
}

// Empty says whether no message waits. Consumer only.
func (c *core) Empty() bool { return atomic.LoadUint64(&c.published) == c.head }

// Released returns how many messages, or bytes of a Bytes, the consumer has released.
// Read before Stats or Published it is never more than was published. Any goroutine
// may call it.
func (c *core) Released() uint64 { return atomic.LoadUint64(&c.released) }

// Published returns the count of messages published, to be watched in a wait loop:
// there is something to do when it is no longer what it was before the ring was
// found empty. It is to be loaded atomically and never written. Any goroutine may
// call it.
func (c *core) Published() *uint64 { return &c.published }
