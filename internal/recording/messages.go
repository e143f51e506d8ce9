package recording

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// Messages reads the messages of a recording. One goroutine uses it.
type Messages struct {
	*Records
	d *decoder
}

// ReadMessages begins to read the messages of a recording.
func ReadMessages(rec tape.Recording) (*Messages, error) {
	r, err := Read(rec)
	if err != nil {
		return nil, err
	}
	return &Messages{r, newDecoder()}, nil
}

// Next returns the next message; io.EOF after the last. Its payload is valid until
// the next call.
func (m *Messages) Next() (*Message, error) {
	for {
		if found := m.d.next(); found != nil {
			return found, nil
		}
		rec, err := m.Records.Next()
		if err != nil {
			return nil, err
		}
		m.d.feed(rec, m.wall)
	}
}

// Filter says which messages are wanted. The zero value: all.
type Filter struct {
	Endpoints []string // any of them; empty: all
	Conns     []uint32
	Ops       []Op
	From, To  time.Time // from From on, before To; zero: no bound
	Received  bool      // only those
	Sent      bool      // only those
	Contains  []byte    // the payload has this
	Matches   *regexp.Regexp
	Min, Max  int // payload in bytes; Max 0: no bound
}

// Keep reports whether m is wanted.
func (f *Filter) Keep(m *Message) bool {
	switch {
	case len(f.Endpoints) > 0 && !slices.Contains(f.Endpoints, m.Endpoint),
		len(f.Conns) > 0 && !slices.Contains(f.Conns, m.Conn),
		len(f.Ops) > 0 && !slices.Contains(f.Ops, m.Op),
		f.Received && m.Sent, f.Sent && !m.Sent,
		len(m.Payload) < f.Min, f.Max > 0 && len(m.Payload) > f.Max:
		return false
	}
	return f.InTime(m.Wall) && bytes.Contains(m.Payload, f.Contains) && (f.Matches == nil || f.Matches.Match(m.Payload))
}

// InTime reports whether a time is within From and To.
func (f *Filter) InTime(at time.Time) bool {
	return (f.From.IsZero() || !at.Before(f.From)) && (f.To.IsZero() || at.Before(f.To))
}

// EachMessage calls do with each message that filter keeps.
func EachMessage(rec tape.Recording, filter *Filter, do func(*Message) error) error {
	m, err := ReadMessages(rec)
	if err != nil {
		return err
	}
	defer m.Close()
	for {
		found, err := m.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if filter.Keep(found) {
			if err := do(found); err != nil {
				return err
			}
		}
	}
}
