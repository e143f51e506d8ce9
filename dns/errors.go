package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"
)

// What servers do wrong, and what this end refuses. They come inside a
// *[TriesError]: errors.Is finds them.
var (
	// ErrNoAnswer: a server has said nothing in time, or nothing that was an
	// answer to the question. It is an os.ErrDeadlineExceeded, too.
	ErrNoAnswer = fmt.Errorf("no answer in time: %w", os.ErrDeadlineExceeded)
	// ErrMalformed: an answer that cannot be read.
	ErrMalformed = errors.New("malformed answer")
	// ErrLame: a server that sends on to others what it should resolve itself.
	ErrLame = errors.New("a referral in place of an answer")
	// ErrChain: more aliases (CNAME) one behind another than MaxChain.
	ErrChain = fmt.Errorf("more than %d aliases one behind another, or a loop of them", MaxChain)
	// ErrClosed: the Stub was closed. It is a net.ErrClosed, too.
	ErrClosed = fmt.Errorf("dns: stub resolver: %w", net.ErrClosed)
)

// RCode is the response code with which a server refuses a question (RFC 1035,
// section 4.1.1; RFC 6891, section 6.1.3). It is an error inside a *[TriesError].
type RCode uint16

// Response codes.
const (
	FormErr  RCode = 1
	ServFail RCode = 2
	NXDomain RCode = 3
	NotImp   RCode = 4
	Refused  RCode = 5
	BadVers  RCode = 16
)

var rcodes = map[RCode]string{
	FormErr: "FORMERR", ServFail: "SERVFAIL", NXDomain: "NXDOMAIN",
	NotImp: "NOTIMP", Refused: "REFUSED", BadVers: "BADVERS",
}

// Error implements error: the name of the code as other tools have it.
func (c RCode) Error() string {
	if name, ok := rcodes[c]; ok {
		return name
	}
	return fmt.Sprintf("RCODE %d", uint16(c))
}

// Try is one question to one server and how it failed.
type Try struct {
	// Server that was asked.
	Server netip.AddrPort
	// Type of the question: "A" or "AAAA".
	Type string
	// Transport is UDP or TCP.
	Transport Transport
	// Time it took.
	Time time.Duration
	// Err is an RCode, ErrNoAnswer, ErrMalformed, ErrLame, or what the network said.
	Err error
}

func (t Try) String() string {
	return fmt.Sprintf("%s %s %s: %v after %v", t.Type, t.Server, t.Transport, t.Err, t.Time.Round(time.Millisecond))
}

// TriesError says of each server that was asked what it said. A [Stub] returns
// it inside a *net.DNSError: errors.As finds it there. errors.Is and errors.As
// look into every try.
type TriesError struct{ Tries []Try }

func (e *TriesError) Error() string {
	texts := make([]string, len(e.Tries))
	for i, t := range e.Tries {
		texts[i] = t.String()
	}
	return strings.Join(texts, "; ")
}

// Unwrap returns the errors of all tries.
func (e *TriesError) Unwrap() []error {
	errs := make([]error, len(e.Tries))
	for i, t := range e.Tries {
		errs[i] = t.Err
	}
	return errs
}

// failure makes the error of a lookup of host of err. Whoever knows net.Resolver's
// errors knows this one; the rest is inside.
func failure(host string, err error) *net.DNSError {
	e := &net.DNSError{Err: err.Error(), Name: host, UnwrapErr: err}
	if ended := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled); ended {
		e.IsTimeout = errors.Is(err, context.DeadlineExceeded)
		e.IsTemporary = e.IsTimeout
		return e
	}
	tries, ok := errors.AsType[*TriesError](err)
	if !ok {
		return e
	}
	e.IsTimeout = true
	for i, t := range tries.Tries {
		if i == 0 {
			e.Server = t.Server.String()
		} else if e.Server != t.Server.String() {
			e.Server = ""
		}
		silent := errors.Is(t.Err, ErrNoAnswer)
		e.IsTimeout = e.IsTimeout && silent
		_, network := errors.AsType[net.Error](t.Err)
		e.IsTemporary = e.IsTemporary || silent || network || errors.Is(t.Err, ServFail)
	}
	return e
}

// ended is the error of a lookup whose ctx has ended: its cause, in which way ctx
// ended, and what the servers had done until then, if any was asked.
func ended(ctx context.Context, soFar error) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); !errors.Is(cause, err) {
		err = fmt.Errorf("%w (%w)", cause, err)
	} else {
		err = cause
	}
	if soFar != nil {
		err = fmt.Errorf("%w; %w", err, soFar)
	}
	return err
}

// joined makes one error of those of two questions: nil of none, of tries one
// TriesError, else the first that is something else.
func joined(errs []error) error {
	var all TriesError
	for _, err := range errs {
		tries, ok := err.(*TriesError)
		if !ok {
			return err
		}
		all.Tries = append(all.Tries, tries.Tries...)
	}
	if all.Tries == nil {
		return nil
	}
	return &all
}
