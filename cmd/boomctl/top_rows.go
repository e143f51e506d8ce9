package main

import (
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
)

// topReactor is a line of the reactors' table, and of the list in JSON.
type topReactor struct {
	block     *seenBlock
	PID       int     `json:"pid"`
	Process   string  `json:"process"`
	Name      string  `json:"name"`
	CPU       int     `json:"cpu"` // -1: not pinned
	Idle      string  `json:"idle"`
	Selector  string  `json:"selector"`
	Turns     float64 `json:"turns_per_s"`
	Work      float64 `json:"work_per_s"`
	Busy      float64 `json:"busy"` // share of the time, 0 to 1
	Longest   int64   `json:"longest_turn_ns"`
	Parks     float64 `json:"parks_per_s"`
	Endpoints int     `json:"endpoints"`
	Errors    int64   `json:"errors"` // of the log
}

// topEndpoint is one of the endpoints' table.
type topEndpoint struct {
	block      *seenBlock
	state      endpoint.State
	PID        int        `json:"pid"`
	Reactor    string     `json:"reactor"`
	Name       string     `json:"name"`
	State      string     `json:"state"`
	Messages   float64    `json:"messages_per_s"`
	Bytes      float64    `json:"bytes_per_s"`
	Sent       float64    `json:"sent_per_s"`
	Queue      int64      `json:"queue_bytes"`
	Reconnects int64      `json:"reconnects"`
	Losses     int64      `json:"losses"`
	Last       string     `json:"last_loss,omitempty"`
	Latency    topLatency `json:"receive_to_handler"`
}

// topLatency is quantiles in ns.
type topLatency struct {
	Count int64 `json:"count"`
	P50   int64 `json:"p50_ns"`
	P99   int64 `json:"p99_ns"`
	P999  int64 `json:"p999_ns"`
	Max   int64 `json:"max_ns"`
}

func latenciesOf(s *stats.Snapshot) topLatency {
	if s.Count() == 0 {
		return topLatency{}
	}
	return topLatency{s.Count(), s.ValueAtQuantile(.5), s.ValueAtQuantile(.99), s.ValueAtQuantile(.999), s.Max()}
}

// topRing is one of the rings' table.
type topRing struct {
	block     *seenBlock
	PID       int     `json:"pid"`
	Reactor   string  `json:"reactor"` // the consumer's
	Name      string  `json:"name"`
	Depth     int64   `json:"depth"`
	HighWater int64   `json:"high_water"`
	Offered   float64 `json:"offered_per_s"`
	Refused   int64   `json:"refused"`
}

// topRows is a sample as tables.
type topRows struct {
	reactors  []topReactor
	endpoints []topEndpoint
	rings     []topRing
}

// rows makes the tables of a sample. all: latencies since the start, not since
// the sample before.
func (s *sample) rows(all bool) *topRows {
	t := new(topRows)
	var h stats.Snapshot
	for _, b := range s.blocks {
		p := b.process
		switch b.kind {
		case stats.ReactorBlock:
			r := topReactor{
				block: b, PID: p.PID, Process: p.Name, Name: b.name,
				CPU: int(b.value("cpu")), Idle: b.text("idle"), Selector: b.text("selector"),
				Turns: b.rate("turns", s.over), Work: b.rate("work", s.over), Busy: min(b.rate("busy", s.over)/1e9, 1),
				Longest: b.value("longest_turn"), Parks: b.rate("parks", s.over),
			}
			errors := b.errorLog()
			r.Errors = errors.count()
			t.reactors = append(t.reactors, r)
		case stats.EndpointBlock:
			state := endpoint.State(b.value("state"))
			e := topEndpoint{
				block: b, state: state, PID: p.PID, Reactor: b.parent, Name: b.name,
				State:    state.String(),
				Messages: b.rate("messages", s.over), Bytes: b.rate("bytes", s.over), Sent: b.rate("sent", s.over),
				Queue: b.value("queue"), Reconnects: b.value("reconnects"), Losses: b.value("losses"), Last: b.text("last_loss"),
			}
			if b.between("receive_to_handler", all, &h) {
				e.Latency = latenciesOf(&h)
			}
			t.endpoints = append(t.endpoints, e)
		case stats.RingBlock:
			t.rings = append(t.rings, topRing{
				block: b, PID: p.PID, Reactor: b.parent, Name: b.name,
				Depth: b.value("depth"), HighWater: b.value("high_water"), Offered: b.rate("offered", s.over), Refused: b.value("refused"),
			})
		}
	}
	type reactor struct {
		process *seenProcess
		name    string
	}
	endpoints := make(map[reactor]int)
	for i := range t.endpoints {
		b := t.endpoints[i].block
		endpoints[reactor{b.process, b.parent}]++
	}
	for i := range t.reactors {
		b := t.reactors[i].block
		t.reactors[i].Endpoints = endpoints[reactor{b.process, b.name}]
	}
	return t
}

func (r *topReactor) from() *seenBlock  { return r.block }
func (e *topEndpoint) from() *seenBlock { return e.block }
func (r *topRing) from() *seenBlock     { return r.block }
