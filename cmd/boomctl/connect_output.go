package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// output is standard output. The session formats messages into one buffer while
// a goroutine writes the other, so that a reader who is slow, or has stopped,
// never keeps the session from its timers and from Ctrl-C.
//
//	message ──→ buf ── flush, if the writer is free ──→ work ──→ Write
//	             ↑                                                 │
//	             └──────────────────── done ───────────────────────┘
type output struct {
	json bool
	buf  *bytes.Buffer
	free *bytes.Buffer // the other buffer; nil while it is being written
	work chan *bytes.Buffer
	done chan written
	err  error // the writer's, final
	at   int64 // the receive time of which text is the wall-clock time
	text string
}

type written struct {
	buf *bytes.Buffer
	err error
}

const (
	// outputFull is how much may wait to be written before no more is read, in bytes.
	outputFull = 1 << 20
	// outputKeep is the largest buffer that is kept for the next batch, in bytes.
	outputKeep = 4 << 20
)

// errOutputClosed says that nobody reads standard output any more.
var errOutputClosed = errors.New("standard output is closed")

func newOutput(w io.Writer, asJSON bool, ring func()) *output {
	o := &output{
		json: asJSON,
		buf:  new(bytes.Buffer),
		free: new(bytes.Buffer),
		work: make(chan *bytes.Buffer, 1),
		done: make(chan written, 1),
	}
	go func() {
		for b := range o.work {
			_, err := w.Write(b.Bytes())
			o.done <- written{b, err}
			ring()
		}
	}()
	return o
}

type textLine struct {
	Op       string `json:"op"`
	Time     string `json:"time"`
	Received int64  `json:"received"`
	Kernel   int64  `json:"kernel,omitempty"`
	Data     string `json:"data"`
}

type binaryLine struct {
	Op       string `json:"op"`
	Time     string `json:"time"`
	Received int64  `json:"received"`
	Kernel   int64  `json:"kernel,omitempty"`
	Base64   []byte `json:"base64"`
}

// message appends m as one line. received is when it was read, and kernel when the
// kernel received it, if not 0, in nanoseconds of CLOCK_MONOTONIC.
func (o *output) message(m ws.Message, received, kernel int64) {
	if !o.json {
		o.buf.Write(m.Payload)
		o.buf.WriteByte('\n')
		return
	}
	if o.at != received {
		ago := time.Duration(clock.Nano() - received)
		o.at, o.text = received, time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000000000Z07:00")
	}
	e := json.NewEncoder(o.buf)
	e.SetEscapeHTML(false)
	var line any = textLine{m.Op.String(), o.text, received, kernel, string(m.Payload)}
	if m.Op == frame.Binary {
		line = binaryLine{m.Op.String(), o.text, received, kernel, m.Payload}
	}
	_ = e.Encode(line) // strings and bytes into a buffer
}

// flush hands what is there to the writer if that is free.
func (o *output) flush() {
	if o.free == nil {
		select {
		case d := <-o.done:
			o.settle(d)
		default:
		}
	}
	o.hand()
}

func (o *output) hand() {
	switch {
	case o.err != nil:
		o.buf.Reset() // nowhere to go
	case o.free != nil && o.buf.Len() > 0:
		o.work <- o.buf // never waits: the writer has nothing
		o.buf, o.free = o.free, nil
	}
}

func (o *output) settle(d written) {
	if d.buf.Reset(); d.buf.Cap() > outputKeep {
		d.buf = new(bytes.Buffer)
	}
	o.free = d.buf
	switch {
	case d.err == nil:
	case errors.Is(d.err, syscall.EPIPE) || errors.Is(d.err, io.ErrClosedPipe):
		o.err = errOutputClosed
	default:
		o.err = fmt.Errorf("standard output: %w", d.err)
	}
}

// full reports whether so much waits that no more should be read.
func (o *output) full() bool { return o.free == nil && o.buf.Len() >= outputFull }

// await waits until the writer is free, or over has ended; false then.
func (o *output) await(over <-chan struct{}) bool {
	if o.free == nil {
		select {
		case d := <-o.done:
			o.settle(d)
		case <-over:
			return false
		}
	}
	o.hand()
	return true
}

// drain waits until everything is written, or over has ended.
func (o *output) drain(over <-chan struct{}) {
	for o.free == nil || o.buf.Len() > 0 {
		if !o.await(over) {
			return
		}
	}
}

// close ends the writer, once it is done with what it has.
func (o *output) close() { close(o.work) }
