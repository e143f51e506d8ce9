package ring

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The protocol of Park, publish and Close as steps, each atomic, of three actors:
// a producer that publishes, somebody who closes, and a consumer that drains,
// parks, sleeps on an eventfd and begins again.
type step int

const (
	storePublished step = iota // published++, seen by all at once (XCHG)
	holdPublished              // published++ into the store buffer (MOV): seen later
	storeClosed                // closed = 1
	loadParked                 // if parked == 0: skip the swap and the wake
	swapParked                 // if swap(parked, 0) == 0: skip the wake
	lowerParked                // parked = 0, in place of the swap
	wake                       // write to the eventfd

	loadClosed // remember closed
	drain      // head = published; the end when closed was remembered and nothing came
	raise      // parked = 1
	holdRaise  // parked = 1 into the store buffer
	look       // if published != head: go on at unpark
	lookClosed // if closed: go on at unpark
	readEvent  // read the eventfd, without waiting
	sleep      // wait for the eventfd, and read it
	unpark     // parked = 0, then from the beginning
)

// protocol is the program of each actor.
type protocol struct{ publish, close, consume []step }

// asCoded is publish with notify, Close with notify, and Park as a reactor uses it.
var asCoded = protocol{
	publish: []step{storePublished, loadParked, swapParked, wake},
	close:   []step{storeClosed, loadParked, swapParked, wake},
	consume: []step{loadClosed, drain, raise, look, lookClosed, sleep, unpark},
}

// with returns the protocol with one program changed.
func (p protocol) with(change func(*protocol)) protocol {
	p.publish, p.close, p.consume = slices.Clone(p.publish), slices.Clone(p.close), slices.Clone(p.consume)
	change(&p)
	return p
}

// world is one state of all of it.
type world struct {
	published, head int
	closed, parked  bool
	event           bool // what the eventfd counted is above 0

	heldPublished, heldRaise bool // in a store buffer

	sent, p, x, c  int // messages published; where each actor is
	pSkip, xSkip   bool
	sawClosed, end bool
	owed           int // raises without a wake for each; no more are counted than wakes can come
}

const sends = 3

// notify does a step that publish and Close share. skip is the actor's own: what it
// found in parked last.
func (w *world) notify(s step, skip *bool) {
	switch s {
	case storePublished:
		w.published++
	case holdPublished:
		w.heldPublished = true
	case storeClosed:
		w.closed = true
	case loadParked:
		*skip = !w.parked
	case swapParked:
		if !*skip {
			*skip, w.parked = !w.parked, false
		}
	case lowerParked:
		w.parked = w.parked && *skip
	case wake:
		if !*skip {
			w.event = true
			w.owed--
		}
	}
}

// next returns every state that one step of one actor, or a store that leaves its
// buffer, or a sleep that times out, makes of w.
func (p protocol) next(w world, timeouts bool) (all []world) {
	if w.heldPublished {
		n := w
		n.heldPublished = false
		n.published++
		all = append(all, n)
	}
	if w.heldRaise {
		n := w
		n.heldRaise, n.parked = false, true
		all = append(all, n)
	}
	if w.sent < sends {
		// A second publish finds the buffer of the model full; a swap empties it.
		if s := p.publish[w.p]; !w.heldPublished || s != holdPublished && s != swapParked {
			n := w
			n.notify(s, &n.pSkip)
			if n.p++; n.p == len(p.publish) {
				n.p, n.pSkip = 0, false
				n.sent++
			}
			all = append(all, n)
		}
	}
	if w.x < len(p.close) {
		n := w
		n.notify(p.close[w.x], &n.xSkip)
		n.x++
		all = append(all, n)
	}
	if n, ok := p.consumerStep(w, timeouts); ok {
		all = append(all, n)
	}
	return all
}

func (p protocol) consumerStep(n world, timeouts bool) (world, bool) {
	if n.end {
		return n, false
	}
	last := len(p.consume) - 1 // unpark
	s := p.consume[n.c]
	n.c++
	switch s {
	case loadClosed:
		n.sawClosed = n.closed
	case drain:
		n.end = n.sawClosed && n.head == n.published
		n.head = n.published
	case raise:
		n.parked = true
		n.owed = min(n.owed+1, sends+1)
	case holdRaise:
		n.heldRaise = true
		n.owed = min(n.owed+1, sends+1)
	case look:
		if n.published != n.head {
			n.c = last
		}
	case lookClosed:
		if n.closed {
			n.c = last
		}
	case readEvent:
		n.event = false
	case sleep:
		if !n.event && !timeouts {
			return n, false
		}
		n.event = false
	case unpark:
		if n.heldRaise { // the buffer keeps the order
			return n, false
		}
		n.parked, n.c = false, 0
	}
	return n, true
}

// check walks through every interleaving. stuck counts the states in which nobody
// can move and the consumer sleeps through a message or Close; twice those with
// more wakes than parks.
func (p protocol) check(timeouts bool) (states, stuck, twice int) {
	seen := map[world]bool{{}: true}
	for todo := []world{{}}; len(todo) > 0; {
		w := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if w.owed < 0 {
			twice++
			continue
		}
		all := p.next(w, timeouts)
		if len(all) == 0 && !w.end && (w.closed || w.published != w.head) {
			stuck++
		}
		for _, n := range all {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return len(seen), stuck, twice
}

// Under every interleaving the consumer sleeps through nothing and a park is woken
// at most once; and the search finds what is wrong with each protocol that is not
// quite this one.
func TestParkInterleavings(t *testing.T) {
	nobodyCloses := func(p *protocol) { p.close = nil }
	for _, p := range []protocol{asCoded, asCoded.with(nobodyCloses)} {
		for _, timeouts := range []bool{false, true} {
			states, stuck, twice := p.check(timeouts)
			require.Greater(t, states, 100)
			require.Zero(t, stuck)
			require.Zero(t, twice)
		}
	}
	for name, wrong := range map[string]func(*protocol){
		"published by MOV, the load of parked passes it": func(p *protocol) {
			p.publish[0] = holdPublished
		},
		"parked is looked at before publishing": func(p *protocol) {
			p.publish = []step{loadParked, storePublished, swapParked, wake}
		},
		"raised by MOV, the look passes it": func(p *protocol) {
			p.consume[2] = holdRaise
		},
		"looks, then raises": func(p *protocol) {
			p.consume = []step{loadClosed, drain, look, lookClosed, raise, sleep, unpark}
		},
		"raises and does not look": func(p *protocol) {
			p.consume = []step{loadClosed, drain, raise, sleep, unpark}
		},
		"reads the eventfd between Park and the sleep": func(p *protocol) {
			p.consume = []step{loadClosed, drain, raise, look, lookClosed, readEvent, sleep, unpark}
		},
	} {
		_, stuck, _ := asCoded.with(nobodyCloses).with(wrong).check(false)
		require.NotZero(t, stuck, name)
	}
	for name, wrong := range map[string]func(*protocol){
		"does not look at closed": func(p *protocol) {
			p.consume = []step{loadClosed, drain, raise, look, sleep, unpark}
		},
		"Close wakes nobody": func(p *protocol) { p.close = p.close[:1] },
		"Close wakes, then closes": func(p *protocol) {
			p.close = []step{loadParked, swapParked, wake, storeClosed}
		},
	} {
		_, stuck, _ := asCoded.with(wrong).check(false)
		require.NotZero(t, stuck, name)
	}
	_, stuck, twice := asCoded.with(func(p *protocol) {
		p.publish[2], p.close[2] = lowerParked, lowerParked
	}).check(false)
	require.Zero(t, stuck)
	require.NotZero(t, twice, "two that load and store parked, in place of a swap, both wake")
}
