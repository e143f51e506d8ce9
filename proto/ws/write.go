package ws

import (
	"fmt"
	"unsafe"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// WriteText sends p as one text message. The RFC wants it to be valid UTF-8,
// which is the caller's business: it is not checked. See Write.
func (c *Conn) WriteText(p []byte) error { return c.write(frame.Text, p) }

// WriteString is WriteText of a string, which is not copied first.
func (c *Conn) WriteString(s string) error {
	return c.write(frame.Text, unsafe.Slice(unsafe.StringData(s), len(s)))
}

// WriteBinary sends p as one binary message. See Write.
func (c *Conn) WriteBinary(p []byte) error { return c.write(frame.Binary, p) }

// Write sends p as one message of the kind op, frame.Text or frame.Binary: one
// frame, one write of the stream. It is compressed where that was agreed on and p
// is long enough for it. p is neither changed nor kept. It does not allocate unless
// p is larger than what the scratch memory has held so far.
//
// stream.ErrBackPressured and stream.ErrTooLarge say that nothing was taken and
// leave the connection as it is; so does ErrRateLimited. ErrNotConnected: c is nil.
// ErrClosing: a close frame was sent. ErrFragmented: see WriteFragment. Any other
// error is a *CloseError and final: nothing more can be written, and Err will report
// the end once what was received is read.
func (c *Conn) Write(op frame.Opcode, p []byte) error {
	if err := checkData("Write", op); err != nil {
		return err
	}
	return c.write(op, p)
}

func (c *Conn) write(op frame.Opcode, p []byte) error {
	if err := c.writable(); err != nil {
		return err
	}
	if c.deflater != nil && len(p) >= c.deflater.threshold {
		return c.writeCompressed(op, p)
	}
	return c.writeFrame(frame.Header{Fin: true, Opcode: op}, p)
}

// writable says why no message may be sent now; nil: it may.
func (c *Conn) writable() error {
	switch {
	case c == nil:
		return ErrNotConnected
	case c.gate != nil:
		return c.gate
	case c.fragments != 0:
		return ErrFragmented
	case c.limited():
		return ErrRateLimited
	}
	return nil
}

// writeFrame sends a frame with the payload p; h lacks the mask key and the length.
func (c *Conn) writeFrame(h frame.Header, p []byte) error {
	h.Masked, h.Key, h.Length = true, c.maskKey(), uint64(len(p))
	out := frame.AppendHeader(c.outFor(frame.MaxHeaderSize+len(p)), h)
	start := len(out)
	out = out[:start+len(p)]
	frame.MaskCopy(out[start:], p, h.Key, 0)
	if _, err := c.s.Write(out); err != nil {
		return c.writeFailed(err)
	}
	c.wrote(len(out))
	return nil
}

// wrote counts a frame, and says so when the kernel did not take all of it.
func (c *Conn) wrote(n int) {
	c.count.Writes++
	c.count.BytesWritten += int64(n)
	if c.sends != nil {
		c.sends.note(c.clock.Now())
	}
	if c.OnQueued != nil && c.s.Queued() > 0 {
		c.OnQueued()
	}
}

// maskKey returns a key that nobody can predict, section 5.3: "The masking key
// is a 32-bit value chosen at random by the client", fresh for each frame.
func (c *Conn) maskKey() (key [4]byte) {
	if !c.zeroMask {
		k := c.rand.Uint64()
		key = [4]byte{byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)}
	}
	return key
}

// writeFailed sorts the errors of the stream's writes. After a broken write the
// reading side goes on for what is there: often the peer's close frame, with the
// reason for it all.
func (c *Conn) writeFailed(err error) error {
	switch err {
	case stream.ErrBackPressured:
		c.count.Refused++
		return err
	case stream.ErrTooLarge:
		return err
	}
	if c.writeErr == nil {
		c.writeErr = &CloseError{Code: frame.CloseAbnormal, Sent: c.sent, Err: err}
		c.owed = 0
		if c.err == nil {
			c.gate = c.writeErr
		}
	}
	return c.writeErr
}

// Ping sends a ping with p, at most frame.MaxControlPayload bytes, through the
// stream's reserve for control frames. The errors are Write's. A pong with the
// same payload is to be expected in OnControl.
func (c *Conn) Ping(p []byte) error { return c.userControl(frame.Ping, p) }

// Pong sends a pong that nobody asked for, a one-way heartbeat (section 5.5.3).
// Pings are answered without it. See Ping.
func (c *Conn) Pong(p []byte) error { return c.userControl(frame.Pong, p) }

func (c *Conn) userControl(op frame.Opcode, p []byte) error {
	if c == nil {
		return ErrNotConnected
	}
	if c.gate != nil {
		return c.gate
	}
	if len(p) > frame.MaxControlPayload {
		return fmt.Errorf("ws: %v of %d bytes, limit %d", op, len(p), frame.MaxControlPayload)
	}
	if c.owed > 0 { // what the protocol demands goes first
		if err := c.sendOwed(); err != nil {
			return err
		}
	}
	err := c.sendControl(op, p)
	c.owed = 0
	return err
}

// sendControl encodes a control frame and sends it. When the stream refuses it
// the frame stays owed.
func (c *Conn) sendControl(op frame.Opcode, p []byte) error {
	h := frame.Header{Fin: true, Opcode: op, Masked: true, Key: c.maskKey(), Length: uint64(len(p))}
	start := len(frame.AppendHeader(c.ctl[:0], h))
	frame.MaskCopy(c.ctl[start:], p, h.Key, 0)
	c.owed = start + len(p)
	err := c.sendOwed()
	if c.owed > 0 && c.OnQueued != nil {
		c.OnQueued()
	}
	return err
}

func (c *Conn) sendOwed() error {
	n := c.owed
	switch _, err := c.s.WriteControl(c.ctl[:n]); err {
	case nil:
	case stream.ErrBackPressured:
		return err // it is kept, not refused
	default:
		return c.writeFailed(err)
	}
	c.owed = 0
	c.wrote(n)
	return nil
}

// Flush offers what is queued to the kernel, and then sends the pong or the close
// frame that did not fit before. Call it when the stream is writable. nil:
// nothing is left. stream.ErrWouldBlock: something is. Any other error is as in
// Write. It also works after the end, for the close frame that answers it.
func (c *Conn) Flush() error {
	if c == nil {
		return ErrNotConnected
	}
	if c.writeErr != nil {
		return c.writeErr
	}
	err := c.s.Flush()
	if err != nil && err != stream.ErrWouldBlock {
		return c.writeFailed(err)
	}
	if c.owed > 0 {
		if err := c.sendOwed(); err == stream.ErrBackPressured || err == stream.ErrTooLarge {
			return stream.ErrWouldBlock
		} else if err != nil {
			return err
		}
	}
	if c.s.Queued() > 0 {
		return stream.ErrWouldBlock
	}
	return nil
}

// Queued is how many bytes were accepted and not yet taken by the kernel, and of
// a pong or close frame that waits for room.
func (c *Conn) Queued() int { return c.s.Queued() + c.owed }
