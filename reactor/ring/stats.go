package ring

import "sync/atomic"

// Stats are counts since the ring was made.
type Stats struct {
	Offered   uint64 // messages published, and refusals
	Refused   uint64 // claims and offers that were not Accepted
	HighWater uint64 // largest backlog that a side saw when it looked at the other's index: messages, or bytes of a Bytes
}

// Stats returns the counts. Any goroutine may call it.
func (c *core) Stats() Stats {
	refused := atomic.LoadUint64(&c.refused)
	return Stats{
		Offered:   atomic.LoadUint64(&c.published) + refused,
		Refused:   refused,
		HighWater: max(atomic.LoadUint64(&c.full), atomic.LoadUint64(&c.high)),
	}
}
