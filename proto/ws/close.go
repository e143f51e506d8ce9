package ws

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Close starts the close handshake: it sends a close frame with the code and the
// reason, which is UTF-8 of at most frame.MaxCloseReason (123) bytes.
// frame.CloseNoStatus sends one without a body. From then on writes answer
// ErrClosing; data is still delivered until the peer's close frame ends the
// connection, or CloseDeadline has passed and Expire ends it.
//
// A close frame for which there is no room now is sent by Flush. A code that may
// not be sent and a bad reason are refused and change nothing. Closing twice
// answers ErrClosing, closing what has ended its *CloseError.
func (c *Conn) Close(code frame.CloseCode, reason string) error {
	switch {
	case c == nil:
		return ErrNotConnected
	case c.gate != nil:
		return c.gate
	case !code.OnWire() && code != frame.CloseNoStatus:
		return fmt.Errorf("ws: close code %d must not be sent: use 1000–1003, 1007–1014 or 3000–4999", uint16(code))
	case code == frame.CloseNoStatus && reason != "":
		return errors.New("ws: a close reason needs a code")
	case len(reason) > frame.MaxCloseReason:
		return fmt.Errorf("ws: close reason of %d bytes, limit %d", len(reason), frame.MaxCloseReason)
	case !utf8.ValidString(reason):
		return fmt.Errorf("ws: close reason %q is not valid UTF-8", reason)
	}
	if err := c.sendClose(code, reason); err != nil && c.writeErr != nil {
		return err
	}
	return nil
}

// sendClose sends our only close frame, or leaves it owed. 5.5.1: "The
// application MUST NOT send any more data frames after sending a Close frame."
func (c *Conn) sendClose(code frame.CloseCode, reason string) error {
	var body [frame.MaxControlPayload]byte
	c.closeSent = true
	c.gate = ErrClosing
	c.deadline = c.clock.Now() + int64(c.timeout)
	err := c.sendControl(frame.Close, frame.AppendClose(body[:0], code, reason))
	if c.writeErr == nil {
		c.sent = code
	}
	if c.OnClosing != nil {
		c.OnClosing()
	}
	return err
}

// CloseDeadline is when a connection that sends or has answered a close frame is
// to be given up, in nanoseconds of the clock; 0 while there was none. Before the
// end call Expire then; after it the stream should be closed by then, flushed or
// not. The server closes it first if it follows the RFC, section 7.1.1.
func (c *Conn) CloseDeadline() int64 { return c.deadline }

// Expire ends the connection with ErrCloseTimeout when CloseDeadline is not
// after now and the peer's close frame is still missing.
func (c *Conn) Expire(now int64) {
	if c.err == nil && c.deadline != 0 && now >= c.deadline {
		c.end(&CloseError{Code: frame.CloseAbnormal, Sent: c.sent, Err: ErrCloseTimeout})
	}
}

// fail is RFC 6455's "Fail the WebSocket Connection", section 7.1.7: it tells the
// peer why with a close frame, if none was sent yet, and ends the connection.
func (c *Conn) fail(e frame.Error, detail string) {
	if !c.closeSent && c.writeErr == nil {
		_ = c.sendClose(e.CloseCode(), strings.TrimPrefix(e.Error(), "ws: "))
	}
	var err error = e
	if detail != "" {
		err = fmt.Errorf("%w: %s", e, detail)
	}
	c.end(&CloseError{Code: e.CloseCode(), Sent: c.sent, Err: err})
}

// lost ends a connection whose stream has ended without a close frame, section
// 7.1.5: the code "is considered to be 1006".
func (c *Conn) lost() {
	err := c.readErr
	switch {
	case c.writeErr != nil:
		err = c.writeErr.Err // it broke there first
	case err == io.EOF && (c.open || c.r < c.w):
		err = fmt.Errorf("%w inside a message", io.ErrUnexpectedEOF)
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	c.end(&CloseError{Code: frame.CloseAbnormal, Sent: c.sent, Err: err})
}

// end is final. Input that is left is dropped; views stay valid as long as ever.
func (c *Conn) end(e *CloseError) {
	c.err, c.gate = e, e
	c.r = c.w
	c.open, c.inFrame, c.held = false, false, false
	c.dropStash()
	if c.inflater != nil {
		c.inflater.drop()
	}
}

// unsent reports whether something of ours is waiting to be written.
func (c *Conn) unsent() bool { return c.writeErr == nil && (c.owed > 0 || c.s.Queued() > 0) }
