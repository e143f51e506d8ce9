package exchange

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

const (
	// echoLimit is the longest message that /echo takes, in bytes.
	echoLimit = 64 << 20
	// echoPiece is the longest message that /echo holds back until it is complete.
	// A longer one comes back in fragments of this size while it arrives.
	echoPiece = 1 << 20
	// requestLimit is the longest message that a market path takes, in bytes.
	requestLimit = 64 << 10
)

// enter begins what the path asked for; false: the connection has ended.
func (c *conn) enter() bool {
	switch {
	case c.request.feed:
		c.playTape()
	case len(c.request.names) > 0 && c.srv.tape != nil:
		c.playTape()
	case len(c.request.names) > 0:
		if err := c.srv.market.join(c, c.request.names); err != nil {
			c.sendClose(frame.ClosePolicyViolation, err.Error())
		}
	}
	return !c.out.isDead()
}

// read serves the client's frames until the connection ends. before is what came
// behind the upgrade request.
func (c *conn) read(before []byte) {
	in := &inbox{
		in:        io.MultiReader(bytes.NewReader(before), c.net),
		buf:       make([]byte, inboxSize),
		limit:     requestLimit,
		pieceSize: requestLimit,
		onPiece:   c.onRequest,
		onControl: c.onControl,
	}
	if c.request.echo {
		in.limit, in.pieceSize = echoLimit, echoPiece
		e := &echo{conn: c}
		in.onPiece = e.onPiece
	}
	if c.request.zip != nil {
		in.zip = &inflater{}
	}
	err := in.run()
	var violation *closeError
	if errors.As(err, &violation) && !c.closing.Load() {
		c.sendClose(violation.code, violation.reason)
		c.out.final(c.finish)
	}
	if errors.Is(err, errClosed) || violation != nil {
		// What still comes is of no interest, but reading it makes our end a
		// FIN, not a reset.
		_, _ = io.Copy(io.Discard, c.sock)
	}
}

// errClosed ends reading: the client sent a close frame.
var errClosed = errors.New("exchange: closed by the client")

// onControl answers control frames (RFC 6455, section 5.5).
func (c *conn) onControl(op frame.Opcode, payload []byte) error {
	switch op {
	case frame.Ping:
		if !c.stalled.Load() {
			c.control(frame.Pong, payload)
		}
	case frame.Pong:
		c.lastPong.Store(clock.Nano())
	case frame.Close:
		code, _, err := frame.ParseClose(payload)
		if err != nil {
			return err
		}
		c.srv.stats.clientClose(code)
		if !c.closing.Swap(true) {
			c.srv.market.leave(c)
			c.killAt.Store(clock.Nano() + int64(endTime))
			c.control(frame.Close, frame.AppendClose(nil, code, ""))
		}
		c.out.final(c.finish)
		return errClosed
	}
	return nil
}

// echo answers each message with itself.
type echo struct {
	conn *conn
	open bool // a fragment was sent, the message goes on
	buf  []byte
}

func (e *echo) onPiece(op frame.Opcode, piece []byte, last bool) error {
	h := frame.Header{Fin: last, Opcode: op, Length: uint64(len(piece))}
	if e.open {
		h.Opcode = frame.Continuation
	}
	e.open = !last
	e.buf = append(frame.AppendHeader(e.buf[:0], h), piece...)
	var ends []int
	if last {
		ends = []int{len(e.buf)}
	}
	switch err := e.conn.out.putWrite(e.buf, ends, e.conn.write); err {
	case nil:
		if last {
			e.conn.srv.stats.echoed.Add(1)
		}
	case errEnded: // what comes is read and dropped
	case errSlow:
		e.conn.abort(dropSlow)
	default:
		e.conn.abort("write")
	}
	return nil
}

// limiter counts a client's messages by the second.
type limiter struct {
	second int64
	count  int
}

func (l *limiter) over(limit int, now int64) bool {
	if limit == 0 {
		return false
	}
	if second := now / int64(time.Second); second != l.second {
		l.second, l.count = second, 0
	}
	l.count++
	return l.count > limit
}
