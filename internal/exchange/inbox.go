package exchange

import (
	"errors"
	"io"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// What a server refuses beyond what package frame finds.
const errUnmasked frame.Error = "ws: unmasked frame from a client"

// closeError is an end that is told to the client in a close frame.
type closeError struct {
	code   frame.CloseCode
	reason string
}

func (e *closeError) Error() string { return "exchange: " + e.reason }

// inbox reads a client's frames. Memory is bounded: a message is handed out whole
// when it is no longer than pieceSize, else in pieces of that size as they arrive.
type inbox struct {
	in        io.Reader
	limit     uint64 // of a message, in bytes
	pieceSize int
	onPiece   func(op frame.Opcode, piece []byte, last bool) error
	onControl func(op frame.Opcode, payload []byte) error
	zip       *inflater // nil: compression was not agreed on

	buf        []byte // unread: buf[start:end]
	start, end int

	op     frame.Opcode // of the message under way; Continuation: none
	total  uint64       // its bytes so far
	piece  []byte       // those not handed out
	zipped bool         // it is compressed: piece gathers all of it
	text   frame.UTF8
}

// inboxSize is the size of an inbox's read buffer in bytes.
const inboxSize = 32 << 10

// run reads until the connection ends or a callback returns an error. Violations
// are a *closeError.
func (i *inbox) run() error {
	for {
		h, err := i.header()
		if err == nil {
			err = i.frame(h)
		}
		if err != nil {
			var violation frame.Error
			if errors.As(err, &violation) {
				return &closeError{closeCode(violation), violation.Error()}
			}
			return err
		}
	}
}

func closeCode(e frame.Error) frame.CloseCode {
	if e == errUnmasked {
		return frame.CloseProtocolError // RFC 6455, section 5.1
	}
	return e.CloseCode()
}

func (i *inbox) header() (frame.Header, error) {
	for {
		h, n, err := frame.ParseHeader(i.buf[i.start:i.end])
		if err != nil {
			return h, err
		}
		if n > 0 {
			i.start += n
			return h, i.check(h)
		}
		if err := i.fill(); err != nil {
			return h, err
		}
	}
}

// check holds a header against the rules that depend on who sent it and on the
// frames before.
func (i *inbox) check(h frame.Header) error {
	switch {
	case !h.Masked:
		return errUnmasked
	case h.Rsv != 0 && (h.Rsv != rsv1 || i.zip == nil || h.Opcode.IsControl() || h.Opcode == frame.Continuation):
		return frame.ErrReservedBits
	case h.Opcode.IsControl():
		return nil
	case h.Opcode == frame.Continuation && i.op == frame.Continuation:
		return frame.ErrOrphanContinuation
	case h.Opcode != frame.Continuation && i.op != frame.Continuation:
		return frame.ErrInterleaved
	case h.Length > i.limit-i.total:
		return frame.ErrTooBig
	}
	return nil
}

// frame reads the payload of h.
func (i *inbox) frame(h frame.Header) error {
	if h.Opcode.IsControl() {
		n := int(h.Length) // at most 125
		for i.end-i.start < n {
			if err := i.fill(); err != nil {
				return err
			}
		}
		payload := i.buf[i.start : i.start+n]
		i.start += n
		frame.Mask(payload, h.Key, 0)
		return i.onControl(h.Opcode, payload)
	}
	if h.Opcode != frame.Continuation {
		i.op, i.total, i.zipped = h.Opcode, 0, h.Rsv == rsv1
		i.text.Reset()
	}
	for offset := 0; offset < int(h.Length); { // at most limit
		if i.start == i.end {
			if err := i.fill(); err != nil {
				return err
			}
		}
		n := min(int(h.Length)-offset, i.end-i.start)
		if !i.zipped {
			n = min(n, i.pieceSize-len(i.piece))
		}
		part := i.buf[i.start : i.start+n]
		frame.Mask(part, h.Key, offset)
		if i.op == frame.Text && !i.zipped && !i.text.Feed(part) {
			return frame.ErrInvalidUTF8
		}
		i.piece = append(i.piece, part...)
		i.start += n
		offset += n
		i.total += uint64(n)
		if !i.zipped && len(i.piece) == i.pieceSize && !(h.Fin && offset == int(h.Length)) {
			if err := i.hand(false); err != nil {
				return err
			}
		}
	}
	if !h.Fin {
		return nil
	}
	if i.zipped {
		plain, err := i.zip.inflate(i.piece, i.limit)
		if err != nil {
			return err
		}
		if i.op == frame.Text && !i.text.Feed(plain) {
			return frame.ErrInvalidUTF8
		}
		i.piece = plain
	}
	if i.op == frame.Text && !i.text.Done() {
		return frame.ErrInvalidUTF8
	}
	err := i.hand(true)
	i.op, i.total = frame.Continuation, 0
	return err
}

func (i *inbox) hand(last bool) error {
	err := i.onPiece(i.op, i.piece, last)
	i.piece = i.piece[:0]
	return err
}

// fill reads once. What is unread is moved to the front of the buffer first.
func (i *inbox) fill() error {
	copy(i.buf, i.buf[i.start:i.end])
	i.start, i.end = 0, i.end-i.start
	n, err := i.in.Read(i.buf[i.end:])
	i.end += n
	if n > 0 {
		return nil
	}
	return err
}
