package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/boomnet-go/boomnet/endpoint"
)

// topColumn is a column that a table can be sorted by: numbers from the largest,
// names from A.
type topColumn[T any] struct {
	name    string
	compare func(a, b *T) int
}

var reactorColumns = []topColumn[topReactor]{
	{"name", func(a, b *topReactor) int { return strings.Compare(a.Name, b.Name) }},
	{"turns", func(a, b *topReactor) int { return cmp.Compare(b.Turns, a.Turns) }},
	{"busy", func(a, b *topReactor) int { return cmp.Compare(b.Busy, a.Busy) }},
	{"longest", func(a, b *topReactor) int { return cmp.Compare(b.Longest, a.Longest) }},
	{"work", func(a, b *topReactor) int { return cmp.Compare(b.Work, a.Work) }},
	{"errors", func(a, b *topReactor) int { return cmp.Compare(b.Errors, a.Errors) }},
}

var endpointColumns = []topColumn[topEndpoint]{
	{"name", func(a, b *topEndpoint) int { return strings.Compare(a.Name, b.Name) }},
	{"reactor", func(a, b *topEndpoint) int { return strings.Compare(a.Reactor, b.Reactor) }},
	{"state", func(a, b *topEndpoint) int { return cmp.Compare(trouble(b.state), trouble(a.state)) }},
	{"messages", func(a, b *topEndpoint) int { return cmp.Compare(b.Messages, a.Messages) }},
	{"bytes", func(a, b *topEndpoint) int { return cmp.Compare(b.Bytes, a.Bytes) }},
	{"p50", func(a, b *topEndpoint) int { return cmp.Compare(b.Latency.P50, a.Latency.P50) }},
	{"p99", func(a, b *topEndpoint) int { return cmp.Compare(b.Latency.P99, a.Latency.P99) }},
	{"max", func(a, b *topEndpoint) int { return cmp.Compare(b.Latency.Max, a.Latency.Max) }},
	{"queue", func(a, b *topEndpoint) int { return cmp.Compare(b.Queue, a.Queue) }},
	{"reconnects", func(a, b *topEndpoint) int { return cmp.Compare(b.Reconnects, a.Reconnects) }},
}

var ringColumns = []topColumn[topRing]{
	{"name", func(a, b *topRing) int { return strings.Compare(a.Name, b.Name) }},
	{"offered", func(a, b *topRing) int { return cmp.Compare(b.Offered, a.Offered) }},
	{"depth", func(a, b *topRing) int { return cmp.Compare(b.Depth, a.Depth) }},
	{"high", func(a, b *topRing) int { return cmp.Compare(b.HighWater, a.HighWater) }},
	{"refused", func(a, b *topRing) int { return cmp.Compare(b.Refused, a.Refused) }},
}

// topColumns is how many columns each table can be sorted by.
var topColumns = [focuses]int{len(reactorColumns), len(endpointColumns), len(ringColumns)}

// trouble is how bad a state is.
func trouble(s endpoint.State) int {
	switch s {
	case endpoint.Failed:
		return 5
	case endpoint.Backoff:
		return 4
	case endpoint.Closing, endpoint.Closed:
		return 2
	case endpoint.Open:
		return 1
	}
	return 3 // being set up
}

// topOrder is the place of an order in endpointColumns.
func topOrder(name string) (int, error) {
	names := make([]string, len(endpointColumns))
	for i, o := range endpointColumns {
		if names[i] = o.name; o.name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("top: unknown order %q: want %s", name, strings.Join(names, ", "))
}

// sort brings the tables in order. What is equal is in the order of process,
// reactor and name, so that rows do not change places for nothing.
func (t *topRows) sort(order [focuses]int, reverse [focuses]bool) {
	sortRows(t.reactors, reactorColumns[order[focusReactors]], reverse[focusReactors])
	sortRows(t.endpoints, endpointColumns[order[focusEndpoints]], reverse[focusEndpoints])
	sortRows(t.rings, ringColumns[order[focusRings]], reverse[focusRings])
}

// topRow is a row of any table.
type topRow[T any] interface {
	*T
	from() *seenBlock
}

func sortRows[T any, R topRow[T]](rows []T, by topColumn[T], reverse bool) {
	slices.SortStableFunc(rows, func(a, b T) int {
		first := by.compare(&a, &b)
		if reverse {
			first = -first
		}
		x, y := R(&a).from(), R(&b).from()
		return cmp.Or(first, cmp.Compare(x.process.PID, y.process.PID), strings.Compare(x.parent, y.parent), strings.Compare(x.name, y.name))
	})
}
