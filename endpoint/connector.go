package endpoint

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/stream"
)

// Connector is what a Protocol sets up one connection with. It carries the
// seams, so that a test, or a replay, can put its own in their place. It is used
// on one connector goroutine.
type Connector struct {
	// ID of the connection to be.
	ID uint32
	// Seams is where names, streams, time and randomness come from.
	Seams

	enter   func(State)
	streams []stream.Stream
}

// Seams are the places where a set-up touches the world. The zero value is the
// real one.
type Seams struct {
	// Resolver is for streams whose options name none. Default: dns.System.
	Resolver dns.Resolver
	// Dial makes a stream. Default: the Dial method of the options.
	Dial func(ctx context.Context, target string, o *stream.Options) (stream.Stream, error)
	// Clock is read for all times. Default: clock.Monotonic.
	Clock clock.Clock
	// Rand makes a source of randomness for each connection (mask keys,
	// Sec-WebSocket-Key) and one for the reactor (jitter); it must be safe for
	// several goroutines, its sources need not be. Default: ChaCha8, seeded
	// from crypto/rand.
	Rand func() rand.Source
	// Limiter bounds the tries to connect to one host. Default: ProcessLimiter,
	// or one of the reactor's own when Clock is set.
	Limiter *HostLimiter
	// Executor runs set-up tasks, which may block. Default: the reactor's
	// housekeeping goroutine starts a goroutine for each, so that the reactor
	// wakes nobody. One that is set is called on the reactor's goroutine and
	// must not block there.
	Executor func(task func())
	// Observer is told of every change of state and every loss, on the
	// reactor's goroutine; it must not block.
	Observer func(Event)
}

// Event is something that happened to an endpoint.
type Event struct {
	// At is when, by the reactor's clock.
	At int64
	// Slot and Name of the endpoint.
	Slot int
	Name string
	// Conn is the id of the connection; 0 when the endpoint has none.
	Conn uint32
	// State is the new state.
	State State
	// Loss is set when a connection has ended.
	Loss *LossError
	// Delay is how long the endpoint will wait, in state Backoff.
	Delay time.Duration
}

// NewConnector is for whoever drives a Protocol without a reactor. enter, which
// may be nil, is called when the set-up enters a state.
func NewConnector(id uint32, seams Seams, enter func(State)) *Connector {
	if seams.Clock == nil {
		seams.Clock = clock.Monotonic{}
	}
	if enter == nil {
		enter = func(State) {}
	}
	return &Connector{ID: id, Seams: seams, enter: enter}
}

// Enter tells the life cycle that the set-up has come to state s, one of
// Resolving to Upgrading. The deadline of that state runs from now; when it
// passes, Connect's context ends with a *DeadlineError as its cause.
func (c *Connector) Enter(s State) { c.enter(s) }

// Dial resolves, connects and, for a "tls://" target, secures a stream, and
// tells the life cycle as it goes. o may be nil; it is not changed.
func (c *Connector) Dial(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
	var opts stream.Options
	if o != nil {
		opts = *o
	}
	if opts.Resolver == nil {
		opts.Resolver = c.Resolver
	}
	user := opts.OnPhase
	opts.OnPhase = func(p stream.Phase) {
		c.Enter(phaseState(p))
		if user != nil {
			user(p)
		}
	}
	dial := c.Seams.Dial
	if dial == nil {
		dial = func(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
			return o.Dial(ctx, target)
		}
	}
	s, err := dial(ctx, target, &opts)
	if err != nil {
		return nil, withCause(ctx, err)
	}
	c.streams = append(c.streams, s)
	return s, nil
}

// Run calls p.Connect and leaves things in order: after an error every stream
// that was dialled is closed and the error tells why ctx ended, if it did; after
// success the streams are free of Go's own poller and ready for a reactor.
func (c *Connector) Run(ctx context.Context, p Protocol) (Hot, error) {
	done := false
	defer func() {
		if !done { // an error, or a panic on its way up
			for _, s := range c.streams {
				s.Close()
			}
		}
	}()
	hot, err := p.Connect(ctx, c)
	if err == nil && hot == nil {
		err = errors.New("endpoint: Connect returned neither a connection nor an error")
	}
	if err != nil {
		return nil, withCause(ctx, err)
	}
	for _, s := range c.streams {
		if d, ok := s.(stream.Detacher); ok {
			if err := d.Detach(); err != nil {
				return nil, err
			}
		}
	}
	done = true
	return hot, nil
}

// withCause puts the reason for which ctx was ended before the error that this
// led to, where the error does not carry it already.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return &causeError{cause, err}
	}
	return err
}

type causeError struct{ cause, err error }

func (e *causeError) Error() string   { return e.cause.Error() + " (" + e.err.Error() + ")" }
func (e *causeError) Unwrap() []error { return []error{e.cause, e.err} }
