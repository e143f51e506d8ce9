package ws

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

func TestWrite(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, 300_000} {
		p := []byte(strings.Repeat("abcdefghijklmnopqrstuvwxyz", size/26+1)[:size])
		keep := bytes.Clone(p)
		s := &script{}
		c := New(s, testOptions(), nil)
		require.NoError(t, c.WriteText(p))
		require.NoError(t, c.WriteBinary(p))
		require.NoError(t, c.WriteString(string(p)))
		require.NoError(t, c.Write(frame.Binary, p))
		require.Equal(t, keep, p, "the caller's bytes stay")
		require.Equal(t, 4, s.writes, "one write a message")
		require.Equal(t, []sentFrame{{frame.Text, string(p)}, {frame.Binary, string(p)}, {frame.Text, string(p)}, {frame.Binary, string(p)}}, sent(t, s.out))
		require.LessOrEqual(t, cap(c.scratch.Out), stream.MaxScratchOut)
		require.EqualValues(t, 4, c.Counters().Writes)
		require.EqualValues(t, len(s.out), c.Counters().BytesWritten)
	}
}

func TestMaskKeys(t *testing.T) {
	keys := func(o *Options) (list [][4]byte) {
		s := &script{}
		c := New(s, o, nil)
		for range 3 {
			s.out = nil
			require.NoError(t, c.WriteText([]byte("payload")))
			h, n, err := frame.ParseHeader(s.out)
			require.NoError(t, err)
			require.True(t, h.Masked)
			list = append(list, h.Key)
			if h.Key == [4]byte{} {
				require.Equal(t, "payload", string(s.out[n:]))
			}
		}
		return list
	}
	require.Equal(t, make([][4]byte, 3), keys(&Options{ZeroMask: true}))
	require.Equal(t, keys(testOptions()), keys(testOptions()), "a seam for replays")
	a, b := keys(nil), keys(nil)
	require.NotEqual(t, a[0], a[1])
	require.NotEqual(t, a, b)
}

func TestWriteRefusesOtherOpcodes(t *testing.T) {
	c := New(&script{}, nil, nil)
	for _, op := range []frame.Opcode{frame.Continuation, frame.Ping, frame.Close, 3} {
		require.Error(t, c.Write(op, nil))
	}
	require.NoError(t, c.Err())
}

func TestNilConn(t *testing.T) {
	var c *Conn
	for _, err := range []error{c.WriteText(nil), c.WriteBinary(nil), c.WriteString(""), c.Write(frame.Text, nil), c.Ping(nil), c.Pong(nil),
		c.Close(frame.CloseNormal, ""), c.Flush(), c.Err(), c.Wait(t.Context())} {
		require.Equal(t, ErrNotConnected, err)
	}
	require.NoError(t, c.Discard())
}

func TestBackPressure(t *testing.T) {
	for _, refusal := range []error{stream.ErrBackPressured, stream.ErrTooLarge} {
		s := &script{refuse: refusal}
		c := New(s, testOptions(), nil)
		require.True(t, c.WriteText([]byte("a")) == refusal, "unwrapped")
		require.True(t, c.Ping([]byte("a")) == refusal)
		require.NoError(t, c.Err())
		require.Zero(t, c.Queued(), "a refused ping is not kept")
		s.refuse = nil
		require.NoError(t, c.WriteText([]byte("b")))
		require.Equal(t, []sentFrame{{frame.Text, "b"}}, sent(t, s.out))
	}
}

func TestOnlyTheNewestPongIsKept(t *testing.T) {
	s := &script{reads: [][]byte{join(ping("1"), ping("2"), text("m"), ping("3"))}, refuse: stream.ErrBackPressured}
	c := New(s, testOptions(), nil)
	_, err := c.Fill()
	require.NoError(t, err)
	_, ok := c.Next()
	require.True(t, ok)
	_, ok = c.Next()
	require.False(t, ok)
	require.NotZero(t, c.Queued())
	require.Equal(t, stream.ErrWouldBlock, c.Flush())
	require.Equal(t, stream.ErrBackPressured, c.Ping(nil), "the pong goes first")
	s.refuse = nil
	require.NoError(t, c.Flush())
	require.NoError(t, c.Flush())
	require.Equal(t, []sentFrame{{frame.Pong, "3"}}, sent(t, s.out))
	require.Zero(t, c.Queued())
}

func TestAnOwedCloseFrameReplacesThePong(t *testing.T) {
	s := &script{reads: [][]byte{ping("1"), ping("2")}, refuse: stream.ErrBackPressured}
	c := New(s, testOptions(), nil)
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	require.NoError(t, c.Close(4000, "later"))
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	require.Equal(t, ErrClosing, c.WriteText(nil))
	s.refuse = nil
	require.NoError(t, c.Flush())
	require.Equal(t, []sentFrame{{frame.Close, "\x0f\xa0later"}}, sent(t, s.out))
}

func TestFlushPassesTheStreamsAnswerOn(t *testing.T) {
	s := &script{queued: 10}
	c := New(s, nil, nil)
	require.Same(t, s, c.Stream())
	require.Zero(t, c.ID())
	c.SetID(7)
	require.EqualValues(t, 7, c.ID())
	require.Equal(t, 10, c.Queued())
	require.Equal(t, stream.ErrWouldBlock, c.Flush())
	s.queued = 0
	require.NoError(t, c.Flush())
}

func TestFlushFindsTheStreamBroken(t *testing.T) {
	broken := errors.New("broken pipe")
	s := &script{flushErr: broken}
	c := New(s, nil, nil)
	require.ErrorIs(t, c.Flush(), broken)
	require.NoError(t, c.Wait(t.Context()), "Fill tells")
	_, err := c.Fill()
	require.ErrorIs(t, err, broken)

	s = &script{reads: [][]byte{ping("x")}, refuse: stream.ErrBackPressured}
	c = New(s, nil, nil)
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	s.refuse = broken
	require.ErrorIs(t, c.Flush(), broken, "when the pong that was owed is sent")
	require.Zero(t, c.Queued())
}

func TestOnQueuedAsksForFlush(t *testing.T) {
	s := &script{}
	c := New(s, testOptions(), nil)
	asked := 0
	c.OnQueued = func() { asked++ }
	require.NoError(t, c.WriteText([]byte("taken")))
	require.Zero(t, asked)
	s.queued = 3
	require.NoError(t, c.WriteText([]byte("queued")))
	require.NoError(t, c.Ping(nil))
	require.Equal(t, 2, asked)
	s.queued, s.refuse, s.reads = 0, stream.ErrBackPressured, [][]byte{ping("x")}
	require.Equal(t, stream.ErrBackPressured, c.WriteText(nil))
	require.Equal(t, 2, asked, "nothing was taken")
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	require.Equal(t, 3, asked, "a pong is owed")
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	require.Equal(t, 4, asked, "a close frame is owed")
}

func TestPingsAndPongs(t *testing.T) {
	s := &script{}
	c := New(s, testOptions(), nil)
	long := strings.Repeat("p", frame.MaxControlPayload)
	require.NoError(t, c.Ping([]byte(long)))
	require.NoError(t, c.Pong(nil))
	require.ErrorContains(t, c.Ping([]byte(long+"p")), "126 bytes, limit 125")
	require.NoError(t, c.Err())
	require.Equal(t, []sentFrame{{frame.Ping, long}, {frame.Pong, ""}}, sent(t, s.out))
}

func TestABrokenWriteLetsWhatThePeerSaidBeRead(t *testing.T) {
	broken := errors.New("broken pipe")
	s := &script{reads: [][]byte{text("m"), closing(frame.ClosePolicyViolation, "too many requests")}, refuse: broken}
	c := New(s, testOptions(), nil)
	err := c.WriteText([]byte("a"))
	require.ErrorIs(t, err, broken)
	require.Equal(t, frame.CloseAbnormal, CloseStatus(err))
	require.Equal(t, err, c.WriteText(nil))
	require.Equal(t, err, c.Flush())
	require.True(t, c.Buffered())
	play(t, c, s, true)
	require.Equal(t, &CloseError{Code: frame.ClosePolicyViolation, Reason: "too many requests", Remote: true}, requireEnd(t, c))
	for _, end := range []error{nil, io.EOF} { // or it said nothing
		s := &script{refuse: broken, end: end}
		c := New(s, testOptions(), nil)
		_ = c.WriteText(nil)
		require.NoError(t, c.Err())
		_, err := c.Fill()
		require.Equal(t, c.Err(), err)
		require.ErrorIs(t, requireEnd(t, c), broken)
	}
}

func TestABrokenPongEndsTheConnection(t *testing.T) {
	broken := errors.New("broken pipe")
	s := &script{reads: [][]byte{ping("x")}, refuseC: broken}
	c := New(s, testOptions(), nil)
	play(t, c, s, false)
	require.ErrorIs(t, requireEnd(t, c), broken)
}

func TestNothingAllocatesOnTheWritePath(t *testing.T) {
	s := &script{out: make([]byte, 0, 1<<20)}
	c := New(s, nil, nil)
	p := []byte(strings.Repeat("x", 300))
	require.Zero(t, testing.AllocsPerRun(200, func() {
		s.out = s.out[:0]
		if c.WriteText(p) != nil || c.WriteBinary(p) != nil || c.Ping(p[:8]) != nil {
			panic("refused")
		}
	}))
	s.refuse = stream.ErrBackPressured
	require.Zero(t, testing.AllocsPerRun(200, func() {
		if c.WriteText(p) != stream.ErrBackPressured {
			panic("taken")
		}
	}))
}

func TestLentMemoryIsPassedOnAndCanBeChanged(t *testing.T) {
	s := &script{reads: [][]byte{join(text("one"), text("two"))}}
	c := New(s, testOptions(), nil)
	_, err := c.Fill()
	require.NoError(t, err)
	a, b := stream.NewScratch(), new(stream.Scratch)
	c.Lend(a)
	require.Same(t, a, s.lent)
	m, ok := c.Next()
	require.True(t, ok)
	require.Equal(t, "one", string(m.Payload))
	c.Lend(b)
	require.NotEmpty(t, b.In, "short buffers are replaced")
	copy(a.In, strings.Repeat("?", 100))
	m, ok = c.Next()
	require.True(t, ok)
	require.Equal(t, "two", string(m.Payload))
	require.NoError(t, c.WriteText([]byte("x")))
	require.NotZero(t, cap(b.Out))
}

func TestTwoConnectionsShareLentMemory(t *testing.T) {
	lent := stream.NewScratch()
	var conns [2]*Conn
	for i := range conns {
		name := string(rune('a' + i))
		s := &script{reads: pieces(join(text(strings.Repeat(name, 50)), ping(name), sf(false, frame.Text, name), sf(true, frame.Continuation, name)), 3)}
		conns[i] = New(s, testOptions(), nil)
		conns[i].Lend(lent)
	}
	var got [2]string
	for range 100 {
		for i, c := range conns {
			_, _ = c.Fill()
			for m, ok := c.Next(); ok; m, ok = c.Next() {
				got[i] += string(m.Payload)
			}
			c.Release()
		}
	}
	require.Equal(t, [2]string{strings.Repeat("a", 52), strings.Repeat("b", 52)}, got)
}
