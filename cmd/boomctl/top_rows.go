package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
)

// topReactor is a line of the reactors' table.
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
	Errors    int64   `json:"errors"` // since it was made
}

// topEndpoint is a line of the endpoints' table.
type topEndpoint struct {
	block      *seenBlock
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

// topRing is a line of the rings' table.
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
			for _, e := range b.errors() {
				r.Errors += e.Count
			}
			t.reactors = append(t.reactors, r)
		case stats.EndpointBlock:
			e := topEndpoint{
				block: b, PID: p.PID, Reactor: b.parent, Name: b.name,
				State:    endpoint.State(b.value("state")).String(),
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
	for i := range t.reactors {
		r := &t.reactors[i]
		for j := range t.endpoints {
			if e := &t.endpoints[j]; e.PID == r.PID && e.Reactor == r.Name {
				r.Endpoints++
			}
		}
	}
	return t
}

// errors is the error log of a block.
func (b *seenBlock) errors() (list []stats.ErrorRecord) {
	for _, c := range b.cells {
		if c.desc.Kind == stats.KindErrors {
			list = append(list, c.now.Errors...)
		}
	}
	return list
}

// topOrders are the orders of the endpoints' table, largest first but for texts.
var topOrders = []struct {
	name string
	less func(a, b *topEndpoint) int
}{
	{"name", func(a, b *topEndpoint) int { return strings.Compare(a.Name, b.Name) }},
	{"reactor", func(a, b *topEndpoint) int { return strings.Compare(a.Reactor, b.Reactor) }},
	{"state", func(a, b *topEndpoint) int { return strings.Compare(a.State, b.State) }},
	{"messages", func(a, b *topEndpoint) int { return cmp.Compare(b.Messages, a.Messages) }},
	{"bytes", func(a, b *topEndpoint) int { return cmp.Compare(b.Bytes, a.Bytes) }},
	{"p50", func(a, b *topEndpoint) int { return cmp.Compare(b.Latency.P50, a.Latency.P50) }},
	{"p99", func(a, b *topEndpoint) int { return cmp.Compare(b.Latency.P99, a.Latency.P99) }},
	{"max", func(a, b *topEndpoint) int { return cmp.Compare(b.Latency.Max, a.Latency.Max) }},
	{"reconnects", func(a, b *topEndpoint) int { return cmp.Compare(b.Reconnects, a.Reconnects) }},
}

// topOrder is the place of an order in topOrders.
func topOrder(name string) (int, error) {
	names := make([]string, len(topOrders))
	for i, o := range topOrders {
		if names[i] = o.name; o.name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("top: unknown order %q: want %s", name, strings.Join(names, ", "))
}

// sort brings the tables in order: reactors and rings by process and name.
func (t *topRows) sort(order int, reverse bool) {
	slices.SortStableFunc(t.reactors, func(a, b topReactor) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), strings.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(t.rings, func(a, b topRing) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), strings.Compare(a.Reactor, b.Reactor), strings.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(t.endpoints, func(a, b topEndpoint) int {
		first := topOrders[order].less(&a, &b)
		if reverse {
			first = -first
		}
		return cmp.Or(first, cmp.Compare(a.PID, b.PID), strings.Compare(a.Reactor, b.Reactor), strings.Compare(a.Name, b.Name))
	})
}
