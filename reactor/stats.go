package reactor

import (
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
	// Busy is the time spent in turns that found work, without the parks in them;
	// LongestTurn is the longest of these turns.
	Busy, LongestTurn time.Duration
}

// WorkRatio is the share of turns that found something to do, from 0 to 1.
func (s Stats) WorkRatio() float64 {
	if s.Turns == 0 {
		return 0
	}
	return float64(s.WorkTurns) / float64(s.Turns)
}

// Stats returns the counters as last published: after each turn with work, each
// park, and each 256 idle turns. Any goroutine may call it.
func (r *Reactor) Stats() Stats {
	s := r.counts.stats()
	if last := r.counts.last.Load(); last != nil {
		return *last // the cells may be somebody else's by now
	}
	return s
}

// Block returns the reactor's own cells, each with name, unit and meaning.
func (r *Reactor) Block() *stats.Block { return r.counts.block }

// WireToHandler counts, in nanoseconds, how long after the kernel's receipt each
// network read came to its handler, over the endpoints whose connections are
// stamped (stream.Options.Timestamps, the software stamps). Any goroutine may
// take snapshots; nobody else may record. With Config.Counters it is not to be used
// after the reactor's end.
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
	// there was a connection that is stamped. ReceiveToHandler counts, in
	// nanoseconds, how long after the end of each network read the handler was
	// called; nil without Config.Counters. With that, neither is to be used after
	// the endpoint was deregistered.
	WireToHandler, ReceiveToHandler *stats.Histogram
	// Block holds the numbers as named cells. It goes on to show the last ones when
	// the endpoint was deregistered.
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
		Loss: c.loss.Load(), WireToHandler: c.age.Load(), ReceiveToHandler: c.delay, Block: c.block,
	}
}
