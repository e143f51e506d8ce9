package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/bench/meter"
	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// The files on the disk at one time are no more than maxFiles of maxBytes.
const (
	maxBytes = 256 << 20
	maxFiles = 2
)

// recording is how the feed is recorded: by a capture.Recorder, by a writer that is
// too slow, or not at all.
type recording struct {
	files *capture.Recorder
	slow  *slowWriter
}

func newRecording(c config, path string) (*recording, error) {
	o := capture.Options{MaxBytes: maxBytes, MaxFiles: maxFiles, Compress: c.zstd, Report: report(c)}
	switch c.record {
	case "no":
		return &recording{}, nil
	case "slow":
		s, err := newSlowWriter()
		return &recording{slow: s}, err
	case "above":
	case "below":
		o.Tape.BelowTLS = true
	case "full":
		o.MinFree = 1 << 62
	default:
		return nil, fmt.Errorf("client-capture: -record %q is none of no, above, below, full, slow", c.record)
	}
	files, err := capture.Create(path, o)
	return &recording{files: files}, err
}

// report says on standard error what troubles the writer, where that is not what is
// asked for.
func report(c config) func(error) {
	if c.record == "full" {
		return nil
	}
	return func(err error) { fmt.Fprintln(os.Stderr, err) }
}

func (r *recording) tape() *tape.Recorder {
	switch {
	case r.files != nil:
		return r.files.Tape()
	case r.slow != nil:
		return r.slow.rec
	}
	return nil
}

func (r *recording) close() error {
	if r.slow != nil {
		r.slow.close()
	}
	if r.files != nil {
		return r.files.Close()
	}
	return nil
}

// count adds to the line what was lost.
func (r *recording) count(line *meter.Recorded, received int64) {
	line.Accounted = true
	switch {
	case r.files != nil:
		s := r.files.Stats()
		line.LostRecords, line.Unwritten, line.Written = s.Ring, s.Full.Records, s.Bytes
	case r.slow != nil:
		line.LostRecords, line.LostBytes = r.slow.rec.Lost(), r.slow.lost
		line.Accounted = r.slow.kept+r.slow.lost == received
	}
}

// slowWriter takes what is recorded at slowRate, which is less than comes.
type slowWriter struct {
	rec        *tape.Recorder
	stop       atomic.Bool
	done       chan struct{}
	kept, lost int64 // bytes received on the reactor, valid when done is closed
}

const slowRate = 50e6 // bytes a second

func newSlowWriter() (*slowWriter, error) {
	rec, err := tape.New(tape.Config{})
	if err != nil {
		return nil, err
	}
	s := &slowWriter{rec: rec, done: make(chan struct{})}
	go s.run()
	return s, nil
}

func (s *slowWriter) run() {
	defer close(s.done)
	began, taken := time.Now(), int64(0)
	for !s.stop.Load() {
		time.Sleep(time.Millisecond)
		for taken < int64(slowRate*time.Since(began).Seconds()) && s.rec.Drain(1, false, s.take) > 0 {
			taken = s.kept
		}
	}
	for s.rec.Drain(1000, true, s.take) > 0 { // no longer slow: so that all is accounted for
	}
}

func (s *slowWriter) take(r *tape.Record) {
	switch {
	case r.Kind == tape.KindRead && r.Flags&tape.Setup == 0:
		s.kept += int64(len(r.Data))
	case r.Kind == tape.KindMissing && r.Conn != 0:
		s.lost += r.Arg
	}
}

func (s *slowWriter) close() {
	s.stop.Store(true)
	<-s.done
}
