package main

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// Tape is a stream.Stream without a descriptor: it plays messages, one each
// interval, as the frames in which a server would send them. What it is written
// is thrown away.
type Tape struct {
	stream.Unqueued // it queues and buffers nothing
	clock           clock.Clock
	interval        time.Duration
	messages        []string
	next            int64  // when the next message is due
	rest            []byte // of a frame for which a Read had no room
	closed          bool
}

// Source implements stream.Stream: no descriptor, the time of the next message instead.
func (t *Tape) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(now int64) int64 {
		if len(t.rest) > 0 || len(t.messages) == 0 {
			return now // at once: more of a frame, or the end
		}
		return t.next
	}}
}

// Read implements stream.Stream.
func (t *Tape) Read(p []byte) (int, error) {
	switch now := t.clock.Now(); {
	case t.closed:
		return 0, net.ErrClosed
	case len(t.rest) > 0:
	case len(t.messages) == 0:
		return 0, io.EOF
	case now < t.next:
		return 0, stream.ErrWouldBlock
	default:
		m := t.messages[0]
		h := frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(m))}
		t.rest = append(frame.AppendHeader(nil, h), m...)
		t.messages, t.next = t.messages[1:], now+int64(t.interval)
	}
	n := copy(p, t.rest)
	t.rest = t.rest[n:]
	return n, nil
}

// Write implements stream.Stream.
func (t *Tape) Write(p []byte) (int, error) { return len(p), nil }

// WriteControl implements stream.Stream.
func (t *Tape) WriteControl(p []byte) (int, error) { return len(p), nil }

// Close implements stream.Stream.
func (t *Tape) Close() error { t.closed = true; return nil }

// Replay is an endpoint whose connection is a tape under a WebSocket.
type Replay struct {
	Interval time.Duration
	Messages []string
	OnData   func(c *ws.Conn) error
}

// Connect implements endpoint.Protocol: nothing to dial, no opening handshake.
func (r *Replay) Connect(_ context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
	t := &Tape{clock: via.Clock, interval: r.Interval, messages: r.Messages}
	return &replayHot{r, ws.New(t, &ws.Options{Clock: via.Clock}, nil)}, nil
}

// OnLoss implements endpoint.LossHandler: a tape is played once.
func (*Replay) OnLoss(*endpoint.LossError) endpoint.Action { return endpoint.Stop }

// replayHot is the reactor's side of a Replay.
type replayHot struct {
	*Replay
	conn *ws.Conn
}

// OnAttach implements endpoint.Attacher.
func (h *replayHot) OnAttach(at endpoint.Attachment) error { h.conn.Lend(at.Scratch()); return nil }

// OnReady makes one read and hands on the messages that it completed.
func (h *replayHot) OnReady() (more bool, err error) {
	defer h.conn.Release() // what is not consumed leaves the memory that was lent
	if _, err := h.conn.Fill(); err != nil && !h.conn.HasNext() {
		return false, err
	}
	if err := h.OnData(h.conn); err != nil {
		return false, err
	}
	return h.conn.Buffered(), h.conn.Err()
}

// Source implements endpoint.Hot.
func (h *replayHot) Source() stream.Source { return h.conn.Stream().Source() }

// OnWritable implements endpoint.Hot; nothing is ever queued.
func (h *replayHot) OnWritable() error { return nil }

// OnTimer implements endpoint.Hot; no timer is ever set.
func (h *replayHot) OnTimer(int64) error { return nil }

// Close implements endpoint.Hot: nobody is there to say goodbye to.
func (h *replayHot) Close(int64) error { return io.EOF }

// Discard implements endpoint.Discarder.
func (h *replayHot) Discard() { _ = h.conn.Discard() }
