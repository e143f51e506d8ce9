// Package imported makes recordings (package tape) of what was not recorded by a
// reactor: the segments of a network capture, or the lines of a feed. Such a recording
// replays: a set-up that asks for nothing, then a turn of the reactor for each read.
//
// # What is made up
//
// A turn for each segment, the phases of the set-up, the reactor and its clock, which
// runs from a second before the first segment. The randomness of each connection begins
// with the recorded Sec-WebSocket-Key, so that a WebSocket endpoint sends that key again
// and the recorded answer fits it. Masks are not those of then, so writes are not compared:
// each connection has a mark of missing bytes, of none, which says so.
package imported

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// Emit takes a record, which is valid until it returns.
type Emit func(*tape.Record) error

// Conn is a connection of an import.
type Conn struct {
	Endpoint string // a name; connections of one name are those of one endpoint
	Target   string // "tcp://host:port" or "tls://host:port"
	Peer     tape.Peer
}

// Segment is what one side has sent at a time.
type Segment struct {
	Wall int64 // CLOCK_REALTIME, in nanoseconds
	Sent bool  // by the client, whose side is recorded
	Data []byte
	Lost int64 // so many bytes are missing before it
}

// Errors of an import.
var (
	ErrOrder = errors.New("imported: a segment is older than the one before it")
	ErrHead  = errors.New("imported: the connection does not begin with the upgrade of a WebSocket")
)

// Recorder makes the records. Connections may be interleaved: each method has the time,
// which must not go back.
type Recorder struct {
	emit   Emit
	start  int64 // Wall of clock 0
	last   int64
	seq    uint64
	turn   uint64
	slots  map[string]uint32
	opened uint32
}

// clockStart is what the clock says at the first segment: a second.
const clockStart = 1_000_000_000

// New begins a recording of a reactor of a name at a time.
func New(reactor string, wall int64, emit Emit) (*Recorder, error) {
	r := &Recorder{emit: emit, start: wall - clockStart, last: wall, slots: make(map[string]uint32)}
	return r, r.put(&tape.Record{Kind: tape.KindBegin, Flags: tape.Setup, Text: []byte(reactor), Arg: r.start, Data: make([]byte, 32)})
}

func (r *Recorder) put(rec *tape.Record) error {
	r.seq++
	rec.Seq, rec.At = r.seq, r.last-r.start
	if rec.Flags&tape.Setup == 0 {
		rec.Turn, rec.Begin = r.turn, rec.At
	}
	return r.emit(rec)
}

// next begins a turn at a time.
func (r *Recorder) next(wall int64) error {
	if wall < r.last {
		return fmt.Errorf("%w: by %d ns", ErrOrder, r.last-wall)
	}
	r.last = wall
	r.turn++
	return nil
}

// Stream is a connection that is being imported.
type Stream struct {
	r         *Recorder
	conn      *Conn
	num, slot uint32
	request   []byte
	answer    []byte
	open      bool
	ended     bool
}

// Connect begins a connection.
func (r *Recorder) Connect(c *Conn, wall int64) (*Stream, error) {
	if err := r.next(wall); err != nil {
		return nil, err
	}
	slot, known := r.slots[c.Endpoint]
	if !known {
		slot = uint32(len(r.slots))
		r.slots[c.Endpoint] = slot
		if err := r.put(&tape.Record{Kind: tape.KindRegister, Slot: slot, Text: []byte(c.Endpoint)}); err != nil {
			return nil, err
		}
	}
	r.opened++
	s := &Stream{r: r, conn: c, num: r.opened, slot: slot}
	err := s.put(&tape.Record{Kind: tape.KindRetryAt, Arg: wall - r.start})
	return s, errors.Join(err, s.put(&tape.Record{Kind: tape.KindConnect, Text: []byte(c.Endpoint), Arg: int64(s.num)}))
}

func (s *Stream) put(rec *tape.Record) error {
	rec.Slot = s.slot
	if rec.Kind != tape.KindRetryAt {
		rec.Conn = s.num
	}
	return s.r.put(rec)
}

// maxHead bounds request and answer of an upgrade, in bytes.
const maxHead = 1 << 20

// Segment takes what was sent. The upgrade may come in any pieces. ErrHead: it is none.
func (s *Stream) Segment(g *Segment) error {
	if s.ended {
		return fmt.Errorf("imported: connection %d has ended", s.num)
	}
	if !s.open {
		return s.head(g)
	}
	if err := s.r.next(g.Wall); err != nil {
		return err
	}
	if g.Lost > 0 {
		missing := tape.Record{Kind: tape.KindMissing, Arg: g.Lost}
		if g.Sent {
			missing.Arg, missing.Arg2 = 0, g.Lost
		}
		if err := s.put(&missing); err != nil {
			return err
		}
	}
	kind := tape.KindRead
	if g.Sent {
		kind = tape.KindWrite
	}
	return s.put(&tape.Record{Kind: kind, Data: g.Data})
}

// head gathers the upgrade.
func (s *Stream) head(g *Segment) error {
	if g.Lost > 0 {
		return fmt.Errorf("%w: %d bytes of it are missing", ErrHead, g.Lost)
	}
	if g.Sent {
		s.request = append(s.request, g.Data...)
	} else {
		s.answer = append(s.answer, g.Data...)
	}
	for _, p := range []struct {
		head  []byte
		begin string
	}{{s.request, "GET "}, {s.answer, "HTTP/1.1 101 "}} {
		n := min(len(p.head), len(p.begin))
		if string(p.head[:n]) != p.begin[:n] {
			return fmt.Errorf("%w: %.40q", ErrHead, p.head)
		}
		if len(p.head) > maxHead {
			return fmt.Errorf("%w: more than %d bytes", ErrHead, maxHead)
		}
	}
	end := []byte("\r\n\r\n")
	if !bytes.Contains(s.request, end) || !bytes.Contains(s.answer, end) {
		return nil
	}
	return s.upgraded(g.Wall)
}

// upgraded records the set-up: all of it at the time at which it was complete.
func (s *Stream) upgraded(wall int64) error {
	key, err := keyOf(s.request)
	if err != nil {
		return err
	}
	peer, err := json.Marshal(&s.conn.Peer)
	if err != nil {
		return err
	}
	if err := s.r.next(wall); err != nil {
		return err
	}
	states := []endpoint.State{endpoint.Resolving, endpoint.Connecting}
	if strings.HasPrefix(s.conn.Target, "tls:") {
		states = append(states, endpoint.Securing)
	}
	all := []tape.Record{{Kind: tape.KindSeed, Text: []byte("values"), Data: key}}
	for _, state := range states {
		all = append(all, tape.Record{Kind: tape.KindEnter, Arg: int64(state)})
	}
	states = append(states, endpoint.Upgrading)
	all = append(all,
		tape.Record{Kind: tape.KindDialed, Text: []byte(s.conn.Target), Data: peer, Arg: stream.DefaultQueueBound},
		tape.Record{Kind: tape.KindEnter, Arg: int64(endpoint.Upgrading)},
		tape.Record{Kind: tape.KindMissing},
		tape.Record{Kind: tape.KindWrite, Data: s.request},
		tape.Record{Kind: tape.KindRead, Data: s.answer})
	for i := range all {
		all[i].Flags = tape.Setup
	}
	for _, state := range states {
		all = append(all, tape.Record{Kind: tape.KindPhase, Arg: int64(state)})
	}
	all = append(all, tape.Record{Kind: tape.KindMissing}, tape.Record{Kind: tape.KindOutcome})
	for i := range all {
		if err := s.put(&all[i]); err != nil {
			return err
		}
	}
	s.open, s.request, s.answer = true, nil, nil
	return nil
}

// End ends the connection: reads from then on say why, nil: the peer has closed it.
func (s *Stream) End(wall int64, why error) error {
	if s.ended || !s.open {
		s.ended = true
		return nil
	}
	s.ended = true
	if err := s.r.next(wall); err != nil {
		return err
	}
	reason := tape.Error{Class: tape.EOF}
	if why != nil {
		reason = tape.ErrorOf(why)
	}
	if err := s.put(&tape.Record{Kind: tape.KindRead, Err: reason}); err != nil {
		return err
	}
	text := "closed by the peer"
	if why != nil {
		text = why.Error()
	}
	err := s.put(&tape.Record{Kind: tape.KindLost, Text: []byte(text)})
	return errors.Join(err, s.put(&tape.Record{Kind: tape.KindClose, Flags: tape.Setup}))
}

// keyOf is the 16 bytes of the Sec-WebSocket-Key of an upgrade.
func keyOf(head []byte) ([]byte, error) {
	for line := range strings.SplitSeq(string(head), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		if textproto.CanonicalMIMEHeaderKey(name) == "Sec-Websocket-Key" {
			key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
			if err != nil || len(key) != 16 {
				return nil, fmt.Errorf("%w: a Sec-WebSocket-Key of %q, not of 16 bytes in base64", ErrHead, strings.TrimSpace(value))
			}
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: there is no Sec-WebSocket-Key", ErrHead)
}

// accept is the answer to a key, RFC 6455, section 4.2.2.
func accept(key []byte) string {
	sum := sha1.Sum([]byte(base64.StdEncoding.EncodeToString(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// documentation are the addresses of peers that nobody knows, RFC 5737.
var documentation = tape.Peer{
	Local: netip.MustParseAddrPort("192.0.2.1:49152"), Remote: netip.MustParseAddrPort("192.0.2.2:80"), Layer: tape.Plain,
}
