package ring

import (
	"sync/atomic"
	"unsafe"
)

// Layout of a record, Agrona's: a header of 8 bytes, the length with the header in
// its lower and the kind in its upper half, then the message, then nothing up to
// the next multiple of 8. A length of 0 is no record yet: storing the header is
// what gives the record to the consumer. What is left before the buffer's end,
// when a record does not fit there, is a record of kind padding.
const (
	header  = 8
	align   = 8
	padding = -1
)

func headerOf(length uint64, kind int32) uint64 { return uint64(uint32(kind))<<32 | length }

// recordSize is how much a message of n bytes takes.
func recordSize(n int) uint64 { return (uint64(n) + header + align - 1) &^ (align - 1) }

// DefaultBytes is the capacity of a [Bytes] whose Config says none; MinBytes the
// smallest. Both in bytes.
const (
	DefaultBytes = 64 << 10
	MinBytes     = 64
)

// Bytes is a queue of messages of any length between one producer and one consumer.
// Each method says who may call it; "producer" is one goroutine at a time.
//
//	p, res := b.TryClaim(len, kind)         b.Drain(16, func(kind int32, p []byte) {
//	copy(p, …)                              	…
//	b.Commit(len)                           })
//
// The consumer sees a message by its header alone and needs no second line of the
// producer's. It never writes to the buffer: where Agrona's consumer zeroes what it
// has read, so that no old message passes for a header, the producer here zeroes
// the header that comes next before it stores the one that makes a record, in a
// line that it writes anyway. That takes 8 bytes of the capacity.
//
// What [Ring] has by embedding counts in bytes here, headers and padding included:
// Len, Cap, Published, and HighWater of its statistics.
type Bytes struct {
	_     [line]byte
	words []uint64 // the buffer, for headers
	bytes []byte   // the same, for messages
	core

	claimed  int    // bytes of the open claim, -1: none; the producer's own, as the rest
	kind     int32  // of the open claim
	pad      uint64 // bytes of padding before it
	accepted uint64 // messages committed
	_        [line]byte
}

// NewBytes makes a ring of c.Capacity bytes. The error is an [ErrCapacity].
func NewBytes(c Config) (*Bytes, error) {
	n, err := c.capacity(MinBytes, DefaultBytes)
	if err != nil {
		return nil, err
	}
	b := &Bytes{words: make([]uint64, n/8), claimed: -1}
	b.bytes = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b.words))), n)
	b.init(n, c.Wake)
	return b, nil
}

// MaxMessage returns the length of the longest message, an eighth of the capacity.
// Any goroutine may call it.
func (b *Bytes) MaxMessage() int { return len(b.bytes) / 8 }

// TryClaim returns room for a message of n bytes, or nil and why not; [TooLarge]
// when n is over MaxMessage. It holds old bytes: write every one. It is the
// producer's until Commit or Abort; the next TryClaim gives it up. kind is for the
// consumer and is 1 or more. It panics when n is negative or kind is less than 1.
// Producer only.
func (b *Bytes) TryClaim(n int, kind int32) ([]byte, Result) {
	if n < 0 || kind < 1 {
		panic("ring: TryClaim of a negative length, or of a kind below 1")
	}
	b.claimed = -1
	if n > b.MaxMessage() {
		store(&b.refused, b.refused+1)
		return nil, TooLarge
	}
	size, pad := recordSize(n), uint64(0)
	if end := uint64(len(b.bytes)) - b.tail&b.mask; size > end {
		pad = end
	}
	need := pad + size + header // the next header too
	if b.limit-b.tail < need || b.closed.Load() != 0 {
		if res := b.room(need); res != Accepted {
			return nil, res
		}
	}
	b.claimed, b.kind, b.pad = n, kind, pad
	return b.message((b.tail+pad)&b.mask, uint64(n)), Accepted
}

// message is the view of a message whose header is at at.
func (b *Bytes) message(at, n uint64) []byte {
	return b.bytes[at+header : at+header+n : at+header+n]
}

// Commit gives the first n bytes of the claim to the consumer: all of it, or fewer
// when the message became shorter. It panics without a claim of at least n bytes.
// Producer only.
func (b *Bytes) Commit(n int) {
	if n < 0 || n > b.claimed {
		panic("ring: Commit of more than was claimed")
	}
	b.claimed = -1
	size, at := recordSize(n), b.tail+b.pad
	b.words[((at+size)&b.mask)/8] = 0
	store(&b.words[(at&b.mask)/8], headerOf(uint64(n)+header, b.kind))
	if b.pad > 0 { // after the record: the padding leads to it
		store(&b.words[(b.tail&b.mask)/8], headerOf(b.pad, padding))
	}
	store(&b.accepted, b.accepted+1)
	b.publish(b.pad + size)
}

// Abort gives the claim up, if there is one: nothing of it is seen. Producer only.
func (b *Bytes) Abort() { b.claimed = -1 }

// Offer copies p in and publishes it. The results and panics are those of TryClaim.
// Producer only.
func (b *Bytes) Offer(kind int32, p []byte) Result {
	room, res := b.TryClaim(len(p), kind)
	if res == Accepted {
		copy(room, p)
		b.Commit(len(p))
	}
	return res
}

// Peek returns the oldest message and its kind, 0 when there is none. The bytes are
// the consumer's until Release. Consumer only.
func (b *Bytes) Peek() (kind int32, p []byte) {
	for {
		at := b.head & b.mask
		h := atomic.LoadUint64(&b.words[at/8])
		n := uint64(uint32(h))
		switch kind = int32(h >> 32); {
		case n == 0:
			return 0, nil
		case kind != padding:
			return kind, b.message(at, n-header)
		}
		b.release(n)
	}
}

// Release gives the room of the last Peek back to the producer. It belongs to a
// Peek that returned a message. Consumer only.
func (b *Bytes) Release() {
	length := int(uint32(b.words[(b.head&b.mask)/8]))
	b.release(recordSize(length - header))
}

// Drain calls fn with up to limit of the oldest messages, each released when fn
// returns: p is only valid until then. It returns how many. A message for which fn
// panics is not released. Consumer only.
func (b *Bytes) Drain(limit int, fn func(kind int32, p []byte)) (n int) {
	for ; n < limit; n++ {
		kind, p := b.Peek()
		if kind == 0 {
			break
		}
		fn(kind, p)
		b.Release()
	}
	return n
}

// Empty says whether no message waits. Consumer only.
func (b *Bytes) Empty() bool { return uint32(atomic.LoadUint64(&b.words[(b.head&b.mask)/8])) == 0 }

// Stats returns the counts. The high-water mark is in bytes and seen by the
// producer alone, when it comes to the end of the room that it knew of. Any goroutine
// may call it.
func (b *Bytes) Stats() Stats {
	s := b.core.Stats()
	s.Offered = atomic.LoadUint64(&b.accepted) + s.Refused
	return s
}
