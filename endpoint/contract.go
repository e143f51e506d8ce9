// Package endpoint is what a user writes and what a reactor drives: the logic
// of one logical connection that outlives its sockets.
//
// An endpoint is a value of the user's with a [Protocol] in it. The protocol
// sets connections up on an ordinary goroutine, with the standard library; what
// comes out is a [Hot], which the reactor alone touches from then on.
// [WebSocket] is the protocol that comes with the package: embed it and write
// OnData. HTTP, FIX, a line protocol or a replay are others, on the same terms;
// endpoints of different kinds live side by side in one reactor.
//
// # The life of a connection
//
//	Resolving → Connecting → Securing → Upgrading → Open → Closing ┐
//	    ↑──────────── Backoff (exponential, full jitter) ←─────────┴─ any loss: *LossError
//
// Each state has a deadline ([Policy]). Whatever ends a connection, or a try to
// make one, arrives as one [LossError] that says in which phase it happened and
// keeps what the peer said.
//
// # Who runs what
//
// Connect runs on a connector goroutine of its own, so it may block; it must
// obey its context. Every other method of an endpoint, and of a Hot, runs on
// the reactor's goroutine: it needs no lock against the other endpoints of the
// same reactor, and must not block.
package endpoint

import (
	"context"
	"time"

	"github.com/boomnet-go/boomnet/stream"
)

// Protocol makes connections. A type that the user registers implements it,
// usually by embedding one such as [WebSocket].
type Protocol interface {
	// Connect sets up one connection and returns it ready for the reactor. It
	// runs on a connector goroutine; several may run at once for one endpoint.
	// It must return soon after ctx ends; ctx carries the deadline of each
	// phase (see Connector.Enter) and ends too when the endpoint is closed.
	// After an error the connector closes the streams that were dialled
	// through via.
	Connect(ctx context.Context, via *Connector) (Hot, error)
}

// Hot is the side of a connection that the reactor drives. All methods are
// called on the reactor's goroutine and must not block.
//
// A Hot may also implement [Attacher], [Detacher], [Discarder], [Queuer], [Meter],
// [TrafficMeter], [Timed] and [Stamped]; these are looked for once, when the
// connection is taken over. If it is a stream.Addressed as well, a dump of the
// reactor shows the addresses.
type Hot interface {
	// Source says what to watch. It is called once, at take-over.
	Source() stream.Source
	// OnReady reads and handles what is there: one network read a call, so
	// that nobody starves. more: input is held still, call again next turn
	// without waiting. stream.ErrWouldBlock: there was nothing; it is no loss.
	// Any other error ends the connection. Readiness is a hint: OnReady may be
	// called when there is nothing.
	OnReady() (more bool, err error)
	// OnWritable is called while bytes are queued and the descriptor is
	// writable. An error other than stream.ErrWouldBlock ends the connection.
	OnWritable() error
	// OnTimer is called when the time set by Attachment.SetTimer has come. An
	// error ends the connection.
	OnTimer(now int64) error
	// Close begins an orderly end, which has until deadline. nil: it is under
	// way, OnReady is called until it answers an error. An error, io.EOF for
	// nothing left to do: the connection has ended.
	Close(deadline int64) error
}

// Attacher is a Hot that is told when the reactor takes it over. OnAttach is
// called once, before any other method. An error ends the connection.
type Attacher interface{ OnAttach(Attachment) error }

// Detacher is a Hot that is told when the connection has ended, on the reactor's
// goroutine, before OnLoss. It must not be used from then on.
type Detacher interface{ OnDetach() }

// Promoter is a Hot that is told when it has become the endpoint's current
// connection after having been the next one.
type Promoter interface{ OnPromote() }

// Discarder is a Hot that frees what it holds by itself. Discard is called
// once, after the reactor has let go of the connection for good, on a
// housekeeping goroutine. The descriptor of a Hot without it is closed by the
// reactor.
type Discarder interface{ Discard() }

// Queuer is a Hot that can hold bytes that the kernel has not taken. The
// reactor asks after each call of one of its methods and watches for
// writability while the answer is not 0. Bytes that are queued at another
// moment are announced by Attachment.WantWrite.
type Queuer interface{ Queued() int }

// Meter is a Hot that counts what it has received since its connection was
// made: whole messages and bytes of the network.
type Meter interface {
	Meter() (messages, bytes int64)
}

// Traffic is what a connection has counted since it was made.
type Traffic struct {
	Reads     int64 // network reads that brought bytes
	Sent      int64 // messages or frames that were accepted for sending
	BytesSent int64 // their bytes, framing included
	Refused   int64 // messages that were refused with stream.ErrBackPressured
}

// TrafficMeter is a Hot that counts its traffic. The reactor asks after each call
// of one of its methods.
type TrafficMeter interface{ Traffic() Traffic }

// Timed is a Hot that knows when its input was read. RecordDelay hands over what
// to call for each network read that is given to a handler: with the time from the
// end of the read to the handler, in nanoseconds, on the reactor's goroutine. It is
// called before OnAttach, and only if somebody looks: the reactor has a counters
// file.
type Timed interface{ RecordDelay(record func(ns int64)) }

// Stamped is a Hot that may know when the kernel received its input
// (stream.Options.Timestamps).
type Stamped interface {
	// Stamped reports whether it does. It is asked on the connector goroutine.
	Stamped() bool
	// RecordAge hands over, if it does, what to call for each network read that
	// is given to a handler: with the time from the kernel's receipt to the
	// handler, in nanoseconds, on the reactor's goroutine. It is called before
	// any method of the reactor's goroutine.
	RecordAge(record func(ns int64))
}

// Attachment is a connection's place in its reactor. Its methods may be called
// on the reactor's goroutine only, until the connection is discarded.
type Attachment interface {
	// ID tells the connections of one endpoint apart: 1, 2, 3, …
	ID() uint32
	// Scratch is the memory that the reactor lends for the length of a turn.
	Scratch() *stream.Scratch
	// Now is the time at which this turn began.
	Now() int64
	// SetTimer has OnTimer called once at the time at, or in the first turn
	// after it; 0 takes it back. There is one timer a connection: setting it
	// again moves it.
	SetTimer(at int64)
	// WantWrite says that bytes were queued, see Queuer.
	WantWrite()
	// Next reports whether the connection is to replace another one that still
	// stands (Policy.TimeToLive) and has not done so.
	Next() bool
	// Ready has it replace the other one now, before the overlap is over.
	Ready()
}

// Binder is a Protocol that wants to see the value it is part of, to find the
// optional methods there. Bind is called by Register; an error refuses the
// registration. Unbind is called when the registration is over, or has failed
// after Bind: the value may then be registered anew.
type Binder interface {
	Bind(self any) error
	Unbind()
}

// Named is a Protocol with a name for displays, logs and errors.
type Named interface{ EndpointName() string }

// Configured is a Protocol with a policy. Without it the defaults hold.
type Configured interface{ EndpointPolicy() *Policy }

// ExpireHandler is the optional method by which an endpoint puts off the renewal
// of its connection (Policy.TimeToLive): OnExpire returns 0 to go ahead, or how
// long to wait before asking again.
type ExpireHandler interface{ OnExpire() time.Duration }

// LossHandler is the optional method by which an endpoint learns that a
// connection, or a try to make one, has ended, and says how to go on. The error
// may be kept.
type LossHandler interface{ OnLoss(*LossError) Action }
