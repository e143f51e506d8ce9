package ws

import (
	"fmt"
	"io"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// Fill makes one network read and returns how many bytes it brought. The views
// given out before die. (0, stream.ErrWouldBlock) says that there is nothing to
// read now, or no room beside messages that were not asked for; it is no end.
// Any other error is Err's: at the end of the stream, once the messages before it
// were given out. Fill does not allocate and calls OnControl only when the
// stream has ended.
func (c *Conn) Fill() (int, error) {
	// A loop that polls finds nothing held, read after read: on with the next.
	if polls := c.w == 0 && c.buf != nil && c.asm == nil && c.stash == nil && c.readErr == nil && c.err == nil; !polls {
		if n, err := c.makeRoom(); n > 0 || err != nil {
			return n, err
		}
	}
	room := c.buf[c.w:]
	n, err := c.s.Read(room[:min(len(room), readSize)])
	if n > 0 {
		c.received = c.clock.Now()
		c.w += n
		c.count.Reads++
		c.count.BytesRead += int64(n)
		return n, nil
	}
	if err == stream.ErrWouldBlock {
		if c.writeErr != nil { // what the peer said before it broke is read now
			c.end(c.writeErr)
			return 0, c.err
		}
		return 0, err
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	c.readErr = err
	return 0, c.drained()
}

// makeRoom ends the life of the views and makes room for a read. It returns how
// many bytes were at hand instead, or why there is to be no read.
func (c *Conn) makeRoom() (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	c.settle()
	if c.buf == nil {
		c.attach()
		if c.w > 0 && c.stash != nil {
			return c.w, nil // more was parked than the lent memory holds
		}
	}
	c.compact()
	if n := c.unpark(); n > 0 {
		return n, nil
	}
	if c.readErr != nil {
		return 0, c.drained()
	}
	if c.w == len(c.buf) {
		return 0, stream.ErrWouldBlock
	}
	return 0, nil
}

// drained is Fill's answer when nothing more will be read: the end, if all that
// was read before was given out.
func (c *Conn) drained() error {
	if c.HasNext() {
		return stream.ErrWouldBlock
	}
	return c.err
}

// Next returns the next whole data message of what was read, and false when
// there is none: then ask Err, and Fill. The payload is a view, see Message.
// Control frames on the way are answered and given to OnControl. Next does not
// allocate for frames that lie whole in the read buffer.
func (c *Conn) Next() (Message, bool) {
	// The straight line: a whole, unfragmented, unmasked text or binary frame
	// with a length of 7 or 16 bits. Everything else goes through advance.
	p := c.buf[c.r:c.w]
	if len(p) >= 4 && p[0]|3 == 0x83 && !c.open && !c.held {
		n, h := int(p[1]), 2
		if n == 126 {
			n, h = int(p[2])<<8|int(p[3]), 4
		}
		// 126 and 127, masked frames and lengths in too many bytes fail one of
		// the first two; so do the opcodes 0 and 3 the third.
		if short := h == 2; short == (n < 126) && h+n <= len(p) && n <= c.maxMessage {
			payload := p[h : h+n : h+n]
			if op := frame.Opcode(p[0] & 3); op == frame.Binary || op == frame.Text && (!c.checkUTF8 || frame.ValidUTF8(payload)) {
				c.r += h + n
				c.count.Frames++
				c.count.Messages++
				c.count.PayloadBytes += int64(n)
				return Message{op, payload}, true
			}
		}
	}
	if !c.HasNext() {
		return Message{}, false
	}
	c.held = false
	c.count.Messages++
	c.count.PayloadBytes += int64(len(c.pending.Payload))
	return c.pending, true
}

// HasNext reports whether Next would return a message, and keeps it for Next.
// Control frames before it are answered and given to OnControl.
func (c *Conn) HasNext() bool {
	if !c.held {
		c.pending, c.held = c.advance()
	}
	return c.held
}

// Buffered reports whether something can be done without a network read's
// bytes: input held here that Next or HasNext would consume, input that the
// stream holds, or an end that Fill would report. While it is true do not wait
// for readiness.
func (c *Conn) Buffered() bool {
	if c.err != nil {
		return false
	}
	if c.held || c.stash != nil && c.buf != nil || c.readErr != nil || c.writeErr != nil {
		return true
	}
	p := c.buf[c.r:c.w]
	if c.buf == nil && c.stash != nil {
		p = c.stash.B[c.stashAt:]
	}
	return c.decodable(p) || c.s.Buffered()
}

// decodable reports whether advance would get anywhere with p.
func (c *Conn) decodable(p []byte) bool {
	if c.inFrame {
		return len(p) > 0
	}
	h, n, err := frame.ParseHeader(p)
	if err != nil {
		return true
	}
	return n > 0 && (!h.Opcode.IsControl() || h.Length <= uint64(len(p)-n))
}

// advance consumes input up to and including the next whole message. It returns
// false when it needs more bytes, and when the connection has ended.
//
//	        ┌──────────── control frame: answered ─────────────┐
//	        ▼                                                  │
//	┌──► header ── whole message in one frame in buf ──► a view into buf
//	│       │
//	│       │ cut, or a fragment
//	│       ▼                       last frame
//	└─── payload to asm ─────────────────────────► a view into asm
//	  fragment
func (c *Conn) advance() (Message, bool) {
	if c.buf == nil && c.stash != nil {
		c.attach()
	}
	for c.err == nil {
		if c.inflater != nil && c.msgAt >= maxInflated {
			return Message{}, false // the next Fill makes room
		}
		if c.inFrame {
			if !c.takePayload() {
				break
			}
			if c.fin {
				return c.takeMessage()
			}
			continue
		}
		p := c.buf[c.r:c.w]
		h, n, err := frame.ParseHeader(p)
		if err != nil {
			c.failHeader(err.(frame.Error), h)
			break
		}
		if n == 0 || !c.allowed(h) {
			break
		}
		whole := h.Length <= uint64(len(p)-n)
		switch {
		case h.Opcode.IsControl():
			if !whole {
				return Message{}, c.starved()
			}
			end := n + int(h.Length)
			c.r += end
			c.count.Frames++
			c.control(h.Opcode, p[n:end:end])
		case whole && h.Fin && !c.open:
			end := n + int(h.Length)
			payload := p[n:end:end]
			if h.Rsv != 0 {
				c.r += end
				c.count.Frames++
				c.inflater.gather(payload)
				return c.inflate(h.Opcode)
			}
			if h.Opcode == frame.Text && c.checkUTF8 && !frame.ValidUTF8(payload) {
				c.fail(frame.ErrInvalidUTF8, "")
				break
			}
			c.heldAt = c.r
			c.r += end
			c.count.Frames++
			return Message{h.Opcode, payload}, true
		default:
			if !c.open {
				c.open, c.op, c.packed = true, h.Opcode, h.Rsv != 0
				c.text.Reset()
			}
			c.r += n
			c.count.Frames++
			c.inFrame, c.fin, c.left = true, h.Fin, h.Length
		}
	}
	return Message{}, c.starved()
}

// starved ends the connection if the bytes that advance lacks cannot come any
// more. It returns false.
func (c *Conn) starved() bool {
	if c.err == nil && c.readErr != nil {
		c.lost()
	}
	return false
}

// allowed checks what ParseHeader could not know, and fails the connection.
func (c *Conn) allowed(h frame.Header) bool {
	switch {
	// 5.2: RSV bits "MUST be 0 unless an extension is negotiated that defines
	// meanings for non-zero values".
	case h.Rsv != 0 && !c.marksPacked(h):
		c.failHeader(frame.ErrReservedBits, h)
	// 5.1: "A client MUST close a connection if it detects a masked frame."
	case h.Masked:
		c.failHeader(frame.ErrMasked, h)
	case h.Opcode.IsControl():
		return true
	// 5.4: fragments are "a single frame with the FIN bit clear and an opcode
	// other than 0, followed by zero or more frames with the FIN bit clear and
	// the opcode set to 0".
	case h.Opcode == frame.Continuation && !c.open:
		c.failHeader(frame.ErrOrphanContinuation, h)
	case h.Opcode != frame.Continuation && c.open:
		c.failHeader(frame.ErrInterleaved, h)
	// A compressed message may be a little longer than what it inflates to.
	case c.inflater != nil && (c.packed && c.open || h.Rsv != 0):
		if h.Length <= uint64(c.inflater.limit-c.inflater.gathered()) {
			return true
		}
		c.fail(frame.ErrTooBig, fmt.Sprintf("%d compressed bytes announced after %d, limit %d", h.Length, c.inflater.gathered(), c.inflater.limit))
	// 10.4: implementations with limits on "the frame size or total message size
	// after reassembly from multiple frames MUST protect themselves against
	// exceeding those limits". assembled never exceeds the limit.
	case h.Length > uint64(c.maxMessage-c.assembled()):
		c.fail(frame.ErrTooBig, fmt.Sprintf("%d bytes announced after %d, limit %d", h.Length, c.assembled(), c.maxMessage))
	default:
		return true
	}
	return false
}

// marksPacked reports whether the RSV bits of h say no more than that a compressed
// message begins. RFC 7692, section 6: RSV1 stands on "the first fragment" of
// a message only, and never on a control frame.
func (c *Conn) marksPacked(h frame.Header) bool {
	return c.inflater != nil && h.Rsv == rsv1 && !c.open && !h.Opcode.IsControl()
}

// failHeader is fail with the header in the error.
func (c *Conn) failHeader(e frame.Error, h frame.Header) {
	c.fail(e, fmt.Sprintf("%v frame, fin %t, rsv %d, length field %d", h.Opcode, h.Fin, h.Rsv, h.Length))
}

// takePayload moves what is there of the current frame into the assembly and
// reports whether the frame is complete. Text is validated as it comes, so that
// a bad byte ends the connection before the rest of the frame arrives.
func (c *Conn) takePayload() bool {
	n := int(min(uint64(c.w-c.r), c.left))
	if n > 0 {
		p := c.buf[c.r : c.r+n]
		if c.packed {
			c.inflater.gather(p)
		} else if c.op == frame.Text && c.checkUTF8 && !c.text.Feed(p) {
			c.fail(frame.ErrInvalidUTF8, "")
			return false
		} else {
			c.assemble(p)
		}
		c.r += n
		c.left -= uint64(n)
	}
	c.inFrame = c.left > 0
	return !c.inFrame
}

// takeMessage gives out the assembled message.
func (c *Conn) takeMessage() (Message, bool) {
	if c.packed {
		c.open = false
		return c.inflate(c.op)
	}
	if c.op == frame.Text && c.checkUTF8 && !c.text.Done() {
		c.fail(frame.ErrInvalidUTF8, "")
		return Message{}, false
	}
	m := Message{Op: c.op}
	if c.asm != nil {
		n := len(c.asm.B)
		m.Payload = c.asm.B[c.msgAt:n:n]
		c.msgAt = n
	}
	c.open, c.heldAt = false, -1
	return m, true
}
