package dns

import (
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// shunned is how long a server that did not answer is asked after the others.
	shunned = 30 * time.Second
	// plainFor is how long EDNS is not tried again.
	plainFor = 15 * time.Minute
	// maxKnown is how many servers are remembered.
	maxKnown = 64
)

// servers is what is remembered of servers. The zero value is ready.
type servers struct {
	mu    sync.Mutex
	turn  int
	known map[netip.AddrPort]serverState
}

type serverState struct {
	shunnedUntil int64
	plainUntil   int64
}

// order is in which order to ask: all once, then all again, as often as there are
// attempts; those that have not answered lately come last each time.
func (v *servers) order(c *Config, now int64) []netip.AddrPort {
	v.mu.Lock()
	defer v.mu.Unlock()
	from := 0
	if c.Rotate {
		from = v.turn % len(c.Servers)
		v.turn++
	}
	round := slices.Concat(c.Servers[from:], c.Servers[:from])
	slices.SortStableFunc(round, func(a, b netip.AddrPort) int {
		return v.shunned(a, now) - v.shunned(b, now)
	})
	return slices.Repeat(round, c.Attempts)
}

func (v *servers) shunned(s netip.AddrPort, now int64) int {
	if state, ok := v.known[s]; ok && now < state.shunnedUntil {
		return 1
	}
	return 0
}

func (v *servers) change(s netip.AddrPort, f func(*serverState)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) >= maxKnown {
		v.known = make(map[netip.AddrPort]serverState)
	}
	state, ok := v.known[s]
	if !ok {
		state = serverState{shunnedUntil: math.MinInt64, plainUntil: math.MinInt64}
	}
	f(&state)
	v.known[s] = state
}

func (v *servers) answered(s netip.AddrPort) {
	v.change(s, func(state *serverState) { state.shunnedUntil = math.MinInt64 })
}

func (v *servers) silent(s netip.AddrPort, now int64) {
	v.change(s, func(state *serverState) { state.shunnedUntil = now + int64(shunned) })
}

func (v *servers) withoutEDNS(s netip.AddrPort, now int64) {
	v.change(s, func(state *serverState) { state.plainUntil = now + int64(plainFor) })
}

func (v *servers) knowsNoEDNS(s netip.AddrPort, now int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	state, ok := v.known[s]
	return ok && now < state.plainUntil
}
