package main

import (
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// eventRing brings life-cycle events from the reactor's goroutine, which must
// neither wait nor wake anybody, to the display, which looks often enough. One
// goroutine puts, one takes. What finds the ring full is counted and dropped.
type eventRing struct {
	slots   [256]endpoint.Event
	put     atomic.Uint64 // how many were put; moved by the reactor
	taken   atomic.Uint64 // how many were taken; moved by the display
	dropped atomic.Int64
}

// observe is the endpoint.Seams.Observer.
func (r *eventRing) observe(e endpoint.Event) {
	put := r.put.Load()
	if put-r.taken.Load() == uint64(len(r.slots)) {
		r.dropped.Add(1)
		return
	}
	r.slots[put%uint64(len(r.slots))] = e
	r.put.Store(put + 1)
}

// take returns the oldest event.
func (r *eventRing) take() (e endpoint.Event, ok bool) {
	taken := r.taken.Load()
	if taken == r.put.Load() {
		return e, false
	}
	slot := &r.slots[taken%uint64(len(r.slots))]
	e, *slot = *slot, endpoint.Event{}
	r.taken.Store(taken + 1)
	return e, true
}

// recovery is what an endpoint went through to be open: from its beginning, or
// from a loss.
type recovery struct {
	at      time.Time
	name    string
	loss    string           // why the connection was lost; "" at the beginning
	backoff time.Duration    // how long it waits before it tries; -1: not known
	steps   []endpoint.State // the states since
	took    time.Duration    // from the beginning of it all to open; 0: not yet
}

// done reports whether nothing will be added to v any more.
func (v *recovery) done() bool {
	if v.took > 0 || len(v.steps) == 0 {
		return v.took > 0
	}
	last := v.steps[len(v.steps)-1]
	return last == endpoint.Failed || last == endpoint.Closed
}

// journal makes recoveries of events. The display's goroutine owns it.
type journal struct {
	wall    func(at int64) time.Time // wall-clock time of a time of package clock
	all     []*recovery              // oldest first, journalLength at most
	open    map[string]*recovery     // by endpoint, those that go on
	began   map[string]int64         // when those began
	goodbye int                      // connections that ended with a close handshake in order
}

const journalLength = 64

func newJournal(wall func(int64) time.Time) *journal {
	return &journal{wall: wall, open: map[string]*recovery{}, began: map[string]int64{}}
}

// add takes an event. It returns the recovery that it is part of, nil for none.
func (j *journal) add(e endpoint.Event) *recovery {
	if e.State == endpoint.Closed || e.State == endpoint.Closing {
		if e.Loss != nil && ws.CloseStatus(e.Loss) == frame.CloseNormal {
			j.goodbye++
		}
		return nil
	}
	v := j.open[e.Name]
	if e.Loss != nil || v == nil {
		v = &recovery{at: j.wall(e.At), name: e.Name, backoff: -1}
		j.open[e.Name], j.began[e.Name] = v, e.At
		if j.all = append(j.all, v); len(j.all) > journalLength {
			j.all = j.all[1:]
		}
	}
	switch e.State {
	case endpoint.Backoff:
		v.loss, v.backoff = e.Loss.Summary(), e.Delay
	case endpoint.Failed:
		v.loss = e.Loss.Summary()
		v.steps = append(v.steps, e.State)
	case endpoint.Resolving: // the exchange has a literal address: there is nothing to see
	case endpoint.Open:
		v.took = max(time.Duration(e.At-j.began[e.Name]), 1)
		delete(j.open, e.Name)
		fallthrough
	default:
		v.steps = append(v.steps, e.State)
	}
	return v
}
