package ring

import "reflect"

// Ring is a queue of values of one type between one producer and one consumer.
// Each method says who may call it; "producer" is one goroutine at a time.
//
// T had better hold no pointers: then the collector never looks into the slots.
// With pointers it scans the whole buffer in each cycle, every store into a slot
// passes the write barrier while it runs, and Release clears the slot so that what
// the message pointed to is not kept alive; this is decided once, in New.
type Ring[T any] struct {
	_        [line]byte
	slots    []T
	pointers bool // slots are cleared on release
	core
}

// New makes a ring. The error is an [ErrCapacity].
func New[T any](c Config) (*Ring[T], error) {
	n, err := c.capacity(1, DefaultCapacity)
	if err != nil {
		return nil, err
	}
	r := &Ring[T]{slots: make([]T, n), pointers: hasPointers(reflect.TypeFor[T]())}
	r.init(n, c.Wake)
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

// Claim returns the next slot to fill, or nil and why not. The slot still holds
// an old message: set every field. It is the producer's until Publish; to give it
// up, do nothing: the next Claim returns it again. Producer only.
func (r *Ring[T]) Claim() (*T, Result) {
	if r.tail == r.limit || r.closed.Load() != 0 {
		if res := r.room(1); res != Accepted {
			return nil, res
		}
	}
	return &r.slots[r.tail&r.mask], Accepted
}

// Publish gives the claimed slot to the consumer. It belongs to an Accepted Claim.
// Producer only.
func (r *Ring[T]) Publish() { r.publish(1) }

// ClaimBatch returns up to n slots that lie one after the other: fewer when there
// is less room or the buffer ends. They are published by PublishBatch. With nothing
// free it returns nil and why. Producer only.
func (r *Ring[T]) ClaimBatch(n int) ([]T, Result) {
	if r.limit-r.tail < uint64(max(n, 1)) || r.closed.Load() != 0 {
		if res := r.room(1); res != Accepted {
			return nil, res
		}
	}
	return r.span(r.tail, r.limit, n), Accepted
}

// span returns up to n slots from from on, none of them past to.
func (r *Ring[T]) span(from, to uint64, n int) []T {
	i := from & r.mask
	k := min(uint64(max(n, 0)), to-from, uint64(len(r.slots))-i)
	return r.slots[i : i+k : i+k]
}

// PublishBatch gives the first n slots of the last ClaimBatch to the consumer, with
// one store. It panics when n is negative or there is no room for n. Producer only.
func (r *Ring[T]) PublishBatch(n int) {
	if uint64(n) > r.limit-r.tail {
		panic("ring: PublishBatch of more than was claimed")
	}
	if n > 0 {
		r.publish(uint64(n))
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
	return &r.slots[r.head&r.mask]
}

// Release gives the slot of the last Peek back to the producer. It belongs to a
// Peek that was not nil. Consumer only.
func (r *Ring[T]) Release() {
	if r.pointers {
		clear(r.slots[r.head&r.mask:][:1])
	}
	r.release(1)
}

// PeekBatch returns up to n of the oldest messages that lie one after the other;
// none when the ring is empty. They are the consumer's until ReleaseBatch.
// Consumer only.
func (r *Ring[T]) PeekBatch(n int) []T {
	if r.seen-r.head < uint64(max(n, 0)) {
		r.look()
	}
	return r.span(r.head, r.seen, n)
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
	r.release(uint64(n))
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
