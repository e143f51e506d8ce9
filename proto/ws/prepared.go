package ws

import (
	"bytes"
	"fmt"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Prepared is a message that was made once and is sent many times, on any number
// of connections: a subscription, an application's heartbeat. It is never changed
// and may be used by any goroutine.
type Prepared struct {
	op frame.Opcode
	// frame is the whole frame with the mask key 0; the payload begins at start.
	frame []byte
	start int
}

// Prepare makes a message of the kind op, frame.Text or frame.Binary. payload is
// copied; a text should be valid UTF-8, which is not checked.
func Prepare(op frame.Opcode, payload []byte) (*Prepared, error) {
	if err := checkData("Prepare", op); err != nil {
		return nil, err
	}
	head := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: op, Masked: true, Length: uint64(len(payload))})
	return &Prepared{op: op, frame: bytes.Join([][]byte{head, payload}, nil), start: len(head)}, nil
}

// Payload is the message; it must not be changed.
func (p *Prepared) Payload() []byte { return p.frame[p.start:] }

// WritePrepared sends p, uncompressed also where compression was agreed on. With
// Options.ZeroMask the frame goes to the stream as it is, without being copied;
// otherwise it is masked with a fresh key, as every frame must be (RFC 6455, section
// 5.3). The errors are Write's; it does not allocate unless p is larger than what
// the scratch memory has held so far.
func (c *Conn) WritePrepared(p *Prepared) error {
	if err := c.writable(); err != nil {
		return err
	}
	if !c.zeroMask {
		return c.writeFrame(frame.Header{Fin: true, Opcode: p.op}, p.Payload())
	}
	if _, err := c.s.Write(p.frame); err != nil {
		return c.writeFailed(err)
	}
	c.wrote(len(p.frame))
	return nil
}

// checkData refuses what is no kind of message.
func checkData(method string, op frame.Opcode) error {
	if op != frame.Text && op != frame.Binary {
		return fmt.Errorf("ws: %s takes text and binary messages, not a %v frame", method, op)
	}
	return nil
}
