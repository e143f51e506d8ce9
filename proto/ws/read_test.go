package ws

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

// conversation has every kind of frame a good server sends.
var conversation = join(
	text("hello"), bin("\x00\xff"), text(""), ping("p1"),
	sf(false, frame.Text, "κό"), ping("between"), sf(false, frame.Continuation, "\xcf"), sf(true, frame.Pong, ""), sf(true, frame.Continuation, "\x83με"),
	text(strings.Repeat("x", 126)), bin(strings.Repeat("y", 300)), sf(false, frame.Binary, ""), sf(true, frame.Continuation, ""),
	text(strings.Repeat("€", 100)), ping(strings.Repeat("z", 125)), text("last"), closing(4000, "done"),
)

func TestEverySplitGivesTheSameEvents(t *testing.T) {
	want := play(t, New(&script{}, testOptions(), conversation), &script{}, false)
	require.Len(t, want.Messages, 9)
	require.Equal(t, sentFrame{frame.Text, "κόσμε"}, want.Messages[3])
	run := func(release, lend bool, reads ...[]byte) history {
		s := &script{reads: reads}
		c := New(s, testOptions(), nil)
		if lend {
			c.Lend(&stream.Scratch{In: make([]byte, 700)})
		}
		return play(t, c, s, release)
	}
	want = run(false, false, conversation)
	require.Equal(t, frame.CloseCode(4000), want.Code)
	require.Equal(t, []frame.Opcode{frame.Pong, frame.Pong, frame.Pong, frame.Close}, []frame.Opcode{want.Sent[0].Op, want.Sent[1].Op, want.Sent[2].Op, want.Sent[3].Op})
	require.Len(t, want.Controls, 5)
	for i := range conversation {
		for mode := range 4 {
			require.Equal(t, want, run(mode&1 != 0, mode&2 != 0, cutAt(conversation, i)...), "cut at %d, mode %d", i, mode)
		}
	}
	for n := 1; n < 40; n++ {
		for mode := range 4 {
			require.Equal(t, want, run(mode&1 != 0, mode&2 != 0, pieces(conversation, n)...), "pieces of %d, mode %d", n, mode)
		}
	}
}

func TestReadAheadIsTheFirstInput(t *testing.T) {
	s := &script{reads: [][]byte{conversation}}
	want := play(t, New(s, testOptions(), nil), s, false)
	for i := range conversation {
		s := &script{reads: [][]byte{conversation[i:]}}
		ahead := append([]byte(nil), conversation[:i]...)
		c := New(s, testOptions(), ahead)
		for k := range ahead {
			ahead[k] = 0xEE // it was copied
		}
		require.Equal(t, want, play(t, c, s, i%2 == 0), "%d bytes ahead", i)
	}
}

func TestBufferedCountsReadAhead(t *testing.T) {
	require.True(t, New(&script{}, nil, text("now")).Buffered())
	require.False(t, New(&script{}, nil, []byte{0x81}).Buffered(), "a cut header is nothing yet")
	require.False(t, New(&script{}, nil, ping("cut")[:4]).Buffered(), "nor is a cut control frame")
	require.True(t, New(&script{}, nil, text("cut")[:4]).Buffered(), "the start of a payload is")
	require.True(t, New(&script{}, nil, []byte{0x83, 0}).Buffered(), "and a violation")
	require.False(t, New(&script{}, nil, nil).Buffered())
}

func TestReadAheadLargerThanLentMemory(t *testing.T) {
	s := &script{}
	c := New(s, testOptions(), join(text(strings.Repeat("a", 600)), text("b"), text(strings.Repeat("c", 600)), text("d")))
	c.Lend(&stream.Scratch{In: make([]byte, minIn)})
	h := play(t, c, s, true)
	require.Len(t, h.Messages, 4)
	require.Equal(t, "d", h.Messages[3].Payload)
	require.Empty(t, h.Err)
}

func TestMoreIsParkedThanLentMemoryHolds(t *testing.T) {
	var wire []byte
	for i := range 100 {
		wire = append(wire, text(fmt.Sprintf("message %02d of a hundred", i))...)
	}
	s := &script{}
	c := New(s, testOptions(), wire)
	c.Lend(&stream.Scratch{In: make([]byte, minIn)})
	for i := range 100 { // one message a turn: the rest is parked again and again
		if i%2 == 0 {
			_, err := c.Fill()
			require.True(t, err == nil || err == stream.ErrWouldBlock)
		}
		require.True(t, c.Buffered())
		if !c.HasNext() {
			_, err := c.Fill()
			require.NoError(t, err)
		}
		m, ok := c.Next()
		require.True(t, ok)
		require.Equal(t, fmt.Sprintf("message %02d of a hundred", i), string(m.Payload))
		if i%5 > 0 {
			c.Release()
		}
	}
	require.False(t, c.Buffered())
}

func TestAReadOfNothingEndsTheConnection(t *testing.T) {
	s := &script{reads: [][]byte{{}}}
	c := New(s, testOptions(), nil)
	_, err := c.Fill()
	require.ErrorIs(t, err, io.ErrNoProgress)
}

func TestHasNextKeepsTheMessage(t *testing.T) {
	s := &script{reads: [][]byte{join(ping("a"), text("one"), ping("b"), sf(false, frame.Text, "tw"), sf(true, frame.Continuation, "o"), text("three"))}}
	c := New(s, testOptions(), nil)
	c.Lend(stream.NewScratch())
	var pings []string
	c.OnControl = func(ev Control) { pings = append(pings, string(ev.Payload)) }
	require.False(t, c.HasNext())
	_, err := c.Fill()
	require.NoError(t, err)
	require.True(t, c.HasNext())
	require.Equal(t, []string{"a"}, pings)
	require.True(t, c.HasNext())
	c.Release() // found, not taken: it comes again
	require.True(t, c.Buffered())
	m, ok := c.Next()
	require.True(t, ok)
	require.Equal(t, "one", string(m.Payload))
	require.True(t, c.HasNext())
	require.Equal(t, []string{"a", "b"}, pings)
	c.Release() // an assembled one, too
	_, err = c.Fill()
	require.Equal(t, stream.ErrWouldBlock, err)
	m, ok = c.Next()
	require.True(t, ok)
	require.Equal(t, "two", string(m.Payload))
	c.Release()
	require.True(t, c.Buffered())
	m, ok = c.Next()
	require.True(t, ok)
	require.Equal(t, "three", string(m.Payload))
	require.False(t, c.HasNext())
	require.False(t, c.Buffered())
	require.Equal(t, Counters{Reads: 1, BytesRead: c.Counters().BytesRead, Frames: 6, Messages: 3, PayloadBytes: 11, Pings: 2, Writes: 2,
		BytesWritten: int64(len(s.out))}, c.Counters())
}

func TestAssembledViewsLiveUntilFill(t *testing.T) {
	// Three fragmented messages in one read, each making the assembly grow.
	var wire []byte
	var want []string
	for i := range 3 {
		p := strings.Repeat(fmt.Sprint(i), 1000*(i+1))
		want = append(want, p+p)
		wire = append(wire, join(sf(false, frame.Binary, p), sf(true, frame.Continuation, p))...)
	}
	s := &script{reads: [][]byte{append(wire, sf(false, frame.Binary, "unfinished")...), sf(true, frame.Continuation, " business")}}
	c := New(s, testOptions(), nil)
	_, err := c.Fill()
	require.NoError(t, err)
	var views [][]byte
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		views = append(views, m.Payload)
	}
	for i, v := range views {
		require.Equal(t, want[i], string(v))
	}
	_, err = c.Fill()
	require.NoError(t, err)
	m, ok := c.Next()
	require.True(t, ok)
	require.Equal(t, "unfinished business", string(m.Payload))
	_, err = c.Fill()
	require.Equal(t, stream.ErrWouldBlock, err)
	require.Nil(t, c.asm, "memory goes back when the views are dead")
}

func TestTheReceiveTimeIsThatOfTheRead(t *testing.T) {
	clk := clock.NewManual(5)
	s := &script{reads: [][]byte{join(text("a"), text("b")), text("c")}}
	c := New(s, &Options{Clock: clk}, nil)
	clk.Advance(10)
	_, _ = c.Fill()
	clk.Advance(10)
	for range 2 {
		_, ok := c.Next()
		require.True(t, ok)
		require.EqualValues(t, 15, c.Received())
	}
	_, _ = c.Fill()
	require.EqualValues(t, 25, c.Received())
	clk.Advance(10)
	_, err := c.Fill()
	require.Equal(t, stream.ErrWouldBlock, err)
	require.EqualValues(t, 25, c.Received())
}

func TestUnreadMessagesFillTheBufferAndNothingIsLost(t *testing.T) {
	const n = 3000
	var wire []byte
	for i := range n {
		wire = append(wire, text(fmt.Sprintf("message %04d %s", i, strings.Repeat("-", 40)))...)
	}
	s := &script{reads: [][]byte{wire}, end: io.EOF}
	c := New(s, testOptions(), nil)
	full := false
	for range 20 { // nobody asks for messages
		_, err := c.Fill()
		full = full || err == stream.ErrWouldBlock
	}
	require.True(t, full)
	require.NoError(t, c.Err())
	got := 0
	for c.Err() == nil {
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			require.Equal(t, fmt.Sprintf("message %04d", got), string(m.Payload[:12]))
			got++
		}
		_, _ = c.Fill()
	}
	require.Equal(t, n, got)
	require.ErrorIs(t, c.Err(), io.ErrUnexpectedEOF)
}

func TestEndOfStream(t *testing.T) {
	for _, tc := range []struct {
		name, in, err string
		messages      int
	}{
		{"at once", "", "ws: closed: 1006 abnormal: unexpected EOF", 0},
		{"right after a frame", string(text("a")), "ws: closed: 1006 abnormal: unexpected EOF", 1},
		{"inside a header", string(join(text("a"), []byte{0x81})), "ws: closed: 1006 abnormal: unexpected EOF inside a message", 1},
		{"inside a frame", string(join(text("a"), text("bcd")[:3])), "ws: closed: 1006 abnormal: unexpected EOF inside a message", 1},
		{"inside a message", string(sf(false, frame.Text, "a")), "ws: closed: 1006 abnormal: unexpected EOF inside a message", 0},
		{"inside a ping", string(ping("abc")[:3]), "ws: closed: 1006 abnormal: unexpected EOF inside a message", 0},
		{"after a close frame", string(closing(1001, "")), "ws: closed by the peer: 1001 going away", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for n := 1; n <= max(1, len(tc.in)); n++ {
				s := &script{reads: pieces([]byte(tc.in), n), end: io.EOF}
				if tc.in == "" {
					s.reads = nil
				}
				c := New(s, testOptions(), nil)
				h := play(t, c, s, n%2 == 0)
				require.Equal(t, tc.err, h.Err)
				require.Len(t, h.Messages, tc.messages)
				_, err := c.Fill()
				require.Equal(t, c.Err(), err)
				require.Equal(t, c.Err(), c.WriteText(nil))
				require.False(t, c.Buffered())
			}
		})
	}
}

func TestEndOfStreamBehindUnreadInput(t *testing.T) {
	s := &script{reads: [][]byte{join(text("a"), text("b"), closing(4001, "bye"))}, end: io.EOF}
	c := New(s, testOptions(), nil)
	_, err := c.Fill()
	require.NoError(t, err)
	for range 2 {
		_, err = c.Fill()
		require.Equal(t, stream.ErrWouldBlock, err, "messages wait")
	}
	require.NoError(t, c.Err())
	require.True(t, c.Buffered())
	for _, want := range []string{"a", "b"} {
		m, ok := c.Next()
		require.True(t, ok)
		require.Equal(t, want, string(m.Payload))
	}
	_, ok := c.Next()
	require.False(t, ok)
	require.Equal(t, frame.CloseCode(4001), requireEnd(t, c).Code, "the close frame was read before the end of the stream")
}

func TestLargeMessages(t *testing.T) {
	for _, size := range []int{65535, 65536, 200_000, 1 << 20, 16 << 20} {
		payload := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		s := &script{reads: [][]byte{join(text(payload), text("next"))}}
		c := New(s, testOptions(), nil)
		h := play(t, c, s, false)
		require.Empty(t, h.Err)
		require.Len(t, h.Messages, 2)
		require.True(t, payload == h.Messages[0].Payload)
		require.Nil(t, c.asm)
	}
}

func TestMemoryGrowsWithWhatWasReceived(t *testing.T) {
	// 30 MiB announced and allowed, 1000 bytes sent.
	s := &script{reads: [][]byte{join(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Binary, Length: 30 << 20}), make([]byte, 1000))}}
	c := New(s, testOptions(), nil)
	play(t, c, s, false)
	require.NoError(t, c.Err())
	require.LessOrEqual(t, cap(c.asm.B), 4096)
	// A flood of tiny fragments grows it by doubling, not each time.
	var wire []byte
	for range 20000 {
		wire = append(wire, sf(false, frame.Continuation, "ab")...)
	}
	s = &script{reads: [][]byte{join(sf(false, frame.Binary, "ab"), wire, sf(true, frame.Continuation, "ab"))}}
	c = New(s, testOptions(), nil)
	h := play(t, c, s, true)
	require.Len(t, h.Messages[0].Payload, 40004)
}

func TestNothingAllocatesOnTheReadPath(t *testing.T) {
	batch := join(text(strings.Repeat("a", 180)), bin(strings.Repeat("b", 256)), text("κόσμε"), ping("x"), bin(strings.Repeat("c", 70)))
	for _, lend := range []bool{false, true} {
		s := &script{reads: make([][]byte, 1), out: make([]byte, 0, 1<<10)}
		reads := s.reads
		c := New(s, nil, nil)
		if lend {
			c.Lend(stream.NewScratch())
		}
		n := 0
		require.Zero(t, testing.AllocsPerRun(200, func() {
			reads[0], s.reads, s.out = batch, reads, s.out[:0]
			if _, err := c.Fill(); err != nil {
				panic(err)
			}
			for m, ok := c.Next(); ok; m, ok = c.Next() {
				n += len(m.Payload)
			}
			c.Release()
		}))
		require.NotZero(t, n)
		require.NoError(t, c.Err())
	}
}

func FuzzConn(f *testing.F) {
	f.Add(conversation, uint64(1))
	for _, tc := range hostile {
		f.Add([]byte(tc.in), uint64(7))
	}
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64) {
		const limit = 1 << 16
		run := func(release, lend bool, reads [][]byte) history {
			s := &script{reads: reads, end: io.EOF}
			o := testOptions()
			o.MaxMessage = limit
			c := New(s, o, nil)
			if lend {
				c.Lend(&stream.Scratch{In: make([]byte, minIn)})
			}
			h := play(t, c, s, release)
			if c.asm != nil {
				require.LessOrEqual(t, cap(c.asm.B), 4*(limit+ownIn))
			}
			require.NoError(t, c.Discard())
			return h
		}
		var one [][]byte
		if len(wire) > 0 {
			one = [][]byte{wire}
		}
		want := run(false, false, one)
		require.NotEmpty(t, want.Err)
		rnd := rand.New(rand.NewPCG(seed, 0))
		var cuts [][]byte
		for rest := wire; len(rest) > 0; {
			n := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(64)))
			cuts = append(cuts, rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, want, run(seed&1 != 0, seed&2 != 0, cuts))
	})
}
