package ws

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Sentinels. Returning one does not allocate.
var (
	// ErrNotConnected answers writes on a nil *Conn.
	ErrNotConnected = errors.New("ws: not connected")
	// ErrClosing answers writes after Close was called or the connection was
	// failed for a violation. errors.Is(ErrClosing, net.ErrClosed) holds.
	ErrClosing = fmt.Errorf("ws: close frame sent, no more writes: %w", net.ErrClosed)
	// ErrFragmented answers messages while one is being sent in fragments.
	ErrFragmented = errors.New("ws: a message is being sent in fragments")
	// ErrNoClaim answers Commit without a Claim, or when the claimed memory was
	// used for something else.
	ErrNoClaim = errors.New("ws: nothing claimed, or the claimed memory was used otherwise")
	// ErrCloseTimeout is the cause when the peer did not answer a close frame in
	// time, see Conn.Expire.
	ErrCloseTimeout = errors.New("ws: no close frame from the peer in time")
)

// CloseError is how a connection ended; Conn.Err returns it, and so do all
// methods used afterwards. errors.Is and errors.As reach Err, and
// errors.Is(e, net.ErrClosed) holds.
type CloseError struct {
	// Code is the peer's close code, CloseNoStatus if its close frame had none.
	// Without a close frame from the peer: the code of the violation that was
	// found, else CloseAbnormal.
	Code frame.CloseCode
	// Reason is the peer's, valid UTF-8, at most 123 bytes.
	Reason string
	// Remote says that the peer sent its close frame first.
	Remote bool
	// Clean says that both close frames were seen.
	Clean bool
	// Sent is the code of our own close frame, 0 when none was sent.
	Sent frame.CloseCode
	// Err is the cause when there was no close handshake: a frame.Error, alone
	// or with details around it, an error of the stream, io.ErrUnexpectedEOF
	// for an end of stream, or ErrCloseTimeout. Otherwise nil.
	Err error
}

// Error implements error.
func (e *CloseError) Error() string {
	s := "ws: closed"
	switch {
	case e.Remote:
		s += " by the peer"
	case e.Err == nil:
		s += " by us"
	}
	s += ": " + e.Code.String()
	if e.Reason != "" {
		s += " " + strconv.Quote(e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err.
func (e *CloseError) Unwrap() error { return e.Err }

// Is reports true for net.ErrClosed: whatever ended it, the connection is closed.
func (e *CloseError) Is(target error) bool { return target == net.ErrClosed }

// CloseStatus returns the close code in err's chain, 0 when there is no
// *CloseError in it.
func CloseStatus(err error) frame.CloseCode {
	if e, ok := errors.AsType[*CloseError](err); ok {
		return e.Code
	}
	return 0
}
