package ws

import (
	"fmt"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// WriteFragment sends p as the next frame of a message of the kind op, frame.Text or
// frame.Binary, that is sent in pieces (RFC 6455, section 5.4): fin says that it is
// the last one. op is the same for all of them. A text may be cut inside a rune.
// Pieces may be empty, and are not compressed.
//
// Until the last piece was sent, other messages are answered with ErrFragmented;
// Ping, Pong, and Close, which gives the message up, go between the pieces. Fill and
// Next work as ever. The errors are Write's: after stream.ErrBackPressured and
// stream.ErrTooLarge the same piece may be tried again.
func (c *Conn) WriteFragment(op frame.Opcode, p []byte, fin bool) error {
	if err := checkData("WriteFragment", op); err != nil {
		return err
	}
	h := frame.Header{Fin: fin, Opcode: op}
	switch {
	case c == nil:
		return ErrNotConnected
	case c.gate != nil:
		return c.gate
	case c.fragments == op:
		h.Opcode = frame.Continuation
	case c.fragments != 0:
		return fmt.Errorf("ws: %v fragment inside a %v message", op, c.fragments)
	case c.limited():
		return ErrRateLimited
	}
	if err := c.writeFrame(h, p); err != nil {
		return err
	}
	if c.fragments = op; fin {
		c.fragments = 0
	}
	return nil
}
