package recording

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// Records reads the records of a recording with the wall's time of each. One goroutine
// uses it.
type Records struct {
	src      tape.Source
	distance int64 // CLOCK_REALTIME minus the recorder's clock
	wall     time.Time
	done     int64
}

// walled is a source that knows the wall's time better: a file, where it may be set.
type walled interface{ Wall() time.Time }

// Read begins to read a recording.
func Read(rec tape.Recording) (*Records, error) {
	src, err := rec.Open()
	if err != nil {
		return nil, err
	}
	return &Records{src: src}, nil
}

// Next returns the next record, which is the caller's until the next call; io.EOF
// after the last.
func (r *Records) Next() (*tape.Record, error) {
	rec, err := r.src.Next()
	if err != nil {
		return nil, err
	}
	if rec.Kind == tape.KindBegin {
		r.distance = rec.Arg
	}
	r.wall = time.Unix(0, rec.At+r.distance)
	if w, ok := r.src.(walled); ok {
		r.wall = w.Wall()
	}
	r.done++
	return rec, nil
}

// Wall is the wall's time of the last record.
func (r *Records) Wall() time.Time { return r.wall }

// Truncated is why the recording ends too early, if it was opened so that this is no
// error (capture.File.Lenient); nil: it does not.
func (r *Records) Truncated() error {
	if t, ok := r.src.(interface{ Truncated() error }); ok {
		return t.Truncated()
	}
	return nil
}

// Close frees what reading holds.
func (r *Records) Close() error { return r.src.Close() }

// each calls do with each record that is left.
func (r *Records) each(do func(*tape.Record) error) error {
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d records: %w", r.done, err)
		}
		if err := do(record); err != nil {
			return err
		}
	}
}

// notEOF is err, but for the end.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
