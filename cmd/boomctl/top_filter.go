package main

import "strings"

// filter is which endpoints and rings are wanted: those that have the text in their
// name, reactor, state or process; with a ! before it those that do not have it.
type filter string

func (f filter) takes(texts ...string) bool {
	text, without := strings.CutPrefix(string(f), "!")
	if text == "" {
		return true
	}
	text = strings.ToLower(text)
	for _, t := range texts {
		if strings.Contains(strings.ToLower(t), text) {
			return !without
		}
	}
	return without
}

// filter returns the rows that f takes; reactors are few and all stay.
func (t *topRows) filter(f filter) *topRows {
	some := &topRows{reactors: append([]topReactor(nil), t.reactors...)}
	for i := range t.endpoints {
		if e := &t.endpoints[i]; f.takes(e.Name, e.Reactor, e.State, e.block.process.Name) {
			some.endpoints = append(some.endpoints, *e)
		}
	}
	for i := range t.rings {
		if r := &t.rings[i]; f.takes(r.Name, r.Reactor, r.block.process.Name) {
			some.rings = append(some.rings, *r)
		}
	}
	return some
}
