package tape

import (
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
)

// What the reactor tells. All of it is called on the reactor's goroutine, except for
// Use and End, and none of it does more than copy into the ring.

// Use gives the recorder to a reactor, before it turns. It returns the seed of the
// reactor's randomness, made from random if that is not nil. ErrInUse: it records
// another one already.
func (r *Recorder) Use(reactor string, c clock.Clock, random rand.Source) (seed [32]byte, err error) {
	if !r.used.CompareAndSwap(false, true) {
		return seed, ErrInUse
	}
	r.name, r.clock = reactor, c
	seed = newSeed(random)
	now := c.Now()
	r.apart = distance(c)
	r.aside(&Record{Kind: KindBegin, At: now, Arg: r.apart, Text: []byte(reactor), Data: seed[:]})
	return seed, nil
}

// Wall is now by the wall clock, as the recording has it.
func (r *Recorder) Wall(now int64) time.Time { return time.Unix(0, now+r.apart) }

// End says that the reactor has freed everything. Housekeeping has ended before; what
// a set-up that was left behind still does is not recorded.
func (r *Recorder) End() {
	now := r.clock.Now()
	if r.missing > 0 { // and no record has come after them
		r.aside(&Record{Kind: KindMissing, At: now, Arg: r.missing})
		r.missing = 0
	}
	r.aside(&Record{Kind: KindEnd, At: now})
}

// Turn says that a turn has begun at now. Only one in which something happens
// leaves records.
func (r *Recorder) Turn(now int64) {
	r.begin, r.parked, r.open = now, 0, false
	r.turns++
}

// Park says that the turn has parked and goes on at now.
func (r *Recorder) Park(now int64) { r.parked = now }

// Mark says that something happens in this turn that may have no record.
func (r *Recorder) Mark() {
	if !r.open {
		r.hot(&Record{Kind: KindTurn, At: r.begin})
	}
}

// Endpoint records mail about the endpoint in a slot: KindRegister with its name,
// KindDeregister, KindDrop with the reason, KindCall; or KindRetryAt with the time.
func (r *Recorder) Endpoint(kind Kind, slot uint32, text string, arg int64) {
	r.hot(&Record{Kind: kind, At: r.begin, Slot: slot, Text: view(text), Arg: arg})
}

// view is the bytes of s, to be read: a conversion allocates when s is long.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Stop records that the orderly end begins.
func (r *Recorder) Stop() { r.hot(&Record{Kind: KindStop, At: r.begin}) }

// Message records a message that is about to be handed out, by its way and its
// bytes.
func (r *Recorder) Message(way string, message []byte) {
	r.hot(&Record{Kind: KindMessage, At: r.begin, Text: view(way), Data: message})
}

// Connect records that a set-up begins, and returns what records the connection.
func (r *Recorder) Connect(slot uint32, name string, id uint32, role uint8, user endpoint.Seams) *Conn {
	r.conns++
	c := &Conn{rec: r, user: user, num: r.conns, slot: slot}
	r.hot(&Record{Kind: KindConnect, At: r.begin, Conn: c.num, Slot: slot, Text: view(name), Arg: int64(id), Arg2: int64(role)})
	return c
}

// Phase records mail: the set-up has come to state s.
func (c *Conn) Phase(s endpoint.State) {
	c.onReactor(&Record{Kind: KindPhase, Arg: int64(s)})
}

// Outcome records mail: the set-up has ended.
func (c *Conn) Outcome(err error) { c.onReactor(&Record{Kind: KindOutcome, Err: ErrorOf(err)}) }

// Writable records that the selector has told of room to write.
func (c *Conn) Writable() { c.onReactor(&Record{Kind: KindWritable}) }

// Lost records the end of the connection, for people.
func (c *Conn) Lost(why string) {
	c.onReactor(&Record{Kind: KindLost, Text: view(why)})
}

// State records a state of the connection, for people.
func (c *Conn) State(s endpoint.State) { c.onReactor(&Record{Kind: KindState, Arg: int64(s)}) }

func (c *Conn) onReactor(rec *Record) {
	rec.Conn, rec.Slot, rec.At = c.num, c.slot, c.rec.begin
	c.rec.hot(rec)
}
