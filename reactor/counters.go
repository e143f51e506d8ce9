package reactor

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
)

// counters are what a reactor counts of itself: by itself alone, and published now
// and then, so that a turn without work pays for an addition and nothing else.
type counters struct {
	turns, workTurns, work, parks, mail, timers, undelivered int64

	begun   int64 // when the work of this turn began
	working bool  // the turn that began then had work
	busy    int64 // ns in turns with work

	generation uint32
	dirty      int
	block      *stats.Block
	cells      [7]*stats.Counter
	busyCell   *stats.Counter
	longest    *stats.Gauge
	idle       *stats.Text
	age        *stats.Histogram
	errors     *stats.Errors
	last       atomic.Pointer[Stats] // of a reactor that has ended
}

// publishEvery is how many idle turns may pass before they are published.
const publishEvery = 256

func (c *counters) init(cfg *Config) {
	b := cfg.Counters.NewBlock(stats.ReactorBlock, cfg.Name, "")
	c.block = b
	for i, d := range [...]struct{ name, unit, help string }{
		{"turns", "turns", "rounds of the reactor's loop"},
		{"work_turns", "turns", "rounds that found something to do"},
		{"work", "items", "network reads, messages and timers handled"},
		{"parks", "parks", "times the reactor waited in its selector"},
		{"mail", "messages", "messages received from other goroutines"},
		{"timers", "timers", "timers fired"},
		{"undelivered", "messages", "dispatches whose endpoint had been deregistered"},
	} {
		c.cells[i] = b.Counter(d.name, d.unit, d.help)
	}
	c.busyCell = b.Counter("busy", "ns", "time in rounds that found something to do")
	c.longest = b.Gauge("longest_turn", "ns", "longest round that found something to do")
	cpu := b.Gauge("cpu", "cpu", "CPU that the reactor is pinned to; -1: none")
	cpu.Set(-1)
	if n, fixed := cfg.CPU.CPU(); fixed {
		cpu.Set(int64(n))
	}
	c.idle = b.Text("idle", "how the reactor waits for work")
	b.Text("selector", "how it finds what is ready").Set(cfg.Selector.String())
	c.age = b.Histogram(ageName, "ns", "from the kernel's receipt to the handler, each network read that is stamped")
	c.errors = b.Errors("errors", "why connections, and tries to make one, have ended: distinct texts, numbers and addresses left out")
}

// ageName names the histograms of what stream.Options.Timestamps measures.
const ageName = "wire_to_handler"

// settle counts the time of a turn that had work, when the next one begins: the
// clock is read once a turn.
func (c *counters) settle(now int64) {
	if c.working {
		c.working = false
		took := now - c.begun
		c.busy += took
		if took > c.longest.Value() {
			c.longest.Set(took)
		}
	}
	c.begun = now
}

func (c *counters) turn(work int) {
	c.turns++
	if work > 0 {
		c.working = true
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

// lost notes why a connection has ended. The orderly ends that the user asked for
// are no errors.
func (c *counters) lost(loss *endpoint.LossError) {
	if !deliberate(loss) {
		c.errors.Add(time.Now(), distinct(loss))
	}
}

func (c *counters) publish() {
	c.dirty = 0
	for i, v := range [...]int64{c.turns, c.workTurns, c.work, c.parks, c.mail, c.timers, c.undelivered} {
		c.cells[i].Store(v)
	}
	c.busyCell.Store(c.busy)
}

func (c *counters) stats() Stats {
	n := &c.cells
	return Stats{
		Turns: n[0].Value(), WorkTurns: n[1].Value(), Work: n[2].Value(), Parks: n[3].Value(),
		Mail: n[4].Value(), Timers: n[5].Value(), Undelivered: n[6].Value(),
		Busy: time.Duration(c.busyCell.Value()), LongestTurn: time.Duration(c.longest.Value()),
	}
}

// end publishes for the last time and gives the block back.
func (c *counters) end() {
	c.publish()
	last := c.stats()
	c.last.Store(&last)
	c.block.Free()
}

// reset empties the histogram and forgets the longest turn. Reactor only.
func (c *counters) reset() {
	c.age.Reset()
	c.longest.Set(0)
}

// cells are an endpoint's numbers: written by the reactor, read by anybody.
type cells struct {
	block      *stats.Block
	messages   *stats.Counter
	bytes      *stats.Counter
	reads      *stats.Counter
	sent       *stats.Counter
	bytesSent  *stats.Counter
	refused    *stats.Counter
	queued     *stats.Gauge
	queuedMost *stats.Gauge
	opens      *stats.Counter
	reconnects *stats.Counter
	losses     *stats.Counter
	conn       *stats.Gauge
	state      *stats.Gauge
	since      *stats.Gauge
	lastLoss   *stats.Text
	delay      *stats.Histogram // nil without a counters file
	loss       atomic.Pointer[endpoint.LossError]
	age        atomic.Pointer[stats.Histogram]
	ageOnce    sync.Once
}

func (c *cells) init(cfg *Config, name string, now int64) {
	b := cfg.Counters.NewBlock(stats.EndpointBlock, name, cfg.Name)
	c.block = b
	c.messages = b.Counter("messages", "messages", "whole messages received, over all connections")
	c.bytes = b.Counter("bytes", "bytes", "bytes received from the stream, framing included")
	c.reads = b.Counter("reads", "reads", "network reads that brought bytes")
	c.sent = b.Counter("sent", "frames", "frames accepted for sending, pongs and close frames included")
	c.bytesSent = b.Counter("bytes_sent", "bytes", "bytes accepted for sending, framing included")
	c.refused = b.Counter("refused", "messages", "messages refused because the write queue was full")
	c.queued = b.Gauge("queue", "bytes", "bytes accepted that the kernel has not taken, of the connection driven last")
	c.queuedMost = b.Gauge("queue_high_water", "bytes", "most that the queue has held after a call of the endpoint")
	c.opens = b.Counter("opens", "connections", "connections that reached the state open")
	c.reconnects = b.Counter("reconnects", "connections", "connections that reached the state open, the first left out")
	c.losses = b.Counter("losses", "connections", "connections, and tries to make one, that ended")
	c.conn = b.Gauge("connection", "id", "id of the youngest connection")
	c.state = b.Gauge("state", "state", "endpoint.State as a number")
	c.since = b.Gauge("since", "ns", "CLOCK_MONOTONIC at which the state began")
	c.since.Set(now)
	c.lastLoss = b.Text("last_loss", "phase and cause of the last loss")
	if cfg.Counters != nil {
		c.delay = b.Histogram("receive_to_handler", "ns", "from the end of a network read to the handler")
	}
}

func (c *cells) received(messages, bytes int64) {
	c.messages.Add(messages)
	c.bytes.Add(bytes)
}

// moved counts what a connection has read and sent between two looks at it.
func (c *cells) moved(before, now *endpoint.Traffic) {
	c.reads.Add(now.Reads - before.Reads)
	if now.Sent != before.Sent {
		c.sent.Add(now.Sent - before.Sent)
		c.bytesSent.Add(now.BytesSent - before.BytesSent)
	}
	if now.Refused != before.Refused {
		c.refused.Add(now.Refused - before.Refused)
	}
}

// queue notes how many bytes are queued.
func (c *cells) queue(n int64) {
	if n == c.queued.Value() {
		return
	}
	c.queued.Set(n)
	if n > c.queuedMost.Value() {
		c.queuedMost.Set(n)
	}
}

// begun counts a connection whose set-up begins, the one that renews included.
func (c *cells) begun(id uint32) { c.conn.Set(int64(id)) }

// opened counts a connection that is open, the one that renews included: it may
// be lost before it becomes the current one.
func (c *cells) opened() {
	if c.opens.Value() > 0 {
		c.reconnects.Add(1)
	}
	c.opens.Add(1)
}

func (c *cells) enter(state endpoint.State, now int64) {
	c.since.Set(now)
	c.state.Set(int64(state))
}

func (c *cells) lost(loss *endpoint.LossError) {
	c.losses.Add(1)
	c.loss.Store(loss)
	c.lastLoss.Set(loss.Summary())
}

// stamped makes the histogram of an endpoint with stamped connections: 18 KiB
// that others do without. Connector goroutines.
func (c *cells) stamped() *stats.Histogram {
	c.ageOnce.Do(func() {
		c.age.Store(c.block.Histogram(ageName, "ns", "from the kernel's receipt to the handler, each network read"))
	})
	return c.age.Load()
}

// reset empties the histograms, and the high-water mark of the queue. Reactor only.
func (c *cells) reset() {
	c.queuedMost.Set(c.queued.Value())
	for _, h := range []*stats.Histogram{c.delay, c.age.Load()} {
		if h != nil {
			h.Reset()
		}
	}
}
