// Package differential holds our WebSocket decoder against another one: the same
// bytes must give the same messages and the same kind of end.
package differential

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// verdict is how a run over some bytes ended.
type verdict string

const (
	more      verdict = "wants more" // the bytes ended first
	closed    verdict = "closed"     // a valid close frame
	violation verdict = "violation"
)

// script is a stream that gives out bytes in pieces, and then ends.
type script struct {
	stream.Unqueued
	in    []byte
	piece func() int
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.piece())], s.in)
	s.in = s.in[n:]
	return n, nil
}
func (s *script) Write(p []byte) (int, error)        { return len(p), nil }
func (s *script) WriteControl(p []byte) (int, error) { return len(p), nil }
func (s *script) Source() stream.Source              { return stream.Source{FD: -1} }
func (s *script) Close() error                       { return nil }

func ours(in []byte, piece func() int) (messages []string, v verdict, err error) {
	c := ws.New(&script{in: in, piece: piece}, &ws.Options{MaxMessage: 1 << 20}, nil)
	defer c.Discard()
	for c.Err() == nil {
		_, _ = c.Fill()
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			messages = append(messages, fmt.Sprintf("%v %q", m.Op, m.Payload))
		}
	}
	err = c.Err()
	var e frame.Error
	switch {
	case errors.As(err, &e):
		return messages, violation, err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return messages, more, err
	}
	return messages, closed, err
}

func theirs(in []byte) (messages []string, v verdict, err error) {
	var end verdict
	control := func(h gobwas.Header, r io.Reader) error {
		p := make([]byte, h.Length) // at most 125, the header was checked
		if _, err := io.ReadFull(r, p); err != nil {
			return io.ErrUnexpectedEOF
		}
		if h.OpCode != gobwas.OpClose {
			return nil
		}
		end = closed
		if len(p) > 0 {
			code, reason := gobwas.ParseCloseFrameData(p)
			if code >= 1012 && code <= 1014 {
				code = 1000 // registered with IANA after the RFC; not known to them
			}
			if err := gobwas.CheckCloseFrameData(code, reason); len(p) == 1 || err != nil {
				end = violation
			}
		}
		return io.EOF
	}
	r := wsutil.Reader{Source: bytes.NewReader(in), State: gobwas.StateClientSide, CheckUTF8: true, OnIntermediate: control}
	for {
		h, err := r.NextFrame()
		if err == nil && h.OpCode.IsControl() {
			err = control(h, &r)
			if err == nil {
				continue
			}
		}
		var p []byte
		if err == nil {
			p, err = io.ReadAll(&r)
		}
		switch {
		case end != "":
			return messages, end, err
		case err == nil:
			messages = append(messages, fmt.Sprintf("%v %q", frame.Opcode(h.OpCode), p))
			continue
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return messages, more, err
		}
		return messages, violation, err
	}
}

// stricter are the violations that we find and the other one does not, or finds
// later: a length in more bytes than it needs (of a control frame, too), a length
// over the limit, UTF-8 that goes wrong before its frame is complete, and close
// codes that nobody may send.
func stricter(err error) bool {
	for _, e := range []error{frame.ErrLengthNotMinimal, frame.ErrControlTooLong, frame.ErrTooBig, frame.ErrInvalidUTF8, frame.ErrCloseCode} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func compare(t *testing.T, in []byte, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	a, va, ea := ours(in, func() int { return 1 + random.IntN(300) })
	b, vb, eb := theirs(in)
	if va == violation && stricter(ea) {
		require.LessOrEqual(t, len(a), len(b), "%q: ours: %v; theirs: %v", in, ea, eb)
		require.True(t, slices.Equal(b[:len(a)], a), "%q: ours: %v; theirs: %v", in, ea, eb)
		return
	}
	if va == violation && vb == more {
		// We judge by the first bytes of a header, they by all of it.
		_, vb, eb = theirs(append(slices.Clip(in), bytes.Repeat([]byte{0x7f}, frame.MaxHeaderSize)...))
	}
	require.True(t, slices.Equal(b, a), "%q: ours: %v; theirs: %v", in, ea, eb)
	require.Equal(t, vb, va, "%q: ours: %v; theirs: %v", in, ea, eb)
}

func wire(fin bool, op frame.Opcode, payload string) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Fin: fin, Opcode: op, Length: uint64(len(payload))}), payload...)
}

var seeds = [][]byte{
	wire(true, frame.Text, "hello"),
	bytes.Join([][]byte{wire(false, frame.Text, "κόσ"), wire(true, frame.Ping, "p"), wire(true, frame.Continuation, "με"), wire(true, frame.Binary, string(make([]byte, 300)))}, nil),
	bytes.Join([][]byte{wire(true, frame.Text, ""), wire(true, frame.Close, "\x03\xe8bye"), wire(true, frame.Text, "late")}, nil),
	wire(true, frame.Close, ""), wire(true, frame.Close, "\x03"), wire(true, frame.Close, "\x03\xed"), wire(true, frame.Close, "\x03\xe8\xff"),
	wire(true, frame.Text, "\xc3\x28"), wire(false, frame.Ping, ""), wire(true, frame.Continuation, "x"), wire(true, 3, "x"),
	bytes.Join([][]byte{wire(false, frame.Text, "a"), wire(true, frame.Text, "b")}, nil),
	{0x81, 126, 0, 5, 'h', 'e', 'l', 'l', 'o'}, {0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 1, 'x'}, {0x81, 0x81, 1, 2, 3, 4, 'x'}, {0xc1, 1, 'x'},
	wire(true, frame.Text, string(bytes.Repeat([]byte("long "), 20000))),
}

func TestAgainstGobwas(t *testing.T) {
	for _, in := range seeds {
		for cut := range min(len(in), 64) + 1 {
			compare(t, in[:len(in)-cut], uint64(cut))
		}
	}
}

func FuzzAgainstGobwas(f *testing.F) {
	for i, in := range seeds {
		f.Add(in, uint64(i))
	}
	f.Fuzz(compare)
}
