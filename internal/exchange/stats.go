package exchange

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Stats counts what a server did since its start.
type Stats struct {
	Connections uint64 `json:"connections"` // TCP connections accepted
	Open        int    `json:"open"`        // of them, those open now
	Upgrades    uint64 `json:"upgrades"`    // WebSockets opened
	Refused     uint64 `json:"refused"`     // requests answered with a status of 400 or more
	BadRequests uint64 `json:"badRequests"` // messages of clients answered with an error
	Messages    uint64 `json:"messages"`    // messages generated, each counted once
	Sent        uint64 `json:"sent"`        // messages queued for clients, over all connections: one to three clients counts thrice; echoes and the feed among them
	Replayed    uint64 `json:"replayed"`    // messages of the feed queued, over all connections
	Echoed      uint64 `json:"echoed"`      // messages that /echo answered
	Bytes       uint64 `json:"bytes"`       // written to sockets, before TLS

	Streams map[string]StreamStats `json:"streams"` // generated streams by name
	Faults  map[Kind]uint64        `json:"faults"`  // faults made
	// Drops counts connections that the server ended, by reason: slow, no pong,
	// close timeout, upgrade timeout, input, limit, tls, write, no request, feed.
	Drops map[string]uint64 `json:"drops"`
	// ClientCloses counts the close frames of clients by code.
	ClientCloses map[frame.CloseCode]uint64 `json:"clientCloses"`
}

// StreamStats is one generated stream.
type StreamStats struct {
	Messages uint64 `json:"messages"` // generated
	Last     uint64 `json:"last"`     // sequence number of the last one; the first is 1
	Skipped  uint64 `json:"skipped"`  // due but never generated, as the server was held up; no gap in the sequence
}

// counters are the live form of Stats. The zero value is ready.
type counters struct {
	connections, upgrades, refused, badRequests atomic.Uint64
	messages, replayed, echoed, bytes           atomic.Uint64
	sent                                        atomic.Uint64 // by connections that have ended

	mu     sync.Mutex
	faults map[Kind]uint64
	drops  map[string]uint64
	closes map[frame.CloseCode]uint64
}

func count[K comparable](mu *sync.Mutex, m *map[K]uint64, key K) {
	mu.Lock()
	defer mu.Unlock()
	if *m == nil {
		*m = make(map[K]uint64)
	}
	(*m)[key]++
}

func (c *counters) fault(k Kind)                     { count(&c.mu, &c.faults, k) }
func (c *counters) drop(reason string)               { count(&c.mu, &c.drops, reason) }
func (c *counters) clientClose(code frame.CloseCode) { count(&c.mu, &c.closes, code) }

// Stats returns the counters. It may be called after Close.
func (s *Server) Stats() Stats {
	c := &s.stats
	st := Stats{
		Connections: c.connections.Load(),
		Upgrades:    c.upgrades.Load(),
		Refused:     c.refused.Load(),
		BadRequests: c.badRequests.Load(),
		Messages:    c.messages.Load(),
		Replayed:    c.replayed.Load(),
		Echoed:      c.echoed.Load(),
		Bytes:       c.bytes.Load(),
		Streams:     s.market.stats(),
	}
	s.mu.Lock()
	st.Open = len(s.conns)
	st.Sent = c.sent.Load()
	for _, open := range s.conns {
		st.Sent += open.out.sent()
	}
	s.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Faults, st.Drops, st.ClientCloses = maps.Clone(c.faults), maps.Clone(c.drops), maps.Clone(c.closes)
	return st
}

func (m *market) stats() map[string]StreamStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string]StreamStats, len(m.streams))
	for name, st := range m.streams {
		all[name] = StreamStats{Messages: st.total, Last: st.seq, Skipped: st.skipped}
	}
	return all
}
