// Package ring holds bounded queues between one producer and one consumer, each
// on a goroutine of its own: [Ring] for values of one type, [Bytes] for messages of
// any length. Nothing blocks, allocates or locks after construction; what does
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
//	| slots mask wake closed | parked | published | tail limit | released  | head seen |
//	| both read              | both,  | producer  | producer   | consumer  | consumer  |
//	|                        | rarely | stores    | only       | stores    | only      |
//
// tail and head count messages since the start and never wrap in practice (2^64);
// the slot is the count modulo the capacity, a power of two. published is tail and
// released is head, for the other side to see. limit is released as the producer
// last saw it plus the capacity, seen is published as the consumer last saw it: the
// other side's line is read only when these are used up.
//
// # Memory order
//
// The producer writes the slot, then published; the consumer reads published, then
// the slot. So it must be stored with release and loaded with acquire; for released
// the other way round, so that a slot is not written while it is still read. The
// header of a record of a Bytes is such a word too. Go has no release store; its
// atomic store is sequentially consistent (XCHG on amd64, which waits
// until every earlier store is visible). On amd64 a plain MOV is a release: stores
// are seen in program order, and no load passes a later store. It is made in an
// assembly function, past which the compiler moves nothing. On other processors,
// under -race and with the tag purego it is an atomic store.
//
// A ring with [Config.Wake] publishes sequentially consistent: the store must be
// seen before parked is read, which MOV does not give. The consumer raises
// parked, then looks; the producer publishes, then looks at parked. One of them sees
// the other:
//
//	producer: published = tail; if parked == 1 and swap(parked, 0) == 1 → Wake
//	consumer: parked = 1; if published != head or closed → parked = 0, go on; else sleep
//
// # Closing
//
// Either side may call Close. The producer is refused with [Closed] from then on;
// the consumer still drains what was published. A consumer that closes while the
// producer publishes drains once more, or drops what came last.
package ring
