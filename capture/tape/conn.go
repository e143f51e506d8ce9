package tape

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"

	crand "crypto/rand"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// Conn records one connection: what its set-up asks of the world and what its
// stream carries. It belongs to the connector's goroutine, from Attach to Detach to
// the reactor's, and to the housekeeper's in the end.
type Conn struct {
	rec       *Recorder
	user      endpoint.Seams
	num, slot uint32
	attached  bool
	wall      clock.Wall

	stamp     int64  // the time of the last read, if stamped: what the clock says next
	stampTurn uint64 // in which that was: turn, or past
	stamped   bool

	lostIn, lostOut int64 // bytes that could not be recorded, and that was not said yet
}

// Seams are the seams of the connection's set-up: those it was made with, with a
// recorder in each.
func (c *Conn) Seams() endpoint.Seams {
	s := c.user
	s.Dial = c.dial
	s.Clock = c
	s.Rand = c.random
	s.Resolver = &resolver{c, s.Resolver}
	return s
}

// Attach gives the connection to the reactor, Detach takes it away.
func (c *Conn) Attach() { c.attached = true }

// Detach is the end of it there; what is left is to free it.
func (c *Conn) Detach() { c.attached = false }

// write records rec.
func (c *Conn) write(rec *Record) {
	rec.Conn, rec.Slot = c.num, c.slot
	if c.lostIn|c.lostOut != 0 {
		lost := Record{Kind: KindMissing, At: rec.At, Conn: c.num, Slot: c.slot, Arg: c.lostIn, Arg2: c.lostOut}
		if c.keep(&lost) {
			c.lostIn, c.lostOut = 0, 0
		}
	}
	// If that has found no room, it was counted as the record that is lost: this one.
	if c.lostIn|c.lostOut == 0 && c.keep(rec) {
		return
	}
	switch rec.Kind {
	case KindRead:
		c.lostIn += int64(len(rec.Data))
	case KindWrite, KindControl:
		c.lostOut += int64(len(rec.Data))
	}
}

// keep records rec on the side on which the connection is. It reports whether there
// was room.
func (c *Conn) keep(rec *Record) bool {
	if c.attached {
		return c.rec.hot(rec)
	}
	return c.rec.aside(rec)
}

// turn is the reactor's turn, 0 during the set-up.
func (c *Conn) turn() uint64 {
	if c.attached {
		return c.rec.turns
	}
	return 0
}

// past is the turn of a stamp that a later call of the stream has made old.
const past = math.MaxUint64

// Now implements clock.Clock. After a read it says when that was, once: a protocol
// that stamps its reads does not ask the machine again. A read of another turn, or
// before the last call of the stream, is too old for that.
func (c *Conn) Now() int64 {
	old := int64(0)
	if c.stamped {
		c.stamped = false
		if c.stampTurn == c.turn() {
			if played, ok := c.user.Clock.(*Played); ok {
				played.stamped = false
			}
			return c.stamp
		}
		old = c.stamp
	}
	now := c.rec.clock.Now()
	if played, ok := c.user.Clock.(*Played); ok {
		now = played.Now()
	}
	c.write(&Record{Kind: KindClock, At: now, Arg: now, Arg2: old})
	return now
}

// now is the time of what happens: when a replay is recorded, the time of what was
// played last.
func (c *Conn) now() int64 {
	if played, ok := c.user.Clock.(*Played); ok {
		return played.last
	}
	return c.rec.clock.Now()
}

// Monotonic implements clock.Converter.
func (c *Conn) Monotonic(wall, now int64) int64 {
	at := c.wall.Monotonic(wall, now)
	if own, ok := c.user.Clock.(clock.Converter); ok {
		at = own.Monotonic(wall, now)
	}
	c.write(&Record{Kind: KindClock, At: now, Arg: at})
	return at
}

// random is Seams.Rand: a source whose seed is recorded.
func (c *Conn) random() rand.Source {
	var from rand.Source
	if c.user.Rand != nil {
		from = c.user.Rand()
	}
	seed := newSeed(from)
	c.write(&Record{Kind: KindSeed, At: c.now(), Data: seed[:]})
	return rand.NewChaCha8(seed)
}

// newSeed is one from a source, or from the system's randomness.
func newSeed(from rand.Source) (seed [32]byte) {
	if s, ok := from.(*seeded); ok { // a replay is recorded
		return s.seed
	}
	if from == nil {
		_, _ = crand.Read(seed[:]) // never fails: it ends the process instead
		return seed
	}
	for i := 0; i < len(seed); i += 8 {
		binary.LittleEndian.PutUint64(seed[i:], from.Uint64())
	}
	return seed
}

// Enter is told of the states that the set-up goes through.
func (c *Conn) Enter(s endpoint.State) {
	c.write(&Record{Kind: KindEnter, At: c.now(), Arg: int64(s)})
}

// dial is Seams.Dial.
func (c *Conn) dial(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
	var opts stream.Options
	if o != nil {
		opts = *o
	}
	if opts.Resolver == nil {
		opts.Resolver = c.user.Resolver
	}
	if _, ok := opts.Resolver.(*resolver); !ok {
		opts.Resolver = &resolver{c, opts.Resolver}
	}
	wrapped := false
	if c.rec.cfg.BelowTLS && strings.HasPrefix(target, "tls:") {
		user := opts.Wrap
		opts.Wrap = func(s stream.Stream) (stream.Stream, error) {
			if user != nil {
				var err error
				if s, err = user(s); err != nil {
					return nil, err
				}
			}
			wrapped = true
			c.dialed(target, s, BelowTLS)
			return c.wrap(s), nil
		}
		if c.rec.cfg.Secrets {
			opts.TLS = c.logKeys(opts.TLS)
		}
	}
	dial := c.user.Dial
	if dial == nil {
		dial = func(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
			return o.Dial(ctx, target)
		}
	}
	s, err := dial(ctx, target, &opts)
	if err != nil {
		c.write(&Record{Kind: KindDialed, At: c.now(), Text: []byte(target), Err: ErrorOf(err)})
		return nil, err
	}
	if wrapped {
		return s, nil
	}
	layer := Plain
	if _, ok := s.(stream.Secured); ok {
		layer = AboveTLS
	}
	c.dialed(target, s, layer)
	return c.wrap(s), nil
}

func (c *Conn) dialed(target string, s stream.Stream, layer string) {
	p := Peer{Layer: layer}
	if a, ok := s.(stream.Addressed); ok {
		p.Local, p.Remote = a.LocalAddr(), a.RemoteAddr()
	}
	if t, ok := s.(stream.Stamped); ok {
		p.Timestamps = uint8(t.Timestamps())
	}
	if t, ok := s.(stream.Secured); ok {
		state := t.ConnectionState()
		p.Version, p.Suite, p.Resumed = state.Version, state.CipherSuite, state.DidResume
		p.ALPN, p.ServerName = state.NegotiatedProtocol, state.ServerName
	}
	data, _ := json.Marshal(&p) // of a plain struct: cannot fail
	c.write(&Record{Kind: KindDialed, At: c.now(), Text: []byte(target), Data: data, Arg: int64(s.Room())})
}

// logKeys has the keys of connections that config makes recorded.
func (c *Conn) logKeys(config *tls.Config) *tls.Config {
	if config == nil {
		config = new(tls.Config)
	}
	config = config.Clone()
	config.KeyLogWriter = &keys{c, config.KeyLogWriter}
	return config
}

type keys struct {
	c    *Conn
	user io.Writer
}

// Write records lines of a key log; the handshake makes them, on the connector.
func (k *keys) Write(p []byte) (int, error) {
	k.c.write(&Record{Kind: KindSecrets, At: k.c.now(), Data: p})
	if k.user != nil {
		return k.user.Write(p)
	}
	return len(p), nil
}

// resolver records what a resolver answers.
type resolver struct {
	c    *Conn
	user dns.Resolver
}

// LookupNetIP implements dns.Resolver.
func (r *resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	ask := r.user
	if ask == nil {
		ask = dns.System
	}
	found, err := ask.LookupNetIP(ctx, network, host)
	var data []byte
	for i, a := range found {
		if i > 0 {
			data = append(data, ' ')
		}
		data = a.AppendTo(data)
	}
	r.c.write(&Record{Kind: KindResolve, At: r.c.now(), Text: []byte(host), Data: data, Err: ErrorOf(err)})
	return found, err
}
