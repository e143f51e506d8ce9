package ws

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

// script is a stream.Stream that plays a scripted peer.
type script struct {
	reads    [][]byte // one Read each, split when the caller's memory is shorter
	end      error    // after them; nil: ErrWouldBlock
	out      []byte   // what was written
	writes   int      // in so many writes
	refuse   error    // what Write and WriteControl answer instead
	refuseC  error    // what only WriteControl answers
	queued   int
	flushErr error // what Flush answers
	closed   bool
	lent     *stream.Scratch
	onWait   func(write bool)
}

func (s *script) Read(p []byte) (int, error) {
	switch {
	case s.closed:
		return 0, net.ErrClosed
	case len(s.reads) == 0 && s.end != nil:
		return 0, s.end
	case len(s.reads) == 0:
		return 0, stream.ErrWouldBlock
	}
	if len(s.reads[0]) == 0 { // what a Stream must never do
		s.reads = s.reads[1:]
		return 0, nil
	}
	n := copy(p, s.reads[0])
	if s.reads[0] = s.reads[0][n:]; len(s.reads[0]) == 0 {
		s.reads = s.reads[1:]
	}
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	if s.refuse != nil {
		return 0, s.refuse
	}
	s.out = append(s.out, p...)
	s.writes++
	return len(p), nil
}

func (s *script) WriteControl(p []byte) (int, error) {
	if s.refuseC != nil {
		return 0, s.refuseC
	}
	return s.Write(p)
}

func (s *script) Flush() error {
	if s.queued > 0 && s.flushErr == nil {
		return stream.ErrWouldBlock
	}
	return s.flushErr
}
func (s *script) Queued() int            { return s.queued }
func (s *script) Room() int              { return stream.DefaultQueueBound - s.queued }
func (s *script) Buffered() bool         { return false }
func (s *script) Source() stream.Source  { return stream.Source{FD: -1} }
func (s *script) Close() error           { s.closed = true; return nil }
func (s *script) Lend(l *stream.Scratch) { s.lent = l }

// waitingScript is a script that can be waited for.
type waitingScript struct{ *script }

func (s waitingScript) Wait(ctx context.Context, write bool) error {
	if s.onWait != nil {
		s.onWait(write)
		return context.Cause(ctx)
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

var (
	_ stream.Stream   = (*script)(nil)
	_ stream.Borrower = (*script)(nil)
	_ stream.Waiter   = waitingScript{}
)

// fixedRand gives the same mask keys in every run.
func fixedRand() rand.Source { return rand.NewPCG(1, 2) }

func testOptions() *Options {
	return &Options{Rand: fixedRand(), Clock: clock.NewManual(1000)}
}

// sf is a server's frame: unmasked.
func sf(fin bool, op frame.Opcode, payload string) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Fin: fin, Opcode: op, Length: uint64(len(payload))}), payload...)
}

func text(payload string) []byte { return sf(true, frame.Text, payload) }
func bin(payload string) []byte  { return sf(true, frame.Binary, payload) }
func ping(payload string) []byte { return sf(true, frame.Ping, payload) }

func closing(code frame.CloseCode, reason string) []byte {
	return sf(true, frame.Close, string(frame.AppendClose(nil, code, reason)))
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// sentFrame is a client's frame, unmasked again.
type sentFrame struct {
	Op      frame.Opcode
	Payload string
}

// sent decodes what the client wrote, which must be whole masked frames.
func sent(t testing.TB, out []byte) (frames []sentFrame) {
	t.Helper()
	for len(out) > 0 {
		h, n, err := frame.ParseHeader(out)
		require.NoError(t, err)
		require.NotZero(t, n)
		require.True(t, h.Masked, "a client masks")
		require.True(t, h.Fin)
		require.Zero(t, h.Rsv)
		require.LessOrEqual(t, h.Length, uint64(len(out)-n))
		p := bytes.Clone(out[n : n+int(h.Length)])
		frame.Mask(p, h.Key, 0)
		frames = append(frames, sentFrame{h.Opcode, string(p)})
		out = out[n+int(h.Length):]
	}
	return frames
}

// sentClose is the code of the last frame written, which must be a close frame.
func sentClose(t testing.TB, out []byte) frame.CloseCode {
	t.Helper()
	frames := sent(t, out)
	require.NotEmpty(t, frames, "no close frame was sent")
	last := frames[len(frames)-1]
	require.Equal(t, frame.Close, last.Op)
	for _, f := range frames[:len(frames)-1] {
		require.NotEqual(t, frame.Close, f.Op, "two close frames")
	}
	code, _, err := frame.ParseClose([]byte(last.Payload))
	require.NoError(t, err)
	return code
}

// history is everything that a peer's bytes led to.
type history struct {
	Messages []sentFrame
	Controls []sentFrame
	Sent     []sentFrame
	Err      string
	Code     frame.CloseCode
}

// play reads c to its end, or until nothing is left to read.
func play(t testing.TB, c *Conn, s *script, release bool) (h history) {
	t.Helper()
	c.OnControl = func(ev Control) { h.Controls = append(h.Controls, sentFrame{ev.Op, string(ev.Payload)}) }
	for turn := 0; ; turn++ {
		require.Less(t, turn, 1<<20, "no end")
		_, err := c.Fill()
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			h.Messages = append(h.Messages, sentFrame{m.Op, string(m.Payload)})
		}
		if release {
			c.Release()
		}
		if c.Err() != nil || err == stream.ErrWouldBlock && !c.Buffered() {
			break
		}
	}
	h.Sent = sent(t, s.out)
	if c.Err() != nil {
		h.Err, h.Code = c.Err().Error(), CloseStatus(c.Err())
	}
	return h
}

// pieces cuts p every n bytes.
func pieces(p []byte, n int) (list [][]byte) {
	for len(p) > n {
		list = append(list, p[:n])
		p = p[n:]
	}
	return append(list, p)
}

// cutAt cuts p into two.
func cutAt(p []byte, n int) [][]byte {
	if n == 0 || n == len(p) {
		return [][]byte{p}
	}
	return [][]byte{p[:n], p[n:]}
}

func requireEnd(t testing.TB, c *Conn) *CloseError {
	t.Helper()
	var e *CloseError
	require.ErrorAs(t, c.Err(), &e)
	require.ErrorIs(t, c.Err(), net.ErrClosed)
	return e
}
