package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Version is that of the protocol. It changes when a client of before would
// misunderstand an answer; what is only added does not change it.
const Version = 1

// MaxRequest bounds a request, in bytes, its newline included.
const MaxRequest = 4096

// maxAnswer bounds what a client reads, in bytes: a dump has about 1 KiB for each
// endpoint.
const maxAnswer = 256 << 20

// Hello is the first line of a server.
type Hello struct {
	Version  int       `json:"control"`
	PID      int       `json:"pid"`
	Program  string    `json:"program"` // the base name of its executable
	Started  time.Time `json:"started"` // the server
	Reactors []string  `json:"reactors"`
}

// The requests.
const (
	doIdle  = "idle"
	doReset = "reset"
	doDrop  = "drop"
	doDump  = "dump"
)

type request struct {
	Do       string `json:"do"`
	Reactor  string `json:"reactor,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`
	Idle     string `json:"idle,omitempty"`

	strategy idle.Strategy // Idle, understood
}

// parseRequest reads a request and refuses what it does not understand: a field
// that is not looked at would not do what it was meant to.
func parseRequest(line []byte) (q request, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return request{}, fmt.Errorf("control: the request is not understood: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return request{}, errors.New("control: the request is not understood: more than one object in a line")
	}
	var needs, refuses string
	switch q.Do {
	case doIdle:
		if q.strategy, err = idle.Parse(q.Idle); err != nil {
			return request{}, err
		}
		needs, refuses = missing("reactor", q.Reactor)+missing("idle", q.Idle), present("endpoint", q.Endpoint)
	case doDrop:
		needs, refuses = missing("endpoint", q.Endpoint), present("idle", q.Idle)
	case doReset, doDump:
		refuses = present("endpoint", q.Endpoint) + present("idle", q.Idle)
	case "":
		return request{}, errors.New(`control: the request has no "do"`)
	default:
		return request{}, fmt.Errorf("control: unknown request %q: want idle, reset, drop or dump", q.Do)
	}
	if needs != "" {
		return request{}, fmt.Errorf("control: request %q needs%s", q.Do, needs)
	}
	if refuses != "" {
		return request{}, fmt.Errorf("control: request %q takes no%s", q.Do, refuses)
	}
	return q, nil
}

func missing(field, value string) string {
	if value == "" {
		return ` "` + field + `"`
	}
	return ""
}

func present(field, value string) string {
	if value != "" {
		return ` "` + field + `"`
	}
	return ""
}

// answer is what comes back: either an error or what was done. What was done to
// some reactors before others failed is there beside the error.
type answer struct {
	Error    string   `json:"error,omitempty"`
	Code     Code     `json:"code,omitempty"`
	Reactors []string `json:"reactors,omitempty"` // where it was done
	Dropped  int      `json:"dropped,omitempty"`  // endpoints
	Dump     *Dump    `json:"dump,omitempty"`
}

// Dump is how a process stands.
type Dump struct {
	PID        int             `json:"pid"`
	Program    string          `json:"program"`
	Go         string          `json:"go"` // version
	At         time.Time       `json:"at"`
	Started    time.Time       `json:"started"` // the server
	GOMAXPROCS int             `json:"gomaxprocs"`
	Goroutines int             `json:"goroutines"`
	Reactors   []*reactor.Dump `json:"reactors"`
}

// Code is the kind of an error.
type Code string

// The kinds of errors.
const (
	BadRequest Code = "bad_request" // not understood, or too long
	NotFound   Code = "not_found"   // no such reactor or endpoint, or no connection to drop
	Stuck      Code = "stuck"       // a reactor did not turn in time; it is done when it does
	Forbidden  Code = "forbidden"   // the user is another one
	Busy       Code = "busy"        // too many connections to the socket, or a mailbox is full
	Failed     Code = "failed"      // anything else
)

// Error is an answer that says no.
type Error struct {
	Code Code
	Text string // as the process said it
	// Reactors are those where it was done nevertheless.
	Reactors []string
}

func (e *Error) Error() string { return e.Text }

// codeOf finds the kind of an error of this package or of a reactor.
func codeOf(err error) Code {
	var stuck *reactor.StuckError
	switch {
	case errors.As(err, &stuck):
		return Stuck
	case errors.Is(err, errNoReactor), errors.Is(err, reactor.ErrNoEndpoint), errors.Is(err, reactor.ErrNoConnection):
		return NotFound
	case errors.Is(err, reactor.ErrMailboxFull):
		return Busy
	}
	return Failed
}
