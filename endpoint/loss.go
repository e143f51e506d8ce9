package endpoint

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

// Errors of the life cycle.
var (
	// ErrDeregistered is the cause of a set-up that was given up because its
	// endpoint was deregistered or its reactor closed.
	ErrDeregistered = errors.New("endpoint: deregistered")
	// ErrCloseDeadline says that an orderly end did not come in time.
	ErrCloseDeadline = errors.New("endpoint: close deadline passed before the peer ended the connection")
	// ErrStaleFeed says that no data arrived for Policy.StaleAfter.
	ErrStaleFeed = errors.New("endpoint: no data within StaleAfter")
	// ErrPongTimeout says that a ping was not answered within Policy.PongTimeout.
	ErrPongTimeout = errors.New("endpoint: no pong within PongTimeout")
	// ErrReplaced is the end of a connection that a newer one has replaced, and
	// which was still closing when that one was replaced in its turn.
	ErrReplaced = errors.New("endpoint: replaced by a newer connection")
)

// Action is an endpoint's answer to a loss.
type Action uint8

const (
	// Reconnect tries again after the back-off of the policy. It is the zero
	// value, and what happens to an endpoint without OnLoss.
	Reconnect Action = iota
	// Stop gives up: the endpoint stays registered in state Failed. For the loss
	// of a renewal it only gives up the renewal, until the next is due.
	Stop
)

// LossError is the end of a connection, or of a try to make one.
// errors.Is and errors.As reach the cause and what the peer said:
// *ws.UpgradeError with the whole HTTP response, *ws.CloseError with code and
// reason, *stream.DialError with the address, *stream.ProxyError, *DeadlineError, *DroppedError, *PanicError.
type LossError struct {
	// Phase is where it happened: Resolving to Closing, or User.
	Phase State
	// Code is the HTTP status for a refused upgrade, the close code for an
	// ended WebSocket, else 0.
	Code int
	// Conn is the id of the connection.
	Conn uint32
	// Attempt counts the losses since the last healthy connection, from 1.
	Attempt int
	// Renewal says that the connection was to replace another one, which still
	// stands: the endpoint is open.
	Renewal bool
	// Unsent is how many accepted bytes never reached the kernel.
	Unsent int
	// Err is the cause; never nil.
	Err error
}

func (e *LossError) Error() string {
	s := "endpoint: connection " + strconv.FormatUint(uint64(e.Conn), 10) + " lost while " + e.Phase.String()
	if e.Phase == User {
		s = "endpoint: connection " + strconv.FormatUint(uint64(e.Conn), 10) + " ended by its endpoint"
	}
	if e.Unsent > 0 {
		s += fmt.Sprintf(" (%d accepted bytes never reached the kernel)", e.Unsent)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *LossError) Unwrap() error { return e.Err }

// NewLoss finds out phase and code of a cause that came up while in state s.
func NewLoss(s State, conn uint32, err error) *LossError {
	e := &LossError{Phase: s, Conn: conn, Err: err}
	var dial *stream.DialError
	var refused *ws.UpgradeError
	var closed *ws.CloseError
	var user *userError
	var panicked *PanicError
	switch {
	case errors.As(err, &user):
		e.Phase, e.Err = User, user.err
	case errors.As(err, &panicked):
		e.Phase = User
	case errors.As(err, &refused):
		e.Phase, e.Code = Upgrading, refused.StatusCode
	case errors.As(err, &closed):
		e.Code = int(closed.Code)
	case errors.As(err, &dial):
		e.Phase = phaseState(dial.Phase)
	}
	return e
}

// Summary is the loss in a few words, for a line on a screen: the phase and the
// innermost cause.
func (e *LossError) Summary() string {
	s := e.Phase.String() + ": "
	var closed *ws.CloseError
	var refused *ws.UpgradeError
	var proxy *stream.ProxyError
	switch {
	case errors.As(e.Err, &proxy) && proxy.Method != "":
		return s + proxy.Error() // the proxy's word, and which one it was
	case errors.Is(e.Err, ws.ErrRefused):
		return s + "HTTP " + strconv.Itoa(e.Code) + " " + http.StatusText(e.Code)
	case errors.As(e.Err, &refused):
		return s + plain(refused.Err)
	case errors.As(e.Err, &closed) && closed.Err == nil:
		return s + plain(closed)
	case closed != nil:
		s += strconv.Itoa(e.Code) + " "
	}
	err := e.Err
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return s + plain(err)
}

// plain is an error's text without the prefix of our own package.
func plain(err error) string {
	s := err.Error()
	for _, prefix := range []string{"endpoint: ", "ws: ", "stream: "} {
		s = strings.TrimPrefix(s, prefix)
	}
	return s
}

// DeadlineError says that a state lasted longer than its deadline.
type DeadlineError struct {
	State State
	After time.Duration // the limit
}

func (e *DeadlineError) Error() string {
	return "endpoint: " + e.State.String() + " took longer than " + e.After.String()
}

// Timeout reports true, as net.Error does.
func (e *DeadlineError) Timeout() bool { return true }

// DroppedError is the end of a connection that somebody outside of its endpoint
// has dropped (reactor.Reactor.Drop, boomctl control drop).
type DroppedError struct {
	Why string // who it was, and what for; may be empty
}

func (e *DroppedError) Error() string {
	if e.Why == "" {
		return "endpoint: dropped on request"
	}
	return "endpoint: dropped on request: " + e.Why
}

// PanicError is a panic of an endpoint's own code, caught by the reactor.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("endpoint: panic: %v", e.Value) }

// Unwrap returns the value of the panic when it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// userError marks an error as returned by the endpoint's own code.
type userError struct{ err error }

// ByUser marks err as the doing of the user's own code, for a Hot that hands it
// on: the loss then has the phase User.
func ByUser(err error) error { return &userError{err} }

func (e *userError) Error() string { return e.err.Error() }
func (e *userError) Unwrap() error { return e.err }

func phaseState(p stream.Phase) State {
	switch p {
	case stream.Connecting:
		return Connecting
	case stream.Securing:
		return Securing
	default:
		return Resolving
	}
}
