package ws

import (
	"fmt"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// control answers a control frame and shows it to OnControl.
func (c *Conn) control(op frame.Opcode, p []byte) {
	ev := Control{Op: op, Payload: p}
	switch op {
	case frame.Ping:
		c.count.Pings++
		c.pong(p)
	case frame.Pong:
		c.count.Pongs++
	case frame.Close:
		var ok bool
		if ev.Code, ev.Reason, ok = c.peerClose(p); !ok {
			return
		}
	}
	if c.OnControl != nil {
		c.OnControl(ev)
	}
}

// pong answers a ping. Section 5.5.2: "Upon receipt of a Ping frame, an endpoint
// MUST send a Pong frame in response". If it cannot be sent it is owed, and
// replaces an older one, section 5.5.3: "If an endpoint receives a Ping frame and
// has not yet sent Pong frame(s) in response to previous Ping frame(s), the
// endpoint MAY elect to send a Pong frame for only the most recently processed
// Ping frame."
func (c *Conn) pong(p []byte) {
	if c.writeErr != nil || c.closeSent && c.owed > 0 {
		return // nothing can be written, or a close frame waits: nothing goes before it
	}
	_ = c.sendControl(frame.Pong, p) // refused: owed; broken: kept in writeErr
}

// peerClose ends the connection as the peer's close frame says, after answering
// it once. ok is false when the frame is not a valid one.
func (c *Conn) peerClose(p []byte) (code frame.CloseCode, reason []byte, ok bool) {
	code, reason, err := frame.ParseClose(p)
	if err != nil {
		c.fail(err.(frame.Error), fmt.Sprintf("code %d, body of %d bytes", uint16(code), len(p)))
		return 0, nil, false
	}
	remote := !c.closeSent
	if remote && c.writeErr == nil {
		// 5.5.1: "When sending a Close frame in response, the endpoint typically
		// echos the status code it received."
		_ = c.sendClose(code, "")
	}
	c.end(&CloseError{
		Code:   code,
		Reason: string(reason),
		Remote: remote,
		Clean:  c.closeSent && c.writeErr == nil,
		Sent:   c.sent,
	})
	return code, reason, true
}
