package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/stream"
)

// A tape is a seed and then records, each what one network read brought:
//
//	seed [32]byte | { time int64, ns since the first byte | n uint32 | n bytes } …
//
// all little-endian. The seed is the one that all randomness of the connection came
// from: with it a replay sends the same Sec-WebSocket-Key, which the recorded
// answer to the upgrade belongs to.
const (
	seedSize  = 32
	headSize  = 12
	maxRecord = stream.ScratchIn
)

// Recorder is a stream that writes down what is read from the one it wraps, times
// included, above TLS. It keeps a buffer of 1 MiB, so that few reads pay for a
// write to the file.
type Recorder struct {
	stream.Stream
	file  *os.File
	out   *bufio.Writer
	start int64
	err   error // of the file
}

// recordTo is a Seams.Dial that records what it dials to a new file, which nobody
// else may read: it holds all that the venue tells us.
func recordTo(name string, seed [seedSize]byte) func(context.Context, string, *stream.Options) (stream.Stream, error) {
	return func(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
		file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		s, err := o.Dial(ctx, target)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return NewRecorder(s, file, seed), nil
	}
}

// NewRecorder records s to file, which it owns from now on.
func NewRecorder(s stream.Stream, file *os.File, seed [seedSize]byte) *Recorder {
	r := &Recorder{Stream: s, file: file, out: bufio.NewWriterSize(file, 1<<20)}
	_, r.err = r.out.Write(seed[:])
	return r
}

// Read implements stream.Stream. A tape that cannot be written ends the connection:
// a recording with a hole in it would be worse than none.
func (r *Recorder) Read(p []byte) (int, error) {
	n, err := r.Stream.Read(p[:min(len(p), maxRecord)])
	if n == 0 {
		return n, err
	}
	now := clock.Nano()
	if r.start == 0 {
		r.start = now
	}
	var head [headSize]byte
	binary.LittleEndian.PutUint64(head[:], uint64(now-r.start))
	binary.LittleEndian.PutUint32(head[8:], uint32(n))
	_, e1 := r.out.Write(head[:])
	_, e2 := r.out.Write(p[:n])
	if r.err = errors.Join(r.err, e1, e2); r.err != nil {
		return 0, r.err
	}
	return n, err
}

// Close implements stream.Stream; the reactor calls it on a housekeeping goroutine.
func (r *Recorder) Close() error {
	if r.file == nil {
		return r.Stream.Close()
	}
	err := errors.Join(r.err, r.out.Flush(), r.file.Close())
	r.file = nil
	return errors.Join(err, r.Stream.Close())
}

// What a stream may be beside a Stream is handed through.

// Lend implements stream.Borrower.
func (r *Recorder) Lend(s *stream.Scratch) {
	if b, ok := r.Stream.(stream.Borrower); ok {
		b.Lend(s)
	}
}

// Wait implements stream.Waiter.
func (r *Recorder) Wait(ctx context.Context, write bool) error {
	if w, ok := r.Stream.(stream.Waiter); ok {
		return w.Wait(ctx, write)
	}
	return io.ErrNoProgress
}

// Detach implements stream.Detacher.
func (r *Recorder) Detach() error {
	if d, ok := r.Stream.(stream.Detacher); ok {
		return d.Detach()
	}
	return nil
}
