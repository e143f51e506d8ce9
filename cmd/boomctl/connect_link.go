package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// link is one connection of a session, while it stands.
type link struct {
	*session
	c        *ws.Conn
	life     *endpoint.Machine
	fd       int
	writing  bool // the selector watches for room to write
	closing  bool // our close frame was sent
	nextPing int64
	lastPing int64 // when it was sent; its payload; 0: none, or answered
	bytes    int64 // received when it was sent
	silent   bool  // given up for want of an answer
}

// linesPerTurn bounds what is sent between two reads.
const linesPerTurn = 1024

// serve drives the connection to its end, and returns that. Nothing in a turn
// waits but the selector, and the output when a slow reader has let it fill up.
//
//	read ──→ print ──→ over? close ──→ flush, send lines ──→ ping ──→ wait
func (l *link) serve(ctx context.Context) error {
	l.fd = l.c.Stream().Source().FD
	if err := l.sel.Add(l.fd, 0); err != nil {
		return err
	}
	defer func() { _ = l.sel.Remove(l.fd) }() // closed next anyway
	l.c.OnControl = l.control
	l.armPing(clock.Nano(), l.cmd.Latency)

	for {
		if !l.closing && l.out.full() {
			l.out.await(ctx.Done())
		}
		n, _ := l.c.Fill() // an end is Err's
		l.take(n > 0)
		if l.out.flush(); l.out.err != nil {
			l.outputFailed()
		}
		if err := l.c.Err(); err != nil {
			l.linger()
			return err
		}
		if ctx.Err() != nil {
			l.finish(endOf(ctx))
		}
		now := clock.Nano()
		if l.over && !l.closing {
			l.closing = true
			_ = l.c.Close(frame.CloseNormal, "") // a broken stream is Err's
		}
		l.c.Expire(now)
		if l.c.Queued() > 0 {
			_ = l.c.Flush() // likewise
		}
		more := !l.closing && l.send()
		if !l.closing {
			if l.ping(now); l.silent {
				return &ws.CloseError{Code: frame.CloseAbnormal, Err: fmt.Errorf("%w, %v ago", errSilent, l.cmd.Ping)}
			}
		}
		if n > 0 || more || l.c.Buffered() || l.c.Err() != nil || l.over && !l.closing {
			continue
		}
		if err := l.wait(now, l.nextPing); err != nil {
			return err
		}
	}
}

// take prints the messages of one read. What comes after the session is over is
// dropped. fresh: there was a read.
func (l *link) take(fresh bool) {
	for {
		m, ok := l.c.Next()
		if !ok {
			return
		}
		if l.over {
			continue
		}
		kernel := l.c.KernelTime()
		if fresh && kernel != 0 {
			fresh = false
			l.latency.read(clock.Nano() - kernel)
		}
		l.life.Data(l.c.Received())
		l.note(m, l.c.Received(), kernel)
	}
}

func (l *link) outputFailed() {
	if l.out.err == errOutputClosed {
		l.finish(errOutputClosed.Error())
		return
	}
	l.fail(l.out.err)
}

// send sends lines while there is room, and reports whether it should be called
// again without a wait.
func (l *link) send() (more bool) {
	for range linesPerTurn {
		if l.c.Queued() >= maxQueued {
			return false // wait calls again when the queue is shorter
		}
		line, ok := l.in.peek()
		if !ok {
			if l.in.err != nil {
				l.fail(l.in.err)
			} else if l.in.done && !l.reported {
				l.reported = true
				l.say.status("end of standard input after %d lines", l.in.number)
			}
			return false
		}
		if l.c.WriteText(line) != nil {
			return false // back-pressure, or an end that Err tells: the line stays
		}
		l.in.drop()
	}
	return true
}

// wait waits for input, for room to write if that is wanted, for lines, for the
// output, for the end of the session, and at most until the deadline of the close
// handshake and until due, if they are not 0.
func (l *link) wait(now, due int64) error {
	if want := l.c.Queued() > 0; want != l.writing {
		if err := l.sel.Write(l.fd, 0, want); err != nil {
			return err
		}
		l.writing = want
	}
	limit := longWait
	for _, at := range []int64{l.c.CloseDeadline(), due} {
		if at != 0 {
			limit = min(limit, max(time.Duration(at-now), 0))
		}
	}
	var events [1]selector.Event
	_, err := l.sel.Wait(events[:], limit)
	return err
}

// armPing plans the next ping.
func (l *link) armPing(now int64, atOnce bool) {
	every := l.cmd.Ping
	if every == 0 && l.cmd.Latency {
		every = time.Second
	}
	switch {
	case every == 0:
		l.nextPing = 0
	case atOnce:
		l.nextPing = now
	default:
		l.nextPing = now + int64(every)
	}
}

// ping sends a ping when it is due. With --ping the connection is given up when
// nothing at all has arrived since the one before.
func (l *link) ping(now int64) {
	if l.nextPing == 0 || now < l.nextPing {
		return
	}
	l.armPing(now, false)
	read := l.c.Counters().BytesRead
	if l.cmd.Ping > 0 && l.lastPing != 0 && read == l.bytes {
		l.silent = true
		return
	}
	var payload [8]byte
	binary.BigEndian.PutUint64(payload[:], uint64(now))
	if l.c.Ping(payload[:]) == nil { // no room: the next one, then
		l.lastPing, l.bytes = now, read
	}
}

// control measures the answer to our last ping.
func (l *link) control(m ws.Control) {
	if m.Op != frame.Pong || len(m.Payload) != 8 || l.lastPing == 0 {
		return
	}
	if sent := int64(binary.BigEndian.Uint64(m.Payload)); sent == l.lastPing {
		l.latency.ping(l.c.Received() - sent)
		l.lastPing = 0
	}
}

// linger gives our close frame the time to reach the peer. RFC 6455, section
// 7.1.1: the server closes the TCP connection first. Closing it here while the
// peer still sends would reset it, and what we said last could be lost.
func (l *link) linger() {
	deadline := l.c.CloseDeadline()
	if deadline == 0 {
		return
	}
	deadline = min(deadline, clock.Nano()+int64(closeTimeout)/2)
	s := l.c.Stream()
	scrap := make([]byte, readChunk)
	for now := clock.Nano(); now < deadline; now = clock.Nano() {
		if err := l.c.Flush(); err != nil && err != stream.ErrWouldBlock {
			return
		}
		_, err := s.Read(scrap)
		if err == nil {
			continue
		}
		if err != stream.ErrWouldBlock || l.wait(now, deadline) != nil {
			return
		}
	}
}
