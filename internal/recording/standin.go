package recording

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// StandIn is an endpoint that takes the place of a recorded one in a replay: it
// connects as that did, counts what comes, and sends in each turn what was sent in it.
// All but the counts is the reactor's.
type StandIn struct {
	endpoint.WebSocket
	// OnMessage, if not nil, is told of each message that comes.
	OnMessage func(m ws.Message)
	now       func() int64
	sends     map[uint32][]send // by id of the connection

	// Counts, for the time after the replay.
	Opened, Losses   int
	Messages, Bytes  int64
	Sent, Unsendable int64
}

// send is a message that was sent.
type send struct {
	turn    int64
	op      Op
	payload []byte
}

// maxSends bounds what stand-ins keep of messages that were sent, in bytes.
const maxSends = 1 << 30

// StandIns makes one for each endpoint that has spoken WebSocket. others are the names
// of those that have not. now is the player's clock.
func StandIns(rec tape.Recording, now func() int64) (all []*StandIn, others []string, err error) {
	ids := make(map[uint32]uint32) // of connections, by number
	byName := make(map[string]*StandIn)
	secure := make(map[uint32]bool)
	var names []string
	kept := 0
	d := newDecoder()
	r, err := Read(rec)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	err = r.each(func(record *tape.Record) error {
		switch record.Kind {
		case tape.KindRegister:
			if name := string(record.Text); byName[name] == nil {
				byName[name] = &StandIn{now: now, sends: make(map[uint32][]send), WebSocket: endpoint.WebSocket{Name: name}}
				names = append(names, name)
			}
		case tape.KindConnect:
			ids[record.Conn] = uint32(record.Arg)
		case tape.KindDialed:
			secure[record.Conn] = strings.HasPrefix(string(record.Text), "tls:")
		}
		d.feed(record, r.Wall())
		for m := d.next(); m != nil; m = d.next() {
			s := byName[m.Endpoint]
			if s == nil || !m.Sent {
				continue
			}
			switch m.Op {
			case Request:
				if s.URL == "" {
					s.be(m.Payload, secure[m.Conn])
				}
			case Text, Binary:
				if kept += len(m.Payload); kept > maxSends {
					return fmt.Errorf("recording: more than %d bytes were sent, which is more than a stand-in keeps", maxSends)
				}
				id := ids[m.Conn]
				s.sends[id] = append(s.sends[id], send{m.Turn, m.Op, bytes.Clone(m.Payload)})
			}
		}
		return nil
	})
	for _, name := range names {
		if s := byName[name]; s.URL != "" {
			all = append(all, s)
		} else {
			others = append(others, name)
		}
	}
	return all, others, err
}

// be makes the stand-in ask as a recorded request did.
func (s *StandIn) be(head []byte, secure bool) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return // it then counts as an endpoint of another protocol
	}
	s.URL = "ws://" + r.Host + r.RequestURI
	if secure {
		s.URL = "wss://" + r.Host + r.RequestURI
	}
	o := &s.Options
	o.MaxMessage, o.Stream.QueueBound = maxMessage, maxMessage
	o.Header = make(http.Header)
	for name, values := range r.Header {
		switch {
		case name == "Sec-Websocket-Protocol":
			for p := range strings.SplitSeq(strings.Join(values, ","), ",") {
				o.Subprotocols = append(o.Subprotocols, strings.TrimSpace(p))
			}
		case name == "Sec-Websocket-Extensions":
			o.Compression = offered(strings.Join(values, ","))
		case name == "Upgrade" || name == "Connection" || strings.HasPrefix(name, "Sec-Websocket-"):
		default:
			o.Header[name] = values
		}
	}
}

// offered is the compression that a request has offered.
func offered(offer string) *ws.Compression {
	first, _, _ := strings.Cut(offer, ",")
	name, params, _ := strings.Cut(first, ";")
	if strings.TrimSpace(name) != "permessage-deflate" {
		return nil
	}
	z := new(ws.Compression)
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		bits, _ := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)) // none: 0, the default
		switch strings.TrimSpace(key) {
		case "client_no_context_takeover":
			z.ClientNoContextTakeover = true
		case "server_no_context_takeover":
			z.ServerNoContextTakeover = true
		case "client_max_window_bits":
			z.ClientMaxWindowBits = bits
		case "server_max_window_bits":
			z.ServerMaxWindowBits = bits
		}
	}
	return z
}

// OnOpen sends what was sent when it opened.
func (s *StandIn) OnOpen(c *ws.Conn) error {
	s.Opened++
	return s.send(c)
}

// OnData counts, and sends what was sent in this turn.
func (s *StandIn) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		s.Messages++
		s.Bytes += int64(len(m.Payload))
		if s.OnMessage != nil {
			s.OnMessage(m)
		}
	}
	if err := s.send(c); err != nil {
		return err
	}
	return c.Err()
}

// OnLoss counts.
func (s *StandIn) OnLoss(*endpoint.LossError) endpoint.Action {
	s.Losses++
	return endpoint.Reconnect
}

// send sends what is due. A message that cannot be sent is counted: the recorded one
// had room.
func (s *StandIn) send(c *ws.Conn) error {
	now := s.now()
	due := s.sends[c.ID()]
	for len(due) > 0 && due[0].turn <= now {
		op := frame.Text
		if due[0].op == Binary {
			op = frame.Binary
		}
		if c.Write(op, due[0].payload) != nil {
			s.Unsendable++
		} else {
			s.Sent++
		}
		due = due[1:]
	}
	s.sends[c.ID()] = due
	return nil
}

var _ endpoint.LossHandler = (*StandIn)(nil)
