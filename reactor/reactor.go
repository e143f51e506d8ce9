// Package reactor runs endpoints: one goroutine, pinned to a core, that owns a
// selector, its connections, their timers and their memory. Nothing of it is
// shared, so it takes no lock; the only way in from outside is a message.
//
//	r, err := reactor.New(reactor.Config{CPU: affinity.Fixed(3), Idle: idle.Spin})
//	h, err := reactor.Register(r, &Trades{…})   // any goroutine
//	err = r.Run(ctx)                            // or r.Poll() in a loop of one's own
//
// # A turn
//
//	mail (bounded) → links and inboxes (bounded each) → timers due → selector
//	     → ready connections (one read each) → writes pending → idle(work done)
//
// Only connections that are ready are visited, in order, and each part has a
// bound, so nobody starves. An endpoint that is slow, down or wrong costs the
// others nothing: resolving, connecting, TLS handshakes and upgrades run on
// connector goroutines, descriptors are closed by a housekeeping goroutine, and
// a panic ends the connection it came from. The reactor's goroutine blocks
// nowhere but in its selector, and there only when its idle strategy parks.
//
// Where a connection is stamped (stream.Options.Timestamps), the way of each read
// from the kernel to its handler is counted: WireToHandler of the reactor, and of
// each endpoint's Info.
//
// What a reactor and its endpoints count can be read by other processes: with
// Config.Counters it lies in a file in memory, see package stats.
//
// # From other goroutines
//
// [Register], [Deregister], [Dispatch], [Each] and the methods Endpoints, Stats
// and Close may be called on any goroutine, the reactor's included. Everything
// else of an endpoint belongs to the reactor's goroutine.
//
// What an operator does to a live reactor is on any goroutine too: SetIdle,
// ResetHistograms, Drop and Dump. Package control offers them to other processes.
package reactor

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// Errors of the calls into a reactor.
var (
	// ErrClosed says that the reactor was closed.
	ErrClosed = errors.New("reactor: closed")
	// ErrStale says that a handle's endpoint is no longer registered.
	ErrStale = errors.New("reactor: handle is stale: the endpoint is no longer registered")
	// ErrMailboxFull says that the reactor has too many messages waiting;
	// nothing was done.
	ErrMailboxFull = errors.New("reactor: mailbox full, message refused")
	// ErrRunning says that Run or Poll is under way on another goroutine.
	ErrRunning = errors.New("reactor: is being run already")
)

// PanicPolicy says what a panic in an endpoint's own code does.
type PanicPolicy uint8

const (
	// Isolate ends the endpoint's connection; the endpoint is told by OnLoss,
	// with a *endpoint.PanicError, and is then Failed: not reconnected.
	Isolate PanicPolicy = iota
	// Crash lets the panic take the process down.
	Crash
)

// Config is how a reactor works. The zero value is ready: not pinned, backing
// off when idle, epoll.
type Config struct {
	// Name is for displays and counters. Default "reactor".
	Name string
	// CPU is where Run pins its thread: affinity.Fixed(3). Default: unbound.
	CPU affinity.Placement
	// Idle is how to wait for work. Default idle.Backoff: nothing spins unasked.
	// idle.SpinWait and idle.Exclusive need a build tag, the second also Crash and
	// a garbage collector that is off.
	Idle idle.Strategy
	// Selector is how to find what is ready. Default selector.Epoll.
	Selector selector.Kind
	// BusyPoll has the waits of the epoll selector poll the NIC before they
	// sleep, where Idle parks. Default: they do not. With another selector it is
	// an error.
	BusyPoll selector.BusyPoll
	// MaxEndpoints bounds the endpoints registered at one time. Default 4096.
	MaxEndpoints int
	// Mailbox is how many messages from other goroutines may wait, rounded up
	// to a power of two. Default 8192.
	Mailbox int
	// OnPanic says what a panic of an endpoint does. Default Isolate.
	OnPanic PanicPolicy
	// CloseTimeout bounds the orderly end: close frames are sent and answers
	// waited for this long. Default 1 s.
	CloseTimeout time.Duration
	// Counters is the file in which the reactor, its endpoints, and the links and
	// inboxes into it count, for other processes to read (stats.Create): "boomctl
	// top". With it the time from each network read to its handler is measured, too,
	// which costs about 40 ns a read.
	// Default nil: they count on the heap.
	Counters *stats.File
	// Tape records all that comes into the reactor, for a replay (capture.Create
	// makes one that writes files). It records one reactor. A read costs its copy and
	// some tens of nanoseconds more. Default nil.
	Tape *tape.Recorder
	// Replay has all that comes in come from a recording: endpoints are registered
	// as they were then, Poll plays one turn, Run all of them. Seams, Selector, Idle
	// and CPU are then of no account, but for the Observer. A replay may be recorded
	// in its turn. See tape.Player.
	Replay *tape.Player
	// Report is told at once of a link or an inbox that has ended because its
	// handler panicked, a *LinkError. It is called on the reactor's goroutine and
	// must not block. With it or without, Run's error says so at the end.
	Report func(error)
	// Seams are resolver, dialer, clock, randomness, executor and observer.
	Seams endpoint.Seams
}

// Bounds of one turn.
const (
	maxMail   = 64
	maxTimers = 64
)

// Reactor drives endpoints. Create it with New.
type Reactor struct {
	cfg     Config
	clock   clock.Clock
	limiter *endpoint.HostLimiter
	tape    *tape.Recorder // nil: nobody records
	replay  *replay        // nil: it is no replay
	random  *rand.Rand
	using   atomic.Pointer[using] // how it waits, for other goroutines
	sel     selector.Selector
	house   *housekeeper
	scratch *stream.Scratch
	isolate bool

	// The reactor goroutine's own.
	now      int64
	timers   timers
	slots    []*slot
	live     int // endpoints that stand
	conns    []*conn
	freed    []uint32 // free places in conns
	ready    []*conn
	spare    []*conn
	events   [256]selector.Event
	counts   counters
	strategy idle.Strategy // Config.Idle, or what it comes to on this machine; SetIdle's
	idler    *idle.Waiter
	turning  bool            // Run is in its turns, not in the orderly end
	reset    int64           // when the histograms began to count
	waiter   selector.Waiter // words that end a wait, see watch.go; the pin, see waiting.go
	closing  bool
	waits    bool  // in system-call state, not in Wait
	letIn    int64 // when the runtime was let in, while the P is pinned

	inbound              []inbound     // links and inboxes
	rings                []inbound     // those that have cells, the failed ones too
	ringsAt              int64         // when these were published
	nap                  time.Duration // bound of a park; 0: none
	closeBy, closeByReal int64         // when the orderly end must be over, by the clock and by the machine's
	failures             []error       // that did not end the reactor

	// Shared with other goroutines.
	mail    *mailbox
	parked  atomic.Bool
	stop    flag        // an orderly end was asked for
	owner   atomic.Bool // somebody drives the reactor
	closed  atomic.Bool
	done    chan struct{} // closed when all is freed
	mu      sync.Mutex    // guards what follows
	table   []registration
	freeIDs []uint32

	waking   sync.Mutex // a wake is under way, or the selector is being closed
	known    []inbound  // links and inboxes into this reactor, the last of each kind; under mu
	outbound []inbound  // links out of it; under mu
}

// registration is a place for an endpoint, as other goroutines see it.
type registration struct {
	gen  uint32
	slot *slot // nil: free
}

// New makes a reactor. It starts one housekeeping goroutine; Close ends it.
func New(cfg Config) (*Reactor, error) {
	if cfg.Replay != nil {
		prepare(&cfg)
	}
	if cfg.Name == "" {
		cfg.Name = "reactor"
	}
	if cfg.MaxEndpoints == 0 {
		cfg.MaxEndpoints = 4096
	}
	if cfg.Mailbox == 0 {
		cfg.Mailbox = 8192
	}
	if cfg.CloseTimeout == 0 {
		cfg.CloseTimeout = time.Second
	}
	if cfg.Seams.Limiter == nil {
		cfg.Seams.Limiter = endpoint.ProcessLimiter()
		if cfg.Seams.Clock != nil { // its times cannot be compared with others'
			cfg.Seams.Limiter, _ = endpoint.NewHostLimiter(endpoint.DefaultHostBurst, endpoint.DefaultHostPerSec)
		}
	}
	if cfg.Seams.Clock == nil {
		cfg.Seams.Clock = clock.Monotonic{}
	}
	const most = 1 << 20
	if cfg.MaxEndpoints < 1 || cfg.MaxEndpoints > most {
		return nil, fmt.Errorf("reactor: MaxEndpoints %d is not between 1 and %d", cfg.MaxEndpoints, most)
	}
	if cfg.Mailbox < 1 || cfg.Mailbox > most {
		return nil, fmt.Errorf("reactor: Mailbox %d is not between 1 and %d", cfg.Mailbox, most)
	}
	if cfg.CloseTimeout < 0 {
		return nil, fmt.Errorf("reactor: CloseTimeout %v is negative", cfg.CloseTimeout)
	}
	strategy, instead, err := cfg.strategy()
	if err != nil {
		return nil, err
	}
	random := cfg.Seams.Rand
	if random == nil {
		random = newRand
	}
	sel, err := newSelector(&cfg)
	if err != nil {
		return nil, err
	}
	source := random()
	if cfg.Replay != nil {
		if source, err = cfg.Replay.Use(); err != nil {
			sel.Close()
			return nil, err
		}
	}
	if cfg.Tape != nil {
		if source, err = record(&cfg, source); err != nil {
			sel.Close()
			return nil, err
		}
	}
	capacity := 2
	for capacity < cfg.Mailbox {
		capacity *= 2
	}
	r := &Reactor{
		cfg:     cfg,
		clock:   cfg.Seams.Clock,
		limiter: cfg.Seams.Limiter,
		tape:    cfg.Tape,
		random:  rand.New(source),
		sel:     sel,
		scratch: stream.NewScratch(),
		isolate: cfg.OnPanic == Isolate,
		mail:    newMailbox(capacity),
		done:    make(chan struct{}),
	}
	if cfg.Replay != nil {
		r.replay = newReplay(cfg.Replay)
	}
	r.watch(&r.mail.tail)
	r.watch(&r.stop.v)
	r.now = r.clock.Now()
	r.reset = r.now
	r.counts.init(&r.cfg)
	r.useIdle(strategy, instead)
	r.house = newHousekeeper()
	return r, nil
}

func newSelector(cfg *Config) (selector.Selector, error) {
	switch {
	case cfg.BusyPoll == (selector.BusyPoll{}):
		return selector.New(cfg.Selector)
	case cfg.Selector != selector.Epoll:
		return nil, fmt.Errorf("reactor: BusyPoll is for epoll, the selector is %v", cfg.Selector)
	}
	return selector.NewEpoll(cfg.BusyPoll)
}

func newRand() rand.Source {
	var seed [32]byte
	_, _ = cryptorand.Read(seed[:]) // never fails: it ends the process instead
	return rand.NewChaCha8(seed)
}

// Name is the configured name.
func (r *Reactor) Name() string { return r.cfg.Name }

// Poll does one turn and returns how much work it did. It never blocks. It must
// not be called from two goroutines at a time, nor from a handler. After Close,
// or when the selector fails, it returns an error.
func (r *Reactor) Poll() (work int, err error) {
	if !r.owner.CompareAndSwap(false, true) {
		return 0, ErrRunning
	}
	defer r.owner.Store(false)
	if r.closed.Load() {
		return 0, ErrClosed
	}
	if work, err = r.turn(0); work > 0 {
		r.counts.settle(r.clock.Now()) // the time until the next Poll is not the reactor's
	}
	return work, err
}

// post gives the reactor a message and wakes it if it is parked.
func (r *Reactor) post(m mail) error {
	if r.closed.Load() {
		return ErrClosed
	}
	if !r.mail.push(m) {
		return ErrMailboxFull
	}
	r.wake()
	return nil
}

// deliver is post for messages that must arrive, from goroutines that may wait.
// It gives up only when the reactor is gone.
func (r *Reactor) deliver(m mail) error {
	for {
		err := r.post(m)
		if err != ErrMailboxFull {
			return err
		}
		select {
		case <-r.done:
			return ErrClosed
		case <-time.After(time.Millisecond):
		}
	}
}

// wake ends a park: at most one eventfd write for each. What it is to be woken for
// was stored sequentially consistent before. Any goroutine.
func (r *Reactor) wake() {
	if r.parked.Load() && r.parked.CompareAndSwap(true, false) {
		r.waking.Lock() // only the end of the reactor is ever in the way
		defer r.waking.Unlock()
		if !r.closed.Load() {
			r.sel.Wake()
		}
	}
}

// turn does one round. It may park for up to wait when there is nothing to do.
func (r *Reactor) turn(wait time.Duration) (work int, err error) {
	if r.replay != nil {
		return r.replayTurn(wait)
	}
	r.now = r.clock.Now()
	r.counts.settle(r.now)
	if r.tape != nil {
		r.recordTurn()
	}
	r.house.refill()
	if r.stop.Load() && !r.closing {
		r.beginClosing()
		wait = 0 // there may be nothing left that ends a park
	}
	work = r.readMail() + r.readInbound() + r.fireTimers()
	n, err := r.wait(work, wait)
	if err != nil {
		return work, err
	}
	if work == 0 {
		r.counts.begun = r.now // a park is no work
	}
	for i := range r.events[:n] {
		e := &r.events[i]
		c := r.lookup(e.Token)
		if c == nil {
			continue // an event of a connection that is gone
		}
		if e.Writable && c.writing {
			if c.tape != nil {
				c.tape.Writable()
			}
			r.writable(c)
		}
		if e.Readable && !c.dead {
			r.markReady(c)
		}
	}
	work += r.driveReady()
	r.letRuntimeIn()
	r.counts.turn(work)
	if r.now-r.ringsAt >= int64(maxRingAge) {
		r.publishRings()
	}
	return work, nil
}

// wait asks the selector, and parks there if it may.
func (r *Reactor) wait(work int, wait time.Duration) (int, error) {
	if work > 0 || len(r.ready) > 0 {
		wait = 0
	}
	if wait <= 0 {
		return r.sel.Wait(r.events[:], 0)
	}
	if at, ok := r.timers.next(); ok {
		wait = min(wait, time.Duration(at-r.now))
	}
	if r.nap > 0 {
		wait = min(wait, r.nap)
	}
	// Publish the flag, then look again: a message pushed before the flag was
	// up is seen here, one pushed after it wakes us.
	if !r.waits {
		r.parked.Store(true)
	}
	r.sample()
	if wait <= 0 || !r.mail.empty() || !r.inboundEmpty() || r.stop.Load() && !r.closing {
		wait = 0
	}
	if r.waits {
		return r.spin(wait)
	}
	if wait > 0 {
		r.publishRings()
	}
	r.counts.park(wait)
	n, err := r.sel.Wait(r.events[:], wait)
	r.parked.Store(false)
	if wait > 0 {
		r.now = r.clock.Now()
		r.recordPark()
	}
	return n, err
}

func (r *Reactor) readMail() int {
	for n := range maxMail {
		m, ok := r.mail.pop()
		if !ok {
			return n
		}
		if m.kind == mailCall {
			m.call()
		} else {
			r.readLife(&m)
		}
		r.counts.mail++
	}
	return maxMail
}

// readLife reads mail about the life of an endpoint, which may block.
func (r *Reactor) readLife(m *mail) {
	defer r.hot(r.cold())
	if r.tape != nil {
		r.recordLife(m)
	}
	switch m.kind {
	case mailRegister:
		r.begin(m.slot)
	case mailDeregister:
		r.deregister(m.slot)
	case mailPhase:
		r.phase(m.conn, m.state)
	case mailOutcome:
		r.outcome(m.conn, m.hot, m.err)
	}
}

func (r *Reactor) fireTimers() int {
	for n := range maxTimers {
		t := r.timers.pop(r.now)
		if t == nil {
			return n
		}
		if r.tape != nil {
			r.tape.Mark()
		}
		switch t.kind {
		case timerHot:
			r.hotTimer(t.conn)
		case timerDue:
			r.markReady(t.conn)
		default:
			r.fireLife(t)
		}
		r.counts.timers++
	}
	return maxTimers
}

// fireLife fires a timer of the life of an endpoint, which may block.
func (r *Reactor) fireLife(t *timer) {
	defer r.hot(r.cold())
	switch t.kind {
	case timerState:
		r.overdue(t.conn)
	case timerStale:
		r.staleCheck(t.conn)
	case timerRetry:
		r.connect(t.slot, current)
	case timerRenew:
		r.renewalDue(t.slot)
	}
}

func (r *Reactor) driveReady() (work int) {
	list := r.ready
	r.ready, r.spare = r.spare[:0], nil
	for i, c := range list {
		list[i] = nil
		c.queued = false
		if !c.dead {
			work += r.drive(c)
		}
	}
	r.spare = list[:0]
	return work
}

// runSetup runs a set-up of c and posts its outcome. Connector goroutine.
func (r *Reactor) runSetup(ctx context.Context, c *conn, via *endpoint.Connector) {
	hot, err := r.setup(ctx, c, via)
	if err != nil && hot != nil { // it has panicked when it was ready
		discard(hot, hot.Source().FD)
		hot = nil
	}
	if r.deliver(mail{kind: mailOutcome, conn: c, hot: hot, err: err}) != nil && hot != nil {
		discard(hot, hot.Source().FD)
	}
}

func (r *Reactor) setup(ctx context.Context, c *conn, via *endpoint.Connector) (hot endpoint.Hot, err error) {
	if r.isolate {
		defer recovered(&err)
	}
	if hot, err = via.Run(ctx, c.slot.proto); err == nil {
		r.watchAge(c.slot, hot)
	}
	return hot, err
}
