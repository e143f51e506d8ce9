package endpoint

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// webSocketHot is the Hot of a WebSocket: it moves events between the reactor,
// the ws.Conn and the user's methods, and keeps the connection's timers.
type webSocketHot struct {
	w  *WebSocket
	c  *ws.Conn
	at Attachment

	// Times at which something is to be done; 0: nothing is.
	closeBy int64 // the close handshake must be over
	pingAt  int64 // the next ping
	pongBy  int64 // the answer to the last one must have come

	pingEvery, pongWithin time.Duration
	pingSent              int64
	ping                  [8]byte // payload of the last ping: a count
	roundTrip             time.Duration

	recordAge func(ns int64) // nil: reads are not stamped
	aged      int64          // ws.Counters.Reads when it was called last

	clock       clock.Clock    // of Conn.Received
	recordDelay func(ns int64) // nil: nobody wants to know
	delayed     int64          // as aged
}

func (h *webSocketHot) Source() stream.Source { return h.c.Stream().Source() }

// LocalAddr implements stream.Addressed.
func (h *webSocketHot) LocalAddr() (a netip.AddrPort) {
	if s, ok := h.c.Stream().(stream.Addressed); ok {
		a = s.LocalAddr()
	}
	return a
}

// RemoteAddr implements stream.Addressed.
func (h *webSocketHot) RemoteAddr() (a netip.AddrPort) {
	if s, ok := h.c.Stream().(stream.Addressed); ok {
		a = s.RemoteAddr()
	}
	return a
}

func (h *webSocketHot) OnAttach(at Attachment) error {
	h.at = at
	h.c.Lend(at.Scratch())
	h.c.SetID(at.ID())
	h.c.OnQueued = at.WantWrite
	h.c.OnClosing = h.closing
	h.c.OnRenewed = at.Ready
	if h.w.onControl != nil || h.pingEvery > 0 {
		h.c.OnControl = h.control
	}
	if !at.Next() {
		h.w.timer = 0 // of a connection that was lost
		h.OnPromote()
	}
	if h.pingEvery > 0 {
		h.pingAt = at.Now() + int64(h.pingEvery)
		h.arm()
	}
	if h.w.onOpen != nil {
		return h.user(h.w.onOpen(h.c))
	}
	return nil
}

// OnPromote implements Promoter.
func (h *webSocketHot) OnPromote() {
	h.w.conn, h.w.hot = h.c, h
	h.arm()
}

// OnDetach implements Detacher: the endpoint forgets the connection.
func (h *webSocketHot) OnDetach() {
	if h.w.hot == h {
		h.w.conn, h.w.hot = nil, nil
	}
}

func (h *webSocketHot) OnReady() (more bool, err error) {
	c := h.c
	_, err = c.Fill()
	if c.HasNext() {
		if h.recordAge != nil {
			h.age()
		}
		if h.recordDelay != nil {
			h.delay()
		}
		if err := h.user(h.w.onData(c)); err != nil {
			return false, err
		}
		err = nil
	}
	// What the user left, or what ended the connection behind the last message,
	// comes in the next turn.
	more = c.Buffered()
	if !more {
		if e := c.Err(); e != nil {
			return false, e
		}
	}
	c.Release()
	return more, err
}

func (h *webSocketHot) OnWritable() error {
	if err := h.c.Flush(); err != nil {
		return err
	}
	if h.w.onWritable != nil {
		return h.user(h.w.onWritable(h.c))
	}
	return nil
}

func (h *webSocketHot) OnTimer(now int64) error {
	if due(h.closeBy, now) {
		h.closeBy = 0
		h.c.Expire(now)
		if err := h.c.Err(); err != nil {
			return err
		}
	}
	if due(h.pongBy, now) {
		return ErrPongTimeout
	}
	if due(h.pingAt, now) {
		if err := h.sendPing(now); err != nil {
			return err
		}
	}
	if due(h.userTimer(), now) {
		h.w.timer = 0
		if h.w.onTimer != nil {
			if err := h.user(h.w.onTimer(h.c, now)); err != nil {
				return err
			}
		}
	}
	h.arm()
	return nil
}

// sendPing sends the next ping. When there is no room for it the peer is not
// reading: the answer is waited for all the same.
func (h *webSocketHot) sendPing(now int64) error {
	binary.BigEndian.PutUint64(h.ping[:], binary.BigEndian.Uint64(h.ping[:])+1)
	h.pingAt, h.pingSent, h.pongBy = 0, now, now+int64(h.pongWithin)
	switch err := h.c.Ping(h.ping[:]); err {
	case nil, stream.ErrBackPressured:
		return nil
	case ws.ErrClosing:
		h.pongBy = 0 // the close deadline takes over
		return nil
	default:
		return err
	}
}

// control sees the control frames received.
func (h *webSocketHot) control(m ws.Control) {
	if m.Op == frame.Pong && h.pongBy != 0 && string(m.Payload) == string(h.ping[:]) {
		now := h.c.Received()
		h.roundTrip = time.Duration(max(now-h.pingSent, 0))
		h.pongBy, h.pingAt = 0, now+int64(h.pingEvery)
		h.arm()
	}
	if h.w.onControl != nil {
		h.w.onControl(h.c, m)
	}
}

// closing is told that our close frame is on its way, whoever sent it.
func (h *webSocketHot) closing() {
	h.closeBy = h.c.CloseDeadline()
	h.pingAt, h.pongBy = 0, 0
	h.arm()
}

func (h *webSocketHot) Close(int64) error {
	h.c.Close(frame.CloseNormal, "")
	return h.c.Err()
}

// Discard runs on a housekeeping goroutine; nobody else holds the connection.
func (h *webSocketHot) Discard() { h.c.Discard() }

func (h *webSocketHot) Queued() int { return h.c.Queued() }

func (h *webSocketHot) Meter() (messages, bytes int64) {
	n := h.c.Counters()
	return n.Messages, n.BytesRead
}

// Stamped implements Stamped.
func (h *webSocketHot) Stamped() bool { return h.c.Stamped() }

// RecordAge implements Stamped.
func (h *webSocketHot) RecordAge(record func(ns int64)) { h.recordAge = record }

// age records once a read how long ago the kernel received it. Messages that the
// handler has left for a later turn say nothing about the way to it.
func (h *webSocketHot) age() {
	reads := h.c.Counters().Reads
	if reads == h.aged {
		return
	}
	h.aged = reads
	if at := h.c.KernelTime(); at != 0 {
		h.recordAge(clock.Nano() - at)
	}
}

// Traffic implements TrafficMeter.
func (h *webSocketHot) Traffic() Traffic {
	n := h.c.Counters()
	return Traffic{Reads: n.Reads, Sent: n.Writes, BytesSent: n.BytesWritten, Refused: n.Refused}
}

// RecordDelay implements Timed.
func (h *webSocketHot) RecordDelay(record func(ns int64)) { h.recordDelay = record }

// delay records once a read how long ago it ended.
func (h *webSocketHot) delay() {
	if reads := h.c.Counters().Reads; reads != h.delayed {
		h.delayed = reads
		h.recordDelay(h.clock.Now() - h.c.Received())
	}
}

// userTimer is what SetTimer has set, for the current connection.
func (h *webSocketHot) userTimer() int64 {
	if h.w.hot != h {
		return 0
	}
	return h.w.timer
}

func due(at, now int64) bool { return at != 0 && now >= at }

// arm sets the one timer of the connection to the earliest of its uses.
func (h *webSocketHot) arm() {
	at := int64(0)
	for _, t := range [...]int64{h.userTimer(), h.closeBy, h.pingAt, h.pongBy} {
		if t != 0 && (at == 0 || t < at) {
			at = t
		}
	}
	h.at.SetTimer(at)
}

// user marks an error of the user's own code and tells the peer. A write refused
// because the connection is closing is none: the orderly end goes on.
func (h *webSocketHot) user(err error) error {
	if err == nil {
		return nil
	}
	if e := h.c.Err(); e != nil && errors.Is(err, e) {
		return e // OnData handed the connection's own end on
	}
	if h.c.CloseDeadline() != 0 && errors.Is(err, ws.ErrClosing) {
		return h.c.Err()
	}
	code := frame.CloseNormal
	var own interface{ CloseCode() frame.CloseCode }
	if errors.As(err, &own) {
		code = own.CloseCode()
	}
	h.c.Close(code, "")
	return ByUser(err)
}
