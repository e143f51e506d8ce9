// Package ring holds bounded queues between one producer and one consumer, each
// on a goroutine of its own: [Ring] for values of one type, [Bytes] for messages
// of any length. Nothing blocks, allocates or locks after construction; what does
// not fit is refused, and the producer is told.
//
//	producer                                consumer
//	slot, res := r.Claim()                  slot := r.Peek()  // nil: empty
//	slot.Price, slot.Size = p, s            use(slot.Price)
//	r.Publish()                             r.Release()
//
// Fill the claimed slot field by field and read it in place. A value built on the
// stack and copied in ([Ring.Offer]) costs more: its wide loads wait for the narrow
// stores that made it.
//
// # Layout
//
// What one side writes often is alone on its pair of cache lines (128 bytes:
// processors fetch the neighbour of a line too):
//
//	| base mask wake closed | tail       | limit refused | head       | seen high  | parked |
//	| both read             | producer   | producer only | consumer   | consumer   | both,  |
//	|                       | publishes  |               | releases   | only       | rarely |
//
// tail and head count messages since the start and never wrap in practice (2^64);
// the slot is the count modulo the capacity, a power of two. limit is head as the
// producer last saw it plus the capacity, seen is tail as the consumer last saw it:
// the other side's line is read only when these are used up.
//
// # Memory order
//
// The producer writes the slot, then tail; the consumer reads tail, then the slot.
// So tail must be stored with release and loaded with acquire; for head the other
// way round, so that a slot is not written while it is still read. Go has no release
// store, its atomic store is sequentially consistent (XCHG on amd64, which waits
// until every earlier store is visible). On amd64 a plain MOV is a release: stores
// are seen in program order, and no load passes a later store. It is made in an
// assembly function, past which the compiler moves nothing. On other processors,
// under -race and with the tag purego it is an atomic store.
//
// A ring with [Config.Wake] publishes sequentially consistent: the store to tail
// must be seen before parked is read, which MOV does not give. The consumer raises
// parked, then looks at tail; the producer stores tail, then looks at parked. One
// of them sees the other:
//
//	producer: tail = n; if swap(parked, 0) == 1 → Wake
//	consumer: parked = 1; if tail != head → parked = 0, go on; else sleep
//
// # Closing
//
// Either side may call Close. The producer is refused with [Closed] from then on;
// the consumer still drains what was published. A consumer that closes while the
// producer publishes drains once more, or drops what came last.
package ring
