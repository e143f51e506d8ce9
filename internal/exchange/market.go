package exchange

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

const (
	// maxStreams is how many streams one connection may subscribe to; Binance's limit.
	maxStreams = 1024
	// maxKnown is how many different streams one server makes.
	maxKnown = 16384
	// tick is the shortest time between two turns of the market.
	tick = time.Millisecond
	// maxDebt is how far the market catches up after it was held up. What was due
	// before is never made.
	maxDebt = 100 * time.Millisecond
)

var (
	errTooManyStreams = fmt.Errorf("more than %d streams on one connection", maxStreams)
	errTooManyKnown   = fmt.Errorf("more than %d streams on this server", maxKnown)
)

// market makes the messages of all streams. One goroutine, run, sleeps until
// messages are due, makes all of them, and appends them to the outbox of each
// subscriber; it never waits for a client.
type market struct {
	srv  *Server
	wake chan struct{} // a stream became active

	mu      sync.Mutex
	streams map[string]*stream
	symbols map[string]*symbol
	active  []*stream // those with subscribers
	record  *feed.Writer
	failed  error // the first error of record
}

// stream is one sequence of messages. Guarded by market.mu.
type stream struct {
	streamName
	sym  *symbol
	subs []*conn

	start   int64  // clock.Nano of the first message since it became active
	made    uint64 // messages since then
	seq     uint64 // last sequence number
	total   uint64 // messages made
	skipped uint64 // messages not made because the market was held up

	raw, wrapped batch // of one turn
}

// batch is frames in a row and where each ends.
type batch struct {
	frames []byte
	ends   []int
}

func (b *batch) reset() { b.frames, b.ends = b.frames[:0], b.ends[:0] }

// add appends a frame whose payload is the parts in a row.
func (b *batch) add(op frame.Opcode, parts ...[]byte) {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b.frames = frame.AppendHeader(b.frames, frame.Header{Fin: true, Opcode: op, Length: uint64(n)})
	for _, p := range parts {
		b.frames = append(b.frames, p...)
	}
	b.ends = append(b.ends, len(b.frames))
}

// stamp is the time of a message: milliseconds since 1970, and clock.Nano.
type stamp struct{ wall, mono int64 }

func newMarket(s *Server, record *feed.Writer) *market {
	return &market{
		srv:     s,
		wake:    make(chan struct{}, 1),
		streams: make(map[string]*stream),
		symbols: make(map[string]*symbol),
		record:  record,
	}
}

// run makes the market until the server stops.
func (m *market) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if next := m.turn(); next < 0 {
			timer.Stop()
		} else {
			timer.Reset(max(time.Duration(next-clock.Nano()), tick))
		}
		select {
		case <-timer.C:
		case <-m.wake:
		case <-m.srv.stop:
			return
		}
	}
}

// turn makes what is due and returns when the next message is; -1: no stream is active.
func (m *market) turn() (next int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rate := m.srv.cfg.Rate
	next = -1
	for _, st := range m.active {
		now := clock.Nano()
		due := uint64(float64(now-st.start)*rate/1e9) + 1
		if debt := uint64(rate*maxDebt.Seconds()) + 1; due > st.made+debt {
			st.skipped += due - st.made - debt
			st.made = due - debt
		}
		if due > st.made {
			m.make(st, due-st.made)
			m.publish(st)
			st.made = due
		}
		at := st.start + int64(float64(due)/rate*1e9) + 1
		if next < 0 || at < next {
			next = at
		}
	}
	return next
}

// make makes the next n messages of st.
func (m *market) make(st *stream, n uint64) {
	st.raw.reset()
	st.wrapped.reset()
	var raw, wrapped bool
	for _, c := range st.subs {
		raw = raw || !c.combined
		wrapped = wrapped || c.combined
	}
	now := time.Now()
	var buf [1024]byte
	head := []byte(`{"stream":"` + st.name + `","data":`)
	for range n {
		payload := st.next(buf[:0], stamp{now.UnixMilli(), clock.Nano()})
		if raw {
			st.raw.add(frame.Text, payload)
		}
		if wrapped {
			st.wrapped.add(frame.Text, head, payload, []byte{'}'})
		}
		if m.record != nil && m.failed == nil {
			m.failed = m.record.Write(feed.Line{Time: now.UnixNano(), Payload: payload})
		}
	}
	st.total += n
	m.srv.stats.messages.Add(n)
}

// next appends the next message.
func (st *stream) next(b []byte, at stamp) []byte {
	switch st.kind {
	case trade:
		st.seq++
		return st.sym.appendTrade(b, st.seq, at)
	case bookTicker:
		st.seq++
		return st.sym.appendBookTicker(b, st.seq, at)
	default:
		first := st.seq + 1
		st.seq += 1 + uint64(st.sym.random.IntN(4))
		return st.sym.appendDepth(b, first, st.seq, at)
	}
}

// publish hands the turn's messages to the subscribers.
func (m *market) publish(st *stream) {
	for _, c := range st.subs {
		b := &st.raw
		if c.combined {
			b = &st.wrapped
		}
		if errors.Is(c.out.put(b.frames, b.ends), errSlow) {
			c.abort(dropSlow)
		}
	}
}

// join subscribes c, which its own reading goroutine calls, as all of the
// following. All of the names or none.
func (m *market) join(c *conn, names []string) error {
	return m.joinAfter(c, names, func() {})
}

// joinAfter calls first, if c can be subscribed, before any message can follow.
func (m *market) joinAfter(c *conn, names []string, first func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var add []*stream
	for _, name := range names {
		st, err := m.stream(name)
		if err != nil {
			return err
		}
		if !slices.Contains(c.subs, st) && !slices.Contains(add, st) {
			add = append(add, st)
		}
	}
	if len(c.subs)+len(add) > maxStreams {
		return errTooManyStreams
	}
	first()
	for _, st := range add {
		c.subs = append(c.subs, st)
		if st.subs = append(st.subs, c); len(st.subs) == 1 {
			st.start, st.made = clock.Nano(), 0
			m.active = append(m.active, st)
		}
	}
	select {
	case m.wake <- struct{}{}:
	default: // it is awake already
	}
	return nil
}

// stream finds or makes a stream.
func (m *market) stream(name string) (*stream, error) {
	if st, ok := m.streams[name]; ok {
		return st, nil
	}
	n, err := parseStream(name)
	if err != nil {
		return nil, err
	}
	if len(m.streams) >= maxKnown {
		return nil, errTooManyKnown
	}
	sym, ok := m.symbols[n.symbol]
	if !ok {
		sym = newSymbol(n.symbol, m.srv.cfg.Seed)
		m.symbols[n.symbol] = sym
	}
	st := &stream{streamName: n, sym: sym}
	m.streams[name] = st
	return st, nil
}

// part ends subscriptions; names that c has not subscribed to are ignored.
func (m *market) part(c *conn, names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c.subs = slices.DeleteFunc(c.subs, func(st *stream) bool {
		if !slices.Contains(names, st.name) {
			return false
		}
		m.remove(st, c)
		return true
	})
}

// leave ends all subscriptions of c.
func (m *market) leave(c *conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, st := range c.subs {
		m.remove(st, c)
	}
	c.subs = nil
}

func (m *market) remove(st *stream, c *conn) {
	st.subs = slices.DeleteFunc(st.subs, func(s *conn) bool { return s == c })
	if len(st.subs) == 0 {
		m.active = slices.DeleteFunc(m.active, func(a *stream) bool { return a == st })
	}
}

// list returns the names that c has subscribed to, in order of subscription.
func (m *market) list(c *conn) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, len(c.subs))
	for i, st := range c.subs {
		names[i] = st.name
	}
	return names
}

// close completes the recording.
func (m *market) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.record == nil {
		return nil
	}
	return errors.Join(m.failed, m.record.Close())
}
