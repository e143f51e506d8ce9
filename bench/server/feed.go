package main

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/boomnet-go/boomnet/clock"
)

// serve answers the opening handshake and does the work that the path asks for,
// until the client leaves.
func serve(p peer) error {
	path, key, err := readRequest(p.rw)
	if err != nil {
		return err
	}
	w, err := parseWork(path)
	if err != nil {
		return err
	}
	answer := response(key)
	if err := p.send(answer, len(answer)); err != nil {
		return err
	}
	switch w.mode {
	case "burst":
		return burst(p, w)
	case "flood":
		err = flood(p, w)
	case "steady":
		err = steady(p, w)
	default:
		err = paced(p, w)
	}
	if err != nil {
		return err
	}
	return finish(p)
}

func burst(p peer, w work) error {
	frames, frame := newFrames(w)
	var in requests
	for {
		n, err := in.next(p.rw)
		if err != nil {
			return err
		}
		for range n {
			if err := p.send(frames, frame); err != nil {
				return err
			}
		}
	}
}

func flood(p peer, w work) error {
	frames, frame := newFrames(w)
	for left := w.n; left > 0; left -= w.param {
		if err := p.send(frames[:frame*min(left, w.param)], frame); err != nil {
			return err
		}
	}
	return nil
}

// startDelay gives the client time to reach its loop, in nanoseconds.
const startDelay = 50_000_000

func paced(p peer, w work) error {
	frame, _ := newFrames(w)
	stamp := frame[len(frame)-w.size+stampAt:]
	next := clock.Nano() + startDelay
	for range w.n {
		now := clock.Nano()
		for now < next {
			now = clock.Nano()
		}
		putStamp(stamp, now)
		if err := p.send(frame, len(frame)); err != nil {
			return err
		}
		next += int64(w.param) * 1000
	}
	return nil
}

// finish sends a close frame with code 1000 and waits for the client to go.
func finish(p peer) error {
	end := []byte{0x80 | opClose, 2, 1000 >> 8, 1000 & 0xff}
	if err := p.send(end, len(end)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, p.rw)
	return err
}

const (
	opText   = 1
	opBinary = 2
	opClose  = 8

	maxHeader = 10 // RFC 6455, section 5.2, without a mask

	stampAt     = 6  // where the stamp stands in a payload
	stampDigits = 19 // nanoseconds of CLOCK_MONOTONIC
	minPayload  = stampAt + stampDigits
)

// newFrames makes the frames of one write: JSON padded with blanks, stamped
// with the present time. They are all of one length, which it returns too.
func newFrames(w work) (frames []byte, frame int) {
	for i := range w.batch() {
		head := len(frames)
		frames = append(frames, 0x80|opText)
		if w.size < 126 {
			frames = append(frames, byte(w.size))
		} else if w.size <= 0xffff {
			frames = binary.BigEndian.AppendUint16(append(frames, 126), uint16(w.size))
		} else {
			frames = binary.BigEndian.AppendUint64(append(frames, 127), uint64(w.size))
		}
		frames = append(frames, payload(i, w.size)...)
		frame = len(frames) - head
	}
	return frames, frame
}

func payload(i, size int) []byte {
	p := fmt.Appendf(nil, `{"T":"%0*d","e":"trade","s":"BTC-USD","id":%d,"px":"67321.%02d","qty":"0.%03d","maker":%t}`,
		stampDigits, clock.Nano(), 4_100_000_000+i, i%100, i%1000, i%2 == 0)
	for len(p) < size {
		p = append(p, ' ')
	}
	return p[:size]
}

// putStamp writes ns as stampDigits digits.
func putStamp(p []byte, ns int64) {
	for i := stampDigits - 1; i >= 0; i-- {
		p[i] = byte('0' + ns%10)
		ns /= 10
	}
}

// requests counts the data frames that a client sends. What they say does not
// matter, so they are not unmasked.
type requests struct {
	buf        [64 << 10]byte
	head, tail int
}

// next reads once and returns how many data frames became complete; io.EOF for
// a close frame.
func (q *requests) next(r io.Reader) (n int, err error) {
	if q.head > 0 {
		q.tail = copy(q.buf[:], q.buf[q.head:q.tail])
		q.head = 0
	}
	if q.tail == len(q.buf) {
		return 0, fmt.Errorf("frame from the client larger than %d bytes", len(q.buf))
	}
	k, err := r.Read(q.buf[q.tail:])
	if err != nil {
		return 0, err
	}
	q.tail += k
	for {
		op, size := frameSize(q.buf[q.head:q.tail])
		if size == 0 || size > uint64(q.tail-q.head) {
			return n, nil
		}
		q.head += int(size)
		switch op {
		case opText, opBinary:
			n++
		case opClose:
			return n, io.EOF
		}
	}
}

// frameSize reads a frame's header and returns its opcode and its whole length
// in bytes; 0 when the header is not complete yet.
func frameSize(b []byte) (op byte, size uint64) {
	if len(b) < 2 {
		return 0, 0
	}
	op, size = b[0]&0x0f, uint64(b[1]&0x7f)
	head := uint64(2)
	switch {
	case size == 126 && len(b) < 4, size == 127 && len(b) < 10:
		return 0, 0
	case size == 126:
		size, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127:
		size, head = binary.BigEndian.Uint64(b[2:]), 10
	}
	if b[1]&0x80 != 0 {
		head += 4
	}
	if size > 1<<62 {
		size = 1 << 62 // never complete, so next refuses it
	}
	return op, head + size
}
