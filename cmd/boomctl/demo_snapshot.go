package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
)

// snapshot is everything that the demo shows, at one moment. The renderings
// (screen, lines, JSON) are functions of it alone.
type snapshot struct {
	elapsed  time.Duration
	final    bool
	setup    setup
	symbols  []symbolRow
	reactor  reactor.Stats
	receive  quantiles
	send     quantiles
	journal  []*recovery // oldest first
	goodbye  int         // connections closed in order, at the end
	dropped  int64       // events that the journal missed
	finished string      // why it ended, final only
}

// setup is what does not change during a run.
type setup struct {
	url      string // of the exchange
	tls      string // version and cipher, as far as known
	source   string // what the exchange sends
	where    string // placement, a sentence
	tuned    string // settings of the process that were changed
	cpu      string // of the reactor
	selector string
	idle     string
	faults   string
	limit    time.Duration // of the run; 0: until Ctrl-C
}

// symbolRow is an endpoint.
type symbolRow struct {
	name       string
	state      endpoint.State
	since      time.Duration // how long it has been in that state
	messages   int64
	perSecond  int64 // messages in the last second; over the whole run in the final snapshot
	bytes      int64
	reconnects int64
	reason     string // why the last connection was lost; "": none was
	price      int64  // in units of 10^-8; 0: none yet
}

// quantiles of a latency in nanoseconds, over the whole run. They mean nothing
// when count is 0.
type quantiles struct {
	count, p50, p99, p999, max int64
}

// read takes the quantiles of h, by way of s.
func (w *watcher) read(h *stats.Histogram) quantiles {
	s := &w.scratch
	h.ReadInto(s)
	return quantiles{
		count: s.Count(),
		p50:   s.ValueAtQuantile(0.5), p99: s.ValueAtQuantile(0.99), p999: s.ValueAtQuantile(0.999),
		max: s.Max(),
	}
}

// watcher takes snapshots of a running demo. One goroutine uses it.
type watcher struct {
	setup   setup
	reactor *reactor.Reactor
	markets []*market
	ids     []reactor.ID
	latency *latencies
	events  *eventRing
	journal *journal

	scratch stats.Snapshot
	start   int64
	began   time.Time // start, by the wall clock
	rated   int64     // when the rates were last taken
	counted []int64   // messages of each endpoint then
	rates   []int64
}

// collect takes the waiting events into the journal, and tells each of them and
// the recovery that it belongs to, if there is one.
func (w *watcher) collect(tell func(endpoint.Event, *recovery)) {
	for e, ok := w.events.take(); ok; e, ok = w.events.take() {
		tell(e, w.journal.add(e))
	}
}

// look takes a snapshot. The rates are taken anew when a second has passed.
func (w *watcher) look() (*snapshot, error) {
	now := clock.Nano()
	s := &snapshot{
		elapsed: time.Duration(now - w.start),
		setup:   w.setup,
		reactor: w.reactor.Stats(),
		receive: w.read(w.latency.receive),
		send:    w.read(w.latency.send),
		journal: slices.Clone(w.journal.all),
		dropped: w.events.dropped.Load(),
	}
	s.setup.idle = w.reactor.Idle().String() // an operator may have changed it
	interval := time.Duration(now - w.rated)
	fresh := interval >= time.Second-20*time.Millisecond
	for i, id := range w.ids {
		info, err := w.reactor.Lookup(id)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.markets[i].Name, err)
		}
		if fresh {
			w.rates[i] = perSecond(info.Messages-w.counted[i], interval)
			w.counted[i] = info.Messages
		}
		row := symbolRow{
			name:     info.Name,
			state:    info.State,
			since:    time.Duration(now - info.Since),
			messages: info.Messages, perSecond: w.rates[i],
			bytes: info.Bytes, reconnects: info.Reconnects(),
			price: w.markets[i].price.Value(),
		}
		if info.Loss != nil {
			row.reason = info.Loss.Summary()
		}
		s.symbols = append(s.symbols, row)
	}
	if fresh {
		w.rated = now
	}
	return s, nil
}

// conclude makes s the final snapshot: its rates are those of the whole run.
func (s *snapshot) conclude(why string) {
	s.final, s.finished = true, why
	for i := range s.symbols {
		s.symbols[i].perSecond = perSecond(s.symbols[i].messages, s.elapsed)
	}
}

func perSecond(n int64, d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64(float64(n)/d.Seconds() + 0.5)
}
