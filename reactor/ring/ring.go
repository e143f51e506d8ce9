package ring

import (
	"reflect"
	"sync/atomic"
	"unsafe"
)

// Ring is a queue of values of one type between one producer and one consumer.
// Each method says who may call it; "producer" is one goroutine at a time.
//
// T had better hold no pointers: then the collector never looks into the slots.
// With pointers it scans the whole buffer in each cycle, every store into a slot
// passes the write barrier while it runs, and Release clears the slot so that what
// the message pointed to is not kept alive; this is decided once, in New.
type Ring[T any] struct {
	_        [line]byte
	base     unsafe.Pointer // of slots
	mask     uint64
	slots    []T
	pointers bool // slots are cleared on release
	shared

	tail uint64 // messages published; the producer stores, both load
	_    [line]byte

	limit   uint64 // what tail may not pass: head when last seen + capacity
	refused uint64
	full    uint64 // largest backlog the producer saw
	_       [line]byte

	head uint64 // messages released; the consumer stores, both load
	_    [line]byte

	seen uint64 // tail when last seen
	high uint64 // largest backlog the consumer saw
	_    [line]byte
}

// New makes a ring. The error is an [ErrCapacity].
func New[T any](c Config) (*Ring[T], error) {
	n, err := c.capacity(1, DefaultCapacity)
	if err != nil {
		return nil, err
	}
	r := &Ring[T]{slots: make([]T, n), mask: uint64(n - 1), limit: uint64(n)}
	r.base = unsafe.Pointer(unsafe.SliceData(r.slots))
	r.pointers = hasPointers(reflect.TypeFor[T]())
	r.wake = c.Wake
	return r, nil
}

// hasPointers says whether the collector has to look into a t.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer,
		reflect.Slice, reflect.String, reflect.UnsafePointer:
		return true
	}
	return false
}

// slot is where message n lies. The mask keeps it inside of slots, which the
// compiler cannot know.
func (r *Ring[T]) slot(n uint64) *T {
	var t T
	return (*T)(unsafe.Add(r.base, (n&r.mask)*uint64(unsafe.Sizeof(t))))
}

// Cap returns how many messages fit. Anyone may call it.
func (r *Ring[T]) Cap() int { return len(r.slots) }

// Claim returns the next slot to fill, or nil and why not. The slot still holds
// an old message: set every field. It is the producer's until Publish; to give it
// up, do nothing: the next Claim returns it again. Producer only.
func (r *Ring[T]) Claim() (*T, Result) {
	if r.tail == r.limit || r.closed.Load() {
		if res := r.room(); res != Accepted {
			return nil, res
		}
	}
	return r.slot(r.tail), Accepted
}

// room looks at what the consumer has released.
func (r *Ring[T]) room() Result {
	if r.closed.Load() {
		store(&r.refused, r.refused+1)
		return Closed
	}
	head := atomic.LoadUint64(&r.head)
	if n := r.tail - head; n > r.full {
		store(&r.full, n)
	}
	r.limit = head + uint64(len(r.slots))
	if r.tail == r.limit {
		store(&r.refused, r.refused+1)
		return BackPressured
	}
	return Accepted
}

// Publish gives the claimed slot to the consumer. It belongs to an Accepted Claim.
// Producer only.
func (r *Ring[T]) Publish() { r.publish(r.tail + 1) }

func (r *Ring[T]) publish(tail uint64) {
	if r.wake == nil {
		store(&r.tail, tail)
		return
	}
	atomic.StoreUint64(&r.tail, tail)
	r.notify()
}

// ClaimBatch returns up to n slots that lie one after the other: fewer when there
// is less room or the buffer ends. They are published by PublishBatch. With nothing
// free it returns nil and why. Producer only.
func (r *Ring[T]) ClaimBatch(n int) ([]T, Result) {
	if r.limit-r.tail < uint64(max(n, 1)) || r.closed.Load() {
		if res := r.room(); res != Accepted {
			return nil, res
		}
	}
	i := r.tail & r.mask
	k := min(uint64(max(n, 0)), r.limit-r.tail, uint64(len(r.slots))-i)
	return r.slots[i : i+k : i+k], Accepted
}

// PublishBatch gives the first n slots of the last ClaimBatch to the consumer, with
// one store. It panics when n is negative or there is no room for n. Producer only.
func (r *Ring[T]) PublishBatch(n int) {
	if uint64(n) > r.limit-r.tail {
		panic("ring: PublishBatch of more than was claimed")
	}
	if n > 0 {
		r.publish(r.tail + uint64(n))
	}
}

// Offer copies v in and publishes it. Claim and Publish are faster. Producer only.
func (r *Ring[T]) Offer(v T) Result {
	slot, res := r.Claim()
	if res == Accepted {
		*slot = v
		r.Publish()
	}
	return res
}

// Peek returns the oldest message, nil when there is none. It is the consumer's
// until Release. Consumer only.
func (r *Ring[T]) Peek() *T {
	if r.head == r.seen && !r.look() {
		return nil
	}
	return r.slot(r.head)
}

// look sees what the producer has published.
func (r *Ring[T]) look() bool {
	r.seen = atomic.LoadUint64(&r.tail)
	n := r.seen - r.head
	if n > r.high {
		store(&r.high, n)
	}
	return n != 0
}

// Release gives the slot of the last Peek back to the producer. It belongs to a
// Peek that was not nil. Consumer only.
func (r *Ring[T]) Release() {
	if r.pointers {
		clear(r.slots[r.head&r.mask:][:1])
	}
	store(&r.head, r.head+1)
}

// PeekBatch returns up to n of the oldest messages that lie one after the other;
// none when the ring is empty. They are the consumer's until ReleaseBatch.
// Consumer only.
func (r *Ring[T]) PeekBatch(n int) []T {
	if r.seen-r.head < uint64(max(n, 0)) {
		r.look()
	}
	i := r.head & r.mask
	k := min(uint64(max(n, 0)), r.seen-r.head, uint64(len(r.slots))-i)
	return r.slots[i : i+k : i+k]
}

// ReleaseBatch gives the first n messages of the last PeekBatch back, with one
// store. It panics when n is negative or larger than what is there. Consumer only.
func (r *Ring[T]) ReleaseBatch(n int) {
	if uint64(n) > r.seen-r.head {
		panic("ring: ReleaseBatch of more than was there")
	}
	if r.pointers {
		for i := range uint64(n) {
			clear(r.slots[(r.head+i)&r.mask:][:1])
		}
	}
	store(&r.head, r.head+uint64(n))
}

// Drain calls fn with up to limit of the oldest messages, each released when fn
// returns: *T is only valid until then. It returns how many. A message for which
// fn panics is not released. Consumer only.
func (r *Ring[T]) Drain(limit int, fn func(*T)) (n int) {
	for ; n < limit; n++ {
		m := r.Peek()
		if m == nil {
			break
		}
		fn(m)
		r.Release()
	}
	return n
}

// Published returns the count of messages published, to be watched in a wait loop:
// there is something to do when *p differs from what was released. It is to be
// loaded atomically and never written. Any goroutine may call it.
func (r *Ring[T]) Published() *uint64 { return &r.tail }

// Len returns how many messages wait. Exact for the two sides while the other
// rests. Any goroutine may call it.
func (r *Ring[T]) Len() int {
	head := atomic.LoadUint64(&r.head) // first: tail is never behind it
	return int(min(atomic.LoadUint64(&r.tail)-head, uint64(len(r.slots))))
}

// Empty says whether no message waits. Consumer only.
func (r *Ring[T]) Empty() bool { return atomic.LoadUint64(&r.tail) == r.head }

// Park announces that the consumer is about to sleep. True: it may, and Wake is
// called for the next message or Close; Unpark follows. False: there is something
// to do, a message or a ring closed, and no Wake for this Park is owed; one may
// have come. Consumer only.
func (r *Ring[T]) Park() bool {
	r.parked.Store(true)
	if r.Empty() && !r.closed.Load() {
		return true
	}
	r.parked.Store(false)
	return false
}

// Stats returns the counts. Any goroutine may call it.
func (r *Ring[T]) Stats() Stats {
	refused := atomic.LoadUint64(&r.refused)
	return Stats{
		Offered:   atomic.LoadUint64(&r.tail) + refused,
		Refused:   refused,
		HighWater: max(atomic.LoadUint64(&r.full), atomic.LoadUint64(&r.high)),
	}
}
