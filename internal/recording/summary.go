package recording

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// Summary is what is in a recording.
type Summary struct {
	Reactor string    `json:"reactor"`
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Records uint64    `json:"records"`
	Turns   uint64    `json:"turns"` // in which something happened

	Endpoints []EndpointSummary `json:"endpoints"`
	Conns     []ConnSummary     `json:"connections"`
	Traffic
	Messages uint64 `json:"linkMessages"` // of links and inboxes
	Calls    uint64 `json:"calls"`        // of functions, whose effects are not recorded

	LostRecords uint64 `json:"lostRecords"` // for want of room, or of a disk
	Complete    bool   `json:"complete"`    // it goes to the end of the reactor
	Truncated   string `json:"truncated,omitempty"`
	// Replays says whether it can be replayed; Obstacles are why not, or what a replay
	// then cannot do.
	Replays   bool     `json:"replays"`
	Obstacles []string `json:"obstacles,omitempty"`
}

// Traffic counts what went through connections.
type Traffic struct {
	BytesIn      int64  `json:"bytesIn"`
	BytesOut     int64  `json:"bytesOut"`
	MessagesIn   uint64 `json:"messagesIn"` // of WebSocket, without control frames
	MessagesOut  uint64 `json:"messagesOut"`
	MissingIn    int64  `json:"missingIn"` // bytes
	MissingOut   int64  `json:"missingOut"`
	Undecodables int    `json:"undecodables,omitempty"` // places where no message could be found
}

func (t *Traffic) add(o *Traffic) {
	t.BytesIn += o.BytesIn
	t.BytesOut += o.BytesOut
	t.MessagesIn += o.MessagesIn
	t.MessagesOut += o.MessagesOut
	t.MissingIn += o.MissingIn
	t.MissingOut += o.MissingOut
	t.Undecodables += o.Undecodables
}

// EndpointSummary is one endpoint.
type EndpointSummary struct {
	Name        string `json:"name"`
	Connections int    `json:"connections"`
	Failed      int    `json:"failed"` // of them, that never stood
	Traffic
}

// ConnSummary is one connection, or a try to make one.
type ConnSummary struct {
	Num      uint32        `json:"number"`
	Endpoint string        `json:"endpoint"`
	Target   string        `json:"target,omitempty"`
	Peer     *tape.Peer    `json:"peer,omitempty"`
	TLS      string        `json:"tls,omitempty"`
	Cipher   string        `json:"cipher,omitempty"`
	Begun    time.Time     `json:"begun"`
	Opened   *time.Time    `json:"opened,omitempty"` // nil: it never stood
	Closed   *time.Time    `json:"closed,omitempty"` // nil: it stood at the end of the recording
	SetUp    time.Duration `json:"setUpNs,omitempty"`
	Why      string        `json:"why,omitempty"` // it ended, or never stood
	Request  string        `json:"request,omitempty"`
	Deflate  bool          `json:"deflate,omitempty"`
	Undecode string        `json:"undecodable,omitempty"`
	Traffic
}

// Summarize reads a recording through. What cannot be read is an error that comes with
// the summary of what could.
func Summarize(rec tape.Recording) (*Summary, error) {
	s := &summary{d: newDecoder(), conns: make(map[uint32]*ConnSummary), slots: make(map[uint32]string)}
	err := s.read(rec)
	s.finish()
	return &s.Summary, err
}

func (s *summary) read(rec tape.Recording) error {
	r, err := Read(rec)
	if err != nil {
		return err
	}
	defer r.Close()
	err = r.each(func(record *tape.Record) error {
		s.record(record, r.Wall())
		return nil
	})
	if t := r.Truncated(); t != nil {
		s.Truncated = t.Error()
	}
	return err
}

type summary struct {
	Summary
	d     *decoder
	conns map[uint32]*ConnSummary
	order []uint32
	slots map[uint32]string
	seed  bool
	first uint64
	turn  uint64
	below bool
}

func (s *summary) conn(rec *tape.Record, at time.Time) *ConnSummary {
	c := s.conns[rec.Conn]
	if c == nil {
		c = &ConnSummary{Num: rec.Conn, Begun: at, Endpoint: s.slots[rec.Slot]}
		s.conns[rec.Conn] = c
		s.order = append(s.order, rec.Conn)
	}
	return c
}

func (s *summary) record(rec *tape.Record, at time.Time) {
	if s.Records == 0 {
		s.Start, s.first = at, rec.Seq
	}
	if s.Records++; at.After(s.End) {
		s.End = at
	}
	if rec.Turn > s.turn {
		s.turn = rec.Turn
		s.Turns++
	}
	switch rec.Kind {
	case tape.KindBegin:
		s.Reactor, s.seed = string(rec.Text), true
	case tape.KindEnd:
		s.Complete = true
	case tape.KindRegister:
		s.slots[rec.Slot] = string(rec.Text)
		s.endpoint(string(rec.Text))
	case tape.KindCall:
		s.Calls++
	case tape.KindMessage:
		s.Messages++
	case tape.KindMissing:
		if rec.Conn == 0 {
			s.LostRecords += uint64(rec.Arg)
		}
	}
	if rec.Conn == 0 {
		return
	}
	c := s.conn(rec, at)
	switch rec.Kind {
	case tape.KindConnect:
		c.Endpoint = string(rec.Text)
	case tape.KindDialed:
		s.dialed(c, rec)
	case tape.KindOutcome:
		if err := rec.Err.Err(); err != nil {
			c.Why = err.Error()
		} else if c.Opened == nil {
			opened := at
			c.Opened, c.SetUp = &opened, at.Sub(c.Begun)
		}
	case tape.KindLost:
		if c.Why == "" {
			c.Why = string(rec.Text)
		}
		s.closed(c, at)
	case tape.KindClose:
		s.closed(c, at)
	case tape.KindMissing:
		c.MissingIn += rec.Arg
		c.MissingOut += rec.Arg2
	case tape.KindRead:
		c.BytesIn += int64(len(rec.Data))
	case tape.KindWrite, tape.KindControl:
		c.BytesOut += int64(len(rec.Data))
	}
	s.d.feed(rec, at)
	for m := s.d.next(); m != nil; m = s.d.next() {
		s.message(c, m)
	}
}

func (s *summary) dialed(c *ConnSummary, rec *tape.Record) {
	c.Target = string(rec.Text)
	peer := new(tape.Peer)
	if rec.Err.Class != tape.OK || json.Unmarshal(rec.Data, peer) != nil {
		return
	}
	c.Peer = peer
	s.below = s.below || peer.Layer == tape.BelowTLS
	if peer.Version != 0 {
		c.TLS, c.Cipher = tls.VersionName(peer.Version), tls.CipherSuiteName(peer.Suite)
	}
}

func (s *summary) closed(c *ConnSummary, at time.Time) {
	if c.Closed == nil {
		c.Closed = &at
	}
}

func (s *summary) message(c *ConnSummary, m *Message) {
	switch m.Op {
	case Request:
		c.Request = firstLine(m.Payload)
	case Lost:
		c.Undecodables++
		c.Undecode = m.Note
	case Text, Binary:
		c.Deflate = c.Deflate || m.Deflated
		if m.Sent {
			c.MessagesOut++
		} else {
			c.MessagesIn++
		}
	}
}

func firstLine(b []byte) string {
	const most = 200
	for i, ch := range b {
		if ch == '\r' || ch == '\n' || i == most {
			return string(b[:i])
		}
	}
	return string(b)
}

func (s *summary) endpoint(name string) *EndpointSummary {
	i := slices.IndexFunc(s.Endpoints, func(e EndpointSummary) bool { return e.Name == name })
	if i < 0 {
		i = len(s.Endpoints)
		s.Endpoints = append(s.Endpoints, EndpointSummary{Name: name})
	}
	return &s.Endpoints[i]
}

// finish adds up and judges.
func (s *summary) finish() {
	for _, num := range s.order {
		c := s.conns[num]
		e := s.endpoint(c.Endpoint)
		e.Connections++
		if c.Opened == nil && c.Closed != nil {
			e.Failed++
		}
		e.add(&c.Traffic)
		s.Traffic.add(&c.Traffic)
		s.Conns = append(s.Conns, *c)
	}
	s.Replays = s.seed && !s.below
	obstacle := func(is bool, format string, args ...any) {
		if is {
			s.Obstacles = append(s.Obstacles, fmt.Sprintf(format, args...))
		}
	}
	obstacle(s.Records == 0, "there is nothing in it")
	obstacle(s.Records > 0 && !s.seed, "its beginning is missing")
	obstacle(s.below, "it was recorded below TLS")
	obstacle(s.LostRecords > 0, "%d records were lost", s.LostRecords)
	obstacle(s.MissingIn > 0, "%d bytes received are missing", s.MissingIn)
	obstacle(s.MissingOut > 0, "%d bytes sent are missing: writes are not compared", s.MissingOut)
	obstacle(s.Calls > 0, "%d functions were called: what they did is not in it", s.Calls)
	obstacle(s.Truncated != "", "it is truncated: %s", s.Truncated)
	obstacle(s.Records > 0 && !s.Complete && s.Truncated == "", "it does not go to the end of the reactor")
}
