// Package ws is a WebSocket client connection, RFC 6455 and, for compression, RFC
// 7692, that never blocks: a decoder and an encoder above a [stream.Stream]. One
// goroutine uses a [Conn], a reactor or any loop of your own; there is no lock in it
// and no goroutine.
//
//	c, err := ws.Dial(ctx, "wss://example.com/stream?x=1", nil)
//	…
//	for {
//		if _, err := c.Fill(); err == stream.ErrWouldBlock {  // one network read
//			_ = c.Wait(ctx)
//		}
//		for m, ok := c.Next(); ok; m, ok = c.Next() {
//			use(m.Payload)                                    // a view, dead at the next Fill
//		}
//		if err := c.Err(); err != nil {
//			return err                                        // *CloseError: who, which code, why
//		}
//	}
//
// # Reading
//
// [Conn.Fill] reads once, [Conn.Next] gives out the messages in what was read:
// whole data messages only. The payload of a frame that lies complete in the read
// buffer is a view into it. A frame that is cut by the end of a read, and the
// fragments of a message, are gathered in a pooled buffer that grows with the
// bytes received, never with a length announced. Control frames met on the way
// are answered, shown to OnControl, and do not end a batch.
//
// All messages of one read share its time, [Conn.Received]. Where the stream is
// stamped (stream.Options.Timestamps) they also share the kernel's: [Conn.KernelTime]
// by the same clock, [Conn.Stamp] as it came.
//
// # Memory
//
// The read buffer is lent ([Conn.Lend]) by whoever drives many connections and
// taken back at the end of each turn ([Conn.Release]); a connection then holds
// only what it could not consume. A Conn to which nothing was lent has a buffer
// of its own. Reading complete frames and writing allocate nothing.
//
// # Writing
//
// A message is one frame, header and masked payload in one buffer, and one
// [stream.Stream] Write: taken whole or not at all. stream.ErrBackPressured and
// stream.ErrTooLarge come through unwrapped and leave the connection as it was.
// [Conn.Claim] and [Conn.Commit] encode in place, [Prepare] is for what is sent often,
// [Conn.WriteFragment] for what is not known as a whole.
//
// # Compression
//
// [Options.Compression] offers permessage-deflate. What the server sends compressed
// is inflated when it is complete, in the same pooled memory as fragments are
// gathered in; what is sent is compressed from a length on.
//
// # The end
//
//	┌──────┐               Close                  ┌─────────┐
//	│ open │ ───────────────────────────────────► │ closing │ writes: ErrClosing; reads go on
//	└──────┘                                      └─────────┘
//	   │ peer's close frame: echoed                    │ peer's close frame
//	   │ violation by the peer: close frame sent       │ violation by the peer
//	   │ end of stream: 1006                           │ end of stream: 1006
//	   ▼                                               ▼ deadline past (Expire): 1006
//	┌────────────────────────────────────────────────────────┐
//	│ ended: Err() is a *CloseError; errors.Is net.ErrClosed │
//	└────────────────────────────────────────────────────────┘
//
// What remains then is to Flush what is queued, until [Conn.CloseDeadline] at
// most, and to [Conn.Discard].
package ws
