package tape

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// queues are the records of one connection that calls of it are answered from, each
// kind in its order.
type queues struct {
	reads, writes, flushes, waits, clocks, seeds, resolves, enters, dials []Record
	missing                                                               bool // bytes were lost: writes cannot be compared
	ended                                                                 bool // the reactor was told how the set-up had ended
}

func (q *queues) add(rec Record) {
	switch rec.Kind {
	case KindRead:
		q.reads = append(q.reads, rec)
	case KindWrite, KindControl:
		q.writes = append(q.writes, rec)
	case KindFlush:
		q.flushes = append(q.flushes, rec)
	case KindWait:
		q.waits = append(q.waits, rec)
	case KindClock:
		q.clocks = append(q.clocks, rec)
	case KindSeed:
		q.seeds = append(q.seeds, rec)
	case KindResolve:
		q.resolves = append(q.resolves, rec)
	case KindEnter:
		q.enters = append(q.enters, rec)
	case KindDialed:
		q.dials = append(q.dials, rec)
	case KindMissing:
		q.missing = true
	}
}

// take takes the first record of a queue.
func (c *Played) take(q *[]Record) (rec Record, ok bool) {
	if len(*q) == 0 {
		return rec, false
	}
	rec = (*q)[0]
	*q = (*q)[1:]
	c.last = rec.At
	return rec, true
}

// Played is a connection that is replayed: the seams of its set-up, and its clock.
// It belongs to the connector's goroutine, from Attach to Detach to the reactor's.
type Played struct {
	player   *Player
	user     endpoint.Seams
	num      uint32
	name     string
	setup    *queues
	hot      queues
	attached bool
	bare     bool // no reactor: everything is in setup

	stamp   int64
	stamped bool
	last    int64       // At of the record that was played last, for who records the replay
	stuck   atomic.Bool // its set-up waits for what the recording does not have
}

// Connect returns what replays the connection num of an endpoint, 0: one that the
// recording does not have, which never comes about.
func (p *Player) Connect(num uint32, name string, user endpoint.Seams) *Played {
	c := &Played{player: p, user: user, num: num, name: name, setup: p.setups[num]}
	if c.setup == nil {
		c.setup = new(queues)
	}
	if num != 0 {
		p.live[num] = c
		delete(p.setups, num)
	}
	return c
}

// Bare returns the next connection called name of a recording without a reactor
// (Bare.Connection).
func (p *Player) Bare(name string, user endpoint.Seams) (*Played, error) {
	src := p.src
	for {
		rec, err := src.Next()
		if err != nil {
			return nil, fmt.Errorf("tape: no further connection %q in the recording: %w", name, err)
		}
		if rec.Kind == KindConnect && string(rec.Text) == name {
			c := p.Connect(rec.Conn, name, user)
			c.bare = true
			return c, nil
		}
	}
}

// Num is the number of the connection in the recording.
func (c *Played) Num() uint32 { return c.num }

// Seams are those of the set-up.
func (c *Played) Seams() endpoint.Seams {
	s := c.user
	s.Dial, s.Clock, s.Rand, s.Resolver = c.dial, c, c.random, playedResolver{c}
	return s
}

// Stuck reports whether the set-up waits for something that the recording does not
// have, so that only the end of its context ends it. Any goroutine.
func (c *Played) Stuck() bool { return c.stuck.Load() }

// starve waits for the end of ctx.
func (c *Played) starve(ctx context.Context) error {
	c.stuck.Store(true)
	<-ctx.Done()
	c.stuck.Store(false)
	return context.Cause(ctx)
}

// Attach gives the connection to the reactor, Detach takes it away.
func (c *Played) Attach() { c.attached = true }

// Detach see Attach.
func (c *Played) Detach() {
	if c.attached { // else its set-up may still run, and looks
		c.unwritten()
		c.attached = false
	}
	if c.player.live[c.num] == c {
		delete(c.player.live, c.num)
	}
}

// Pending reports whether a read is to be made.
func (c *Played) Pending() bool { return len(c.hot.reads) > 0 }

// now is the queues that calls are answered from.
func (c *Played) now() *queues {
	if c.attached {
		return &c.hot
	}
	return c.setup
}

// unwritten tells of writes of the recording that were not made in this turn.
func (c *Played) unwritten() {
	for i := range c.hot.writes {
		if w := &c.hot.writes[i]; !c.hot.missing && w.Err.Class == OK {
			c.diverge("a write of the recording was not made", 0, append([]byte(nil), w.Data...), nil)
		}
	}
	c.hot.writes = c.hot.writes[:0]
}

// settle ends a turn.
func (c *Played) settle() {
	c.unwritten()
	if !c.attached { // it should have been by now; nothing will ever take these
		c.hot = queues{missing: c.hot.missing}
		return
	}
	for i := range c.hot.reads { // their memory is the turn's
		r := &c.hot.reads[i]
		if c.attached && r.Turn == c.player.turn.Number {
			c.diverge(fmt.Sprintf("a read of %d bytes of the recording was not made in its turn", len(r.Data)), 0, nil, nil)
		}
		r.Data, r.Text = append([]byte(nil), r.Data...), append([]byte(nil), r.Text...)
	}
	c.hot.flushes, c.hot.clocks, c.hot.waits = c.hot.flushes[:0], c.hot.clocks[:0], c.hot.waits[:0]
	c.hot.reads = append([]Record(nil), c.hot.reads...)
}

func (c *Played) diverge(what string, offset int, want, got []byte) {
	if !c.attached && !c.bare && !c.setup.ended {
		return // the recording ends in the midst of the set-up
	}
	p := c.player
	p.Diverge(&Divergence{Turn: p.number.Load(), At: p.Now(), Conn: c.num, Endpoint: c.name, What: what, Offset: offset, Want: want, Got: got})
}

// Now implements clock.Clock: what the clock said then.
func (c *Played) Now() int64 {
	if c.stamped {
		c.stamped = false
		// It was recorded when a read was too old: see Conn.Now.
		if q := c.now().clocks; len(q) == 0 || q[0].Arg2 == 0 || q[0].Arg2 != c.stamp {
			return c.stamp
		}
	}
	if rec, ok := c.take(&c.now().clocks); ok {
		return rec.Arg
	}
	return c.player.Now()
}

// Monotonic implements clock.Converter.
func (c *Played) Monotonic(wall, _ int64) int64 {
	if rec, ok := c.take(&c.now().clocks); ok {
		return rec.Arg
	}
	return wall - c.player.distance
}

func (c *Played) random() rand.Source {
	rec, ok := c.take(&c.now().seeds)
	switch {
	case !ok:
		c.diverge("more sources of randomness are asked for than were", 0, nil, nil)
		return newSeeded([32]byte{})
	case len(rec.Text) > 0:
		return &values{left: rec.Data}
	}
	var seed [32]byte
	copy(seed[:], rec.Data)
	return newSeeded(seed)
}

// Enter is told of the states that the set-up goes through.
func (c *Played) Enter(s endpoint.State) {
	if rec, ok := c.take(&c.setup.enters); ok && endpoint.State(rec.Arg) != s {
		c.diverge(fmt.Sprintf("the set-up comes to state %v; recorded: %v", s, endpoint.State(rec.Arg)), 0, nil, nil)
	}
}

// dial is Seams.Dial: what it answered then.
func (c *Played) dial(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
	rec, ok := c.take(&c.setup.dials)
	before := rec.Seq
	if !ok {
		before = 1<<64 - 1
	}
	for len(c.setup.enters) > 0 && c.setup.enters[0].Seq < before {
		phase, known := phaseOf(endpoint.State(c.setup.enters[0].Arg))
		if !known {
			break
		}
		left := len(c.setup.enters)
		if o != nil && o.OnPhase != nil {
			o.OnPhase(phase) // which tells Enter
		}
		if len(c.setup.enters) == left {
			_, _ = c.take(&c.setup.enters)
		}
	}
	if !ok { // it had not ended when the recording did
		return nil, c.starve(ctx)
	}
	c.last = rec.At
	if string(rec.Text) != target {
		c.diverge(fmt.Sprintf("%s is dialled; recorded: %s", target, rec.Text), 0, nil, nil)
	}
	if rec.Err.Class != OK {
		return nil, rec.Err.dialError(target)
	}
	var peer Peer
	if err := json.Unmarshal(rec.Data, &peer); err != nil {
		return nil, fmt.Errorf("tape: the recorded peer of %s cannot be read: %w", target, err)
	}
	if peer.Layer == BelowTLS {
		return nil, fmt.Errorf("tape: %s was recorded below TLS: %w without decryption (boomctl capture import)", target, errors.ErrUnsupported)
	}
	return c.newStream(&peer, int(rec.Arg)), nil
}

func phaseOf(s endpoint.State) (stream.Phase, bool) {
	switch s {
	case endpoint.Resolving:
		return stream.Resolving, true
	case endpoint.Connecting:
		return stream.Connecting, true
	case endpoint.Securing:
		return stream.Securing, true
	}
	return 0, false
}

// dialError is the error of a dial that failed.
func (e *Error) dialError(target string) error {
	if e.Phase == 0 {
		return e.Err()
	}
	d := &stream.DialError{Phase: stream.Phase(e.Phase), Target: target}
	inner := *e
	inner.Phase = 0
	// "stream: PHASE TARGET[ (ADDR)]: CAUSE"
	if rest, ok := strings.CutPrefix(e.Text, "stream: "+d.Phase.String()+" "+target); ok {
		if a, cause, ok := strings.Cut(rest, ": "); ok {
			d.Addr, inner.Text = strings.TrimSuffix(strings.TrimPrefix(a, " ("), ")"), cause
		}
	}
	d.Err = inner.Err()
	return d
}

type playedResolver struct{ c *Played }

// LookupNetIP implements dns.Resolver: what the resolver answered then.
func (r playedResolver) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	rec, ok := r.c.take(&r.c.setup.resolves)
	if !ok {
		return nil, r.c.starve(ctx)
	}
	if string(rec.Text) != host {
		r.c.diverge(fmt.Sprintf("the addresses of %s are asked for; recorded: %s", host, rec.Text), 0, nil, nil)
	}
	if rec.Err.Class != OK {
		return nil, rec.Err.Err()
	}
	var found []netip.Addr
	for _, s := range strings.Fields(string(rec.Data)) {
		if a, err := netip.ParseAddr(s); err == nil {
			found = append(found, a)
		}
	}
	return found, nil
}
