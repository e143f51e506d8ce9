package tape

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/boomnet-go/boomnet/stream"
)

// Class says which of the errors that code compares with an error was.
type Class uint8

// The classes.
const (
	OK Class = iota
	Other
	WouldBlock
	BackPressured
	TooLarge
	Detached
	EOF
	UnexpectedEOF
	Closed
	Canceled
	Deadline
	NoProgress
	System // an errno, and its number
	BadTarget
	Unsupported
	classes
)

// sentinels are the errors of the classes that have one.
var sentinels = [classes]error{
	WouldBlock: stream.ErrWouldBlock, BackPressured: stream.ErrBackPressured, TooLarge: stream.ErrTooLarge,
	Detached: stream.ErrDetached, EOF: io.EOF, UnexpectedEOF: io.ErrUnexpectedEOF, Closed: net.ErrClosed,
	Canceled: context.Canceled, Deadline: context.DeadlineExceeded, NoProgress: io.ErrNoProgress,
	BadTarget: stream.ErrTarget, Unsupported: errors.ErrUnsupported,
}

// Error is an error as a recording keeps it: its text, what it is to errors.Is, and
// for a failed dial its phase. Certificate errors and others that code looks into
// with errors.As come back as text.
type Error struct {
	Class Class
	Phase uint8  // stream.Phase of a *stream.DialError, else 0
	Errno uint32 // of class System; below 1<<16
	Also  uint16 // bit n: it is of class n as well; of errors that wrap several
	Text  string // "": that of the sentinel or errno
}

// ErrorOf is how a recording keeps err. It allocates unless err is nil or one of
// the sentinels.
func ErrorOf(err error) Error {
	if err == nil {
		return Error{}
	}
	for class, is := range sentinels {
		if is != nil && err == is {
			return Error{Class: Class(class)}
		}
	}
	if n, ok := err.(syscall.Errno); ok && n < 1<<16 {
		return Error{Class: System, Errno: uint32(n)}
	}
	e := Error{Class: Other}
	var dial *stream.DialError
	if errors.As(err, &dial) {
		e.Phase = uint8(dial.Phase)
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno < 1<<16 {
		e.Class, e.Errno = System, uint32(errno)
	}
	for class, is := range sentinels {
		switch {
		case is == nil || !errors.Is(err, is):
		case e.Class == Other:
			e.Class = Class(class)
		default:
			e.Also |= 1 << class
		}
	}
	if e.Text = err.Error(); len(e.Text) > MaxText {
		e.Text = e.Text[:MaxText]
	}
	return e
}

// Err is the error that e kept: nil, the sentinel or errno itself, or a *Recorded.
func (e *Error) Err() error {
	var is error
	switch {
	case e.Class == OK:
		return nil
	case e.Class == System:
		is = syscall.Errno(e.Errno)
	case e.Class < classes:
		is = sentinels[e.Class]
	}
	if e.Text == "" && e.Phase == 0 && is != nil {
		return is
	}
	for class, also := range sentinels {
		if also != nil && e.Also&(1<<class) != 0 {
			is = errors.Join(is, also)
		}
	}
	r := &Recorded{Text: e.Text, Is: is}
	if r.Text == "" && is != nil {
		r.Text = is.Error()
	}
	return r
}

// Recorded is an error that was recorded: its text, and what it was to errors.Is.
type Recorded struct {
	Text string
	Is   error // nil: none that is known; of several what errors.Join makes of them
}

// Error returns the text.
func (e *Recorded) Error() string { return e.Text }

// Unwrap returns Is.
func (e *Recorded) Unwrap() error { return e.Is }
