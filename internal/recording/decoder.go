package recording

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Op is what a message is.
type Op string

// The kinds of messages. The first five are of WebSocket.
const (
	Text     Op = "text"
	Binary   Op = "binary"
	Ping     Op = "ping"
	Pong     Op = "pong"
	Close    Op = "close"
	Request  Op = "request"  // the head of an upgrade
	Response Op = "response" // the answer to it
	Data     Op = "data"     // a read or a write of a connection that speaks something else
	Lost     Op = "lost"     // bytes are missing here, or cannot be decoded: Note
)

// Ops are all kinds of messages.
var Ops = []Op{Text, Binary, Ping, Pong, Close, Request, Response, Data, Lost}

// Message is one message, or what else there is to say of the bytes of a connection.
type Message struct {
	Seq      uint64 // of the record that completed it
	At       int64  // when, by the recorder's clock, in nanoseconds
	Turn     int64  // time of the reactor's turn; 0: it was in a set-up
	Wall     time.Time
	Kernel   int64 // when the kernel had received that read, by CLOCK_REALTIME; 0: not known
	Conn     uint32
	Endpoint string
	Sent     bool // by us; else received
	Op       Op
	Wire     int // bytes of its frames, with their headers, as they were on the wire
	Frames   int
	Deflated bool
	Payload  []byte // valid until the next message is asked for
	Note     string // of Lost
}

// decoder finds the messages in the bytes of records.
type decoder struct {
	conns map[uint32]*decoded
	names map[uint32]string

	busy *side // it may have more in what was fed last
	last Message
	note []Message // to be handed out first
}

// decoded is one connection.
type decoded struct {
	num      uint32
	endpoint string
	in, out  side
	dead     string // why it cannot be decoded
}

// side is one direction of a connection.
type side struct {
	conn *decoded
	sent bool
	at   stage
	buf  []byte // that is not decoded; behind it is used[:0]
	from int    // what of buf is decoded
	zip  *inflater

	// Of a message in fragments.
	parts    []byte
	op       frame.Opcode
	deflated bool
	frames   int
	wire     int
}

// stage is how far a direction is.
type stage uint8

const (
	inHead  stage = iota // in the head of the upgrade
	waiting              // the request is complete, the answer not
	inFrames
	resync // behind missing bytes: until a read begins with a frame
	raw    // it speaks something else
	dead
)

func newDecoder() *decoder {
	return &decoder{conns: make(map[uint32]*decoded), names: make(map[uint32]string)}
}

func (d *decoder) conn(num uint32) *decoded {
	c := d.conns[num]
	if c == nil {
		c = &decoded{num: num}
		c.in.conn, c.out.conn, c.out.sent = c, c, true
		d.conns[num] = c
	}
	return c
}

// feed takes a record. All messages must be taken with next before.
func (d *decoder) feed(rec *tape.Record, wall time.Time) {
	d.busy, d.note = nil, d.note[:0]
	if rec.Conn == 0 {
		return
	}
	c := d.conn(rec.Conn)
	d.last = Message{Seq: rec.Seq, At: rec.At, Turn: max(rec.Begin, rec.Parked), Wall: wall, Conn: rec.Conn, Endpoint: c.endpoint}
	switch rec.Kind {
	case tape.KindConnect:
		c.endpoint = string(rec.Text)
		d.last.Endpoint = c.endpoint
	case tape.KindDialed:
		var peer tape.Peer
		if rec.Err.Class == tape.OK && json.Unmarshal(rec.Data, &peer) == nil && peer.Layer == tape.BelowTLS {
			d.kill(c, "it was recorded below TLS")
		}
	case tape.KindMissing:
		d.missing(&c.in, rec.Arg)
		d.missing(&c.out, rec.Arg2)
	case tape.KindRead:
		if len(rec.Text) >= 8 {
			d.last.Kernel = int64(binary.LittleEndian.Uint64(rec.Text))
		}
		d.take(&c.in, rec)
	case tape.KindWrite, tape.KindControl:
		d.take(&c.out, rec)
	case tape.KindClose:
		delete(d.conns, rec.Conn)
	}
}

// missing says that n bytes of a direction are missing.
func (d *decoder) missing(s *side, n int64) {
	if n <= 0 || s.at == dead {
		return
	}
	d.tell(s, fmt.Sprintf("%d bytes are missing", n))
	s.buf, s.from, s.parts, s.frames, s.wire = nil, 0, nil, 0, 0
	switch s.at {
	case inHead:
		d.kill(s.conn, "its upgrade is missing")
	case inFrames:
		s.at = resync
	}
	if s.zip != nil {
		s.zip.window = nil
	}
}

func (d *decoder) tell(s *side, note string) {
	m := d.last
	m.Op, m.Note, m.Sent = Lost, note, s.sent
	d.note = append(d.note, m)
}

// kill says why a connection cannot be decoded.
func (d *decoder) kill(c *decoded, why string) {
	if c.dead != "" {
		return
	}
	c.dead = why
	d.tell(&c.in, "cannot be decoded: "+why)
	for _, s := range []*side{&c.in, &c.out} {
		s.at, s.buf, s.from, s.parts = dead, nil, 0, nil
	}
}

// take adds the bytes of a record to a direction.
func (d *decoder) take(s *side, rec *tape.Record) {
	if len(rec.Data) == 0 || s.at == dead {
		return
	}
	if s.from > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[s.from:])]
		s.from = 0
	}
	if s.at == resync {
		if !s.plausible(rec.Data) {
			return
		}
		s.at = inFrames
	}
	if len(s.buf)+len(rec.Data) > maxMessage+frame.MaxHeaderSize {
		d.kill(s.conn, fmt.Sprintf("a message of more than %d bytes", maxMessage))
		return
	}
	s.buf = append(s.buf, rec.Data...)
	d.busy = s
}

// plausible reports whether b begins with a frame of this direction, and all behind it
// are frames. Bytes of JSON are none: they would have reserved bits.
func (s *side) plausible(b []byte) bool {
	for first := true; ; first = false {
		h, n, err := frame.ParseHeader(b)
		switch {
		case err != nil || n > 0 && !s.allowed(&h):
			return false
		case n == 0 || h.Length > uint64(len(b)-n):
			return !first || n > 0
		}
		if b = b[n+int(h.Length):]; len(b) == 0 {
			return true
		}
	}
}

// allowed reports whether a frame may be of this direction.
func (s *side) allowed(h *frame.Header) bool {
	const rsv1 = 4
	if h.Masked != s.sent || h.Length > maxMessage {
		return false
	}
	return h.Rsv == 0 || h.Rsv == rsv1 && s.zip != nil && !h.Opcode.IsControl() && h.Opcode != frame.Continuation
}

// next returns the next message of what was fed, nil when there is none.
func (d *decoder) next() *Message {
	if len(d.note) > 0 {
		m := d.note[0]
		d.note = d.note[1:]
		return &m
	}
	for d.busy != nil {
		s := d.busy
		m, more := d.decode(s)
		if !more {
			d.busy = nil
			if s.from == len(s.buf) {
				s.buf, s.from = s.buf[:0], 0
			}
		}
		if len(d.note) > 0 {
			return d.next()
		}
		if m != nil {
			return m
		}
	}
	return nil
}

// decode takes the next thing out of a direction; more: call again.
func (d *decoder) decode(s *side) (m *Message, more bool) {
	left := s.buf[s.from:]
	if len(left) == 0 {
		return nil, false
	}
	switch s.at {
	case inHead:
		return d.head(s, left)
	case raw:
		s.from = len(s.buf)
		return d.message(s, Data, left, len(left), 0, false), false
	case inFrames:
		return d.frame(s, left)
	}
	return nil, false // until the answer has come
}

func (d *decoder) message(s *side, op Op, payload []byte, wire, frames int, zipped bool) *Message {
	m := d.last
	m.Sent, m.Op, m.Payload, m.Wire, m.Frames, m.Deflated = s.sent, op, payload, wire, frames, zipped
	m.Endpoint = s.conn.endpoint
	return &m
}

// maxHead bounds the head of an upgrade, in bytes.
const maxHead = 1 << 20

// head takes the head of the upgrade.
func (d *decoder) head(s *side, left []byte) (*Message, bool) {
	begin := "HTTP/1."
	if s.sent {
		begin = "GET "
	}
	n := min(len(begin), len(left))
	if string(left[:n]) != begin[:n] || !s.sent && s.conn.out.at == raw {
		s.conn.in.at, s.conn.out.at = raw, raw
		return nil, true
	}
	end := bytes.Index(left, []byte("\r\n\r\n"))
	if end < 0 {
		if len(left) > maxHead {
			d.kill(s.conn, fmt.Sprintf("the head of an upgrade of more than %d bytes", maxHead))
		}
		return nil, false
	}
	end += 4
	s.from += end
	if s.sent {
		s.at = waiting
		return d.message(s, Request, left[:end], end, 0, false), true
	}
	m := d.message(s, Response, left[:end], end, 0, false)
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(left[:end])), nil)
	if err != nil {
		d.kill(s.conn, fmt.Sprintf("the answer to its upgrade: %v", err))
		return m, false
	}
	_ = r.Body.Close() // of memory
	if r.StatusCode != http.StatusSwitchingProtocols {
		s.at, s.conn.out.at = raw, raw
		return m, true
	}
	s.at, s.conn.out.at = inFrames, inFrames
	if s.zip, s.conn.out.zip, err = deflated(r.Header); err != nil {
		d.kill(s.conn, err.Error())
	}
	return m, true
}

// frame takes a frame.
func (d *decoder) frame(s *side, left []byte) (*Message, bool) {
	h, n, err := frame.ParseHeader(left)
	if err == nil && n > 0 && !s.allowed(&h) {
		err = fmt.Errorf("a frame that is not allowed here: %v, reserved bits %d, masked %t, %d bytes", h.Opcode, h.Rsv, h.Masked, h.Length)
	}
	if err != nil {
		d.kill(s.conn, err.Error())
		return nil, false
	}
	if n == 0 || uint64(len(left)-n) < h.Length {
		return nil, false
	}
	size := n + int(h.Length)
	payload := left[n:size]
	s.from += size
	if h.Masked {
		frame.Mask(payload, h.Key, 0)
	}
	if h.Opcode.IsControl() {
		op := map[frame.Opcode]Op{frame.Ping: Ping, frame.Pong: Pong, frame.Close: Close}[h.Opcode]
		return d.message(s, op, payload, size, 1, false), true
	}
	if (h.Opcode == frame.Continuation) != (s.frames > 0) {
		d.kill(s.conn, "fragments out of order")
		return nil, false
	}
	if s.frames == 0 {
		s.op, s.deflated, s.wire = h.Opcode, h.Rsv != 0, 0
	}
	s.frames++
	s.wire += size
	if !h.Fin || s.frames > 1 {
		if len(s.parts)+len(payload) > maxMessage {
			d.kill(s.conn, fmt.Sprintf("a message of more than %d bytes", maxMessage))
			return nil, false
		}
		s.parts = append(s.parts, payload...)
		payload = s.parts
	}
	if !h.Fin {
		return nil, true
	}
	frames := s.frames
	s.frames, s.parts = 0, s.parts[:0]
	if s.deflated {
		if payload, err = s.zip.inflate(payload); err != nil {
			d.tell(s, err.Error())
			return nil, true
		}
	}
	op := Text
	if s.op == frame.Binary {
		op = Binary
	}
	return d.message(s, op, payload, s.wire, frames, s.deflated), true
}
