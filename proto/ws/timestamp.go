package ws

import "github.com/boomnet-go/boomnet/stream"

// Stamp is what the kernel, and the NIC, say of when the last read that brought
// bytes was received: raw, one stamp for all messages of that read, like
// Received. It is zero unless Options.Stream.Timestamps asked for it, or the
// stream is stamped in another way. See stream.Timestamps for what it means.
func (c *Conn) Stamp() stream.Stamp {
	if c.stamped == nil {
		return stream.Stamp{}
	}
	return c.stamped.Stamp()
}

// Stamped reports whether reads are stamped.
func (c *Conn) Stamped() bool { return c.stamped != nil }

// KernelTime is the software stamp of the last read that brought bytes, by
// CLOCK_MONOTONIC in nanoseconds: it compares with Received and clock.Nano as
// closely as clock.Wall converts, about 0.1 µs. 0: the read has no stamp. It
// does not allocate; about 10 ns, and 0.5 µs more ten times a second.
func (c *Conn) KernelTime() int64 {
	at := c.Stamp().Software
	if at == 0 {
		return 0
	}
	if c.converter != nil {
		return c.converter.Monotonic(at, c.received)
	}
	return c.wall.Monotonic(at, c.received)
}

// stampedStream is s if its reads are stamped, else nil.
func stampedStream(s stream.Stream) stream.Stamped {
	if t, ok := s.(stream.Stamped); ok && t.Timestamps() != stream.TimestampsOff {
		return t
	}
	return nil
}
