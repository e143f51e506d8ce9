package reactor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
)

// Stats is what a reactor has done since it was made. See Reactor.Block for the
// same as named cells.
type Stats struct {
	Turns       int64 // rounds of the loop
	WorkTurns   int64 // rounds that found something to do
	Work        int64 // network reads, messages and timers handled
	Parks       int64 // times it waited in its selector
	Mail        int64 // messages from other goroutines
	Timers      int64 // timers fired
	Undelivered int64 // Dispatches whose endpoint had gone
}

// WorkRatio is the share of turns that found something to do, from 0 to 1.
func (s Stats) WorkRatio() float64 {
	if s.Turns == 0 {
		return 0
	}
	return float64(s.WorkTurns) / float64(s.Turns)
}

// counters are counted by the reactor alone and published now and then, so that
// a turn without work pays for an addition and nothing else.
type counters struct {
	turns, workTurns, work, parks, mail, timers, undelivered int64

	generation uint32
	dirty      int
	block      *stats.Block
	cells      [7]*stats.Counter
	age        *stats.Histogram
}

// publishEvery is how many idle turns may pass before they are published.
const publishEvery = 256

func (c *counters) init(name string) {
	c.block = stats.NewBlock(name)
	for i, d := range [...]struct{ name, unit, help string }{
		{"turns", "turns", "rounds of the reactor's loop"},
		{"work_turns", "turns", "rounds that found something to do"},
		{"work", "items", "network reads, messages and timers handled"},
		{"parks", "parks", "times the reactor waited in its selector"},
		{"mail", "messages", "messages received from other goroutines"},
		{"timers", "timers", "timers fired"},
		{"undelivered", "messages", "dispatches whose endpoint had been deregistered"},
	} {
		c.cells[i] = c.block.Counter(d.name, d.unit, d.help)
	}
	c.age = c.block.Histogram(ageName, "ns", "from the kernel's receipt to the handler, each network read that is stamped")
}

// ageName names the histograms of what stream.Options.Timestamps measures.
const ageName = "wire_to_handler"

func (c *counters) turn(work int) {
	c.turns++
	if work > 0 {
		c.workTurns++
		c.work += int64(work)
	}
	if c.dirty++; c.dirty >= publishEvery || work > 0 {
		c.publish()
	}
}

func (c *counters) park(d time.Duration) {
	if d > 0 {
		c.parks++
		c.publish()
	}
}

func (c *counters) publish() {
	c.dirty = 0
	for i, v := range [...]int64{c.turns, c.workTurns, c.work, c.parks, c.mail, c.timers, c.undelivered} {
		c.cells[i].Store(v)
	}
}

// Stats returns the counters as last published: after each turn with work, each
// park, and each 256 idle turns. Any goroutine may call it.
func (r *Reactor) Stats() Stats {
	c := &r.counts.cells
	return Stats{
		Turns: c[0].Value(), WorkTurns: c[1].Value(), Work: c[2].Value(), Parks: c[3].Value(),
		Mail: c[4].Value(), Timers: c[5].Value(), Undelivered: c[6].Value(),
	}
}

// Block returns the reactor's own cells, each with name, unit and meaning.
func (r *Reactor) Block() *stats.Block { return r.counts.block }

// WireToHandler counts, in nanoseconds, how long after the kernel's receipt each
// network read came to its handler, over the endpoints whose connections are
// stamped (stream.Options.Timestamps, the software stamps). Any goroutine may
// take snapshots; nobody else may record.
func (r *Reactor) WireToHandler() *stats.Histogram { return r.counts.age }

// Info is how an endpoint stands.
type Info struct {
	ID    ID
	Name  string
	State endpoint.State
	// Since is when that state began, by the reactor's clock.
	Since int64
	// Conn is the id of the youngest connection: how often one was begun.
	Conn uint32
	// Messages and Bytes received over all connections; bytes as they came
	// from the stream, framing included.
	Messages, Bytes int64
	// Opens counts the connections that got as far as Open; Losses all ends.
	Opens, Losses int64
	// Loss is the last one, nil when there was none.
	Loss *endpoint.LossError
	// WireToHandler is the endpoint's share of Reactor.WireToHandler; nil before
	// there was a connection that is stamped.
	WireToHandler *stats.Histogram
	// Block holds the numbers as named cells.
	Block *stats.Block
}

// Reconnects is how often the endpoint was opened again.
func (i Info) Reconnects() int64 { return max(i.Opens-1, 0) }

// Endpoints tells how every endpoint stands that is registered, in the order of
// their places. Any goroutine may call it; it allocates.
func (r *Reactor) Endpoints() []Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Info
	for _, t := range r.table {
		if t.slot != nil {
			out = append(out, t.slot.info())
		}
	}
	return out
}

// Lookup tells how the endpoint of an id stands, or ErrStale. Any goroutine.
func (r *Reactor) Lookup(id ID) (Info, error) {
	s, err := r.standing(id)
	if err != nil {
		return Info{}, err
	}
	return s.info(), nil
}

// cells are an endpoint's numbers: written by the reactor, read by anybody.
type cells struct {
	block    *stats.Block
	messages *stats.Counter
	bytes    *stats.Counter
	opens    *stats.Counter
	losses   *stats.Counter
	conn     *stats.Gauge
	state    *stats.Gauge
	since    *stats.Gauge
	loss     atomic.Pointer[endpoint.LossError]
	age      atomic.Pointer[stats.Histogram]
	ageOnce  sync.Once
}

func (c *cells) init(name string, now int64) {
	b := stats.NewBlock(name)
	c.block = b
	c.messages = b.Counter("messages", "messages", "whole messages received, over all connections")
	c.bytes = b.Counter("bytes", "bytes", "bytes received from the stream, framing included")
	c.opens = b.Counter("opens", "connections", "connections that reached the state open")
	c.losses = b.Counter("losses", "connections", "connections, and tries to make one, that ended")
	c.conn = b.Gauge("connection", "id", "id of the youngest connection")
	c.state = b.Gauge("state", "state", "endpoint.State as a number")
	c.since = b.Gauge("since", "ns", "CLOCK_MONOTONIC at which the state began")
	c.since.Set(now)
}

func (c *cells) received(messages, bytes int64) {
	c.messages.Add(messages)
	c.bytes.Add(bytes)
}

// begun counts a connection whose set-up begins, the one that renews included.
func (c *cells) begun(id uint32) { c.conn.Set(int64(id)) }

// opened counts a connection that is open, the one that renews included: it may
// be lost before it becomes the current one.
func (c *cells) opened() { c.opens.Add(1) }

func (c *cells) enter(state endpoint.State, now int64) {
	c.since.Set(now)
	c.state.Set(int64(state))
}

func (c *cells) lost(loss *endpoint.LossError) {
	c.losses.Add(1)
	c.loss.Store(loss)
}

// stamped makes the histogram of an endpoint with stamped connections: 18 KiB
// that others do without. Connector goroutines.
func (c *cells) stamped() *stats.Histogram {
	c.ageOnce.Do(func() {
		c.age.Store(c.block.Histogram(ageName, "ns", "from the kernel's receipt to the handler, each network read"))
	})
	return c.age.Load()
}

// watchAge has a stamped connection record how old its input is.
func (r *Reactor) watchAge(s *slot, hot endpoint.Hot) {
	stamped, ok := hot.(endpoint.Stamped)
	if !ok || !stamped.Stamped() {
		return
	}
	own, all := s.cells.stamped(), r.counts.age
	stamped.RecordAge(func(ns int64) {
		own.Record(ns)
		all.Record(ns)
	})
}

func (s *slot) info() Info {
	c := &s.cells
	return Info{
		ID: s.id, Name: s.name,
		State: endpoint.State(c.state.Value()), Since: c.since.Value(), Conn: uint32(c.conn.Value()),
		Messages: c.messages.Value(), Bytes: c.bytes.Value(),
		Opens: c.opens.Value(), Losses: c.losses.Value(),
		Loss: c.loss.Load(), WireToHandler: c.age.Load(), Block: c.block,
	}
}
