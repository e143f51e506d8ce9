package tape

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"math"
	"net"
	"net/netip"

	"github.com/boomnet-go/boomnet/stream"
)

// replayed is a stream whose reads and results come from a recording.
type replayed struct {
	c        *Played
	peer     *Peer
	room     int
	queued   int
	buffered bool
	rest     []byte // of a read for which there was no room
	then     error  // that came with it
	end      error  // of the reading side, once it was given
	stamp    stream.Stamp
	passed   bool // bare: the next read would block
	closed   bool
}

// replayedTLS is one that spoke TLS.
type replayedTLS struct{ *replayed }

var (
	_ stream.Waiter    = (*replayed)(nil)
	_ stream.Detacher  = (*replayed)(nil)
	_ stream.Addressed = (*replayed)(nil)
	_ stream.Stamped   = (*replayed)(nil)
	_ stream.Secured   = replayedTLS{}
)

func (c *Played) newStream(peer *Peer, room int) stream.Stream {
	s := &replayed{c: c, peer: peer, room: room}
	if peer.Version != 0 {
		return replayedTLS{s}
	}
	return s
}

// ConnectionState implements stream.Secured; there are no certificates in it.
func (s replayedTLS) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{HandshakeComplete: true, Version: s.peer.Version, CipherSuite: s.peer.Suite,
		DidResume: s.peer.Resumed, NegotiatedProtocol: s.peer.ALPN, ServerName: s.peer.ServerName}
}

// Read implements stream.Stream: what the next read brought then.
func (s *replayed) Read(p []byte) (int, error) {
	switch {
	case s.closed:
		return 0, net.ErrClosed
	case len(p) == 0:
		return 0, nil
	case len(s.rest) > 0:
		n := copy(p, s.rest)
		s.rest = s.rest[n:]
		s.c.stamped = true // all parts have the one stamp
		var err error
		if len(s.rest) == 0 {
			err, s.then = s.then, nil
		}
		return n, err
	}
	if s.passed {
		s.passed = false
		return 0, stream.ErrWouldBlock
	}
	q := s.c.now()
	rec, ok := s.c.take(&q.reads)
	if !ok {
		switch {
		case s.end != nil:
			return 0, s.end
		case s.c.bare: // nothing more will come: without a reactor all of it is here
			return 0, ErrEnd
		}
		return 0, stream.ErrWouldBlock
	}
	s.queued, s.buffered = int(rec.Arg), rec.Flags&Buffered != 0
	err := rec.Err.Err()
	if len(rec.Data) == 0 {
		if err != stream.ErrWouldBlock {
			s.end = err
		}
		return 0, err
	}
	if len(rec.Text) == stampSize {
		s.stamp = stream.Stamp{Software: int64(binary.LittleEndian.Uint64(rec.Text)), Hardware: int64(binary.LittleEndian.Uint64(rec.Text[8:]))}
	}
	n := copy(p, rec.Data)
	if n < len(rec.Data) {
		s.rest, s.then = append([]byte(nil), rec.Data[n:]...), err
		err = nil
	}
	s.c.stamp, s.c.stamped = rec.At, true
	if s.c.bare {
		s.passed = true
		s.c.player.now.Store(rec.At)
	}
	return n, err
}

// Write implements stream.Stream.
func (s *replayed) Write(p []byte) (int, error) { return s.write(KindWrite, p) }

// WriteControl implements stream.Stream.
func (s *replayed) WriteControl(p []byte) (int, error) { return s.write(KindControl, p) }

// write compares p with what was written then, and answers what was answered.
func (s *replayed) write(kind Kind, p []byte) (int, error) {
	if s.closed {
		return 0, net.ErrClosed
	}
	c := s.c
	q := c.now()
	rec, ok := c.take(&q.writes)
	if !ok {
		if !q.missing {
			c.diverge("something is written that the recording does not have", 0, nil, append([]byte(nil), p...))
		}
		return len(p), nil
	}
	data := rec.Data
	for rec.Flags&More != 0 {
		next, ok := c.take(&q.writes)
		if !ok {
			break
		}
		data = append(data[:len(data):len(data)], next.Data...)
		rec = next
	}
	s.queued = int(rec.Arg)
	if rec.Err.Class != OK {
		if int(rec.Arg2) != len(p) {
			c.diverge("a message of another length is refused", 0, nil, append([]byte(nil), p...))
		}
		return 0, rec.Err.Err()
	}
	switch at := firstDifference(data, p); {
	case q.missing || at < 0 && rec.Kind == kind:
	case at < 0:
		c.diverge("a "+kind.String()+" was a "+rec.Kind.String(), 0, nil, nil)
	default:
		c.diverge("something else is written", at, append([]byte(nil), data...), append([]byte(nil), p...))
	}
	return len(p), nil
}

// Flush implements stream.Stream.
func (s *replayed) Flush() error {
	if s.queued == 0 {
		return nil
	}
	rec, ok := s.c.take(&s.c.now().flushes)
	if !ok {
		return stream.ErrWouldBlock
	}
	s.queued = int(rec.Arg)
	return rec.Err.Err()
}

// Queued implements stream.Stream.
func (s *replayed) Queued() int { return s.queued }

// Room implements stream.Stream: what there was at first less what is queued.
func (s *replayed) Room() int { return max(0, s.room-s.queued) }

// Buffered implements stream.Stream.
func (s *replayed) Buffered() bool { return len(s.rest) > 0 || s.buffered }

// Source implements stream.Stream: the player says when to read.
func (s *replayed) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(int64) int64 { return math.MaxInt64 }}
}

// Close implements stream.Stream.
func (s *replayed) Close() error {
	s.closed = true
	return nil
}

// Wait implements stream.Waiter: it returns at once while there is something to
// read, and as it did then when waiting had failed.
func (s *replayed) Wait(ctx context.Context, write bool) error {
	q := s.c.now()
	if s.closed {
		return net.ErrClosed
	}
	s.passed = false
	ready := len(s.rest) > 0 || len(q.reads) > 0 || s.end != nil || s.c.bare && len(q.waits) == 0
	if write {
		ready = s.queued == 0 || len(q.flushes) > 0 // else it never became writable
	}
	if ready {
		return nil
	}
	if rec, ok := s.c.take(&q.waits); ok {
		return rec.Err.Err()
	}
	return s.c.starve(ctx)
}

// Detach implements stream.Detacher.
func (s *replayed) Detach() error { return nil }

// LocalAddr implements stream.Addressed.
func (s *replayed) LocalAddr() netip.AddrPort { return s.peer.Local }

// RemoteAddr implements stream.Addressed.
func (s *replayed) RemoteAddr() netip.AddrPort { return s.peer.Remote }

// Timestamps implements stream.Stamped.
func (s *replayed) Timestamps() stream.Timestamps { return stream.Timestamps(s.peer.Timestamps) }

// Stamp implements stream.Stamped.
func (s *replayed) Stamp() stream.Stamp { return s.stamp }
