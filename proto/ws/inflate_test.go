package ws

import (
	"bytes"
	stdflate "compress/flate"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

// The examples of RFC 7692, section 7.2.3, all of them "Hello".
func TestExamplesOfTheRFC(t *testing.T) {
	hello := []sentFrame{{frame.Text, "Hello"}}
	for name, wire := range map[string][]byte{
		"7.2.3.1 one block":             []byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
		"7.2.3.1 fragments":             []byte("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"),
		"7.2.3.3 no compression":        []byte("\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"),
		"7.2.3.4 BFINAL set":            []byte("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
		"BFINAL set, nothing behind it": []byte("\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00"),
		"7.2.3.5 two blocks":            []byte("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, reset := range []bool{false, true} {
				c, s := compressedConn(&Compression{ServerNoContextTakeover: reset})
				s.reads = pieces(join(wire, wire), 1)
				require.Equal(t, append(hello, hello...), playRaw(t, c, s))
				require.NoError(t, c.Err())
			}
		})
	}
	// 7.2.3.2: the second message refers to the first.
	second := []byte("\xc1\x05\xf2\x00\x11\x00\x00")
	c, s := compressedConn(&Compression{})
	s.reads = [][]byte{join([]byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), second)}
	require.Equal(t, append(hello, hello...), playRaw(t, c, s))

	c, s = compressedConn(&Compression{ServerNoContextTakeover: true})
	s.reads = [][]byte{join([]byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), second)}
	require.Equal(t, hello, playRaw(t, c, s))
	require.ErrorIs(t, c.Err(), frame.ErrDeflate, "without takeover there is nothing to refer to")
	require.Equal(t, frame.CloseInvalidPayload, sentClose(t, s.out))

	// An empty message is one byte.
	c, s = compressedConn(&Compression{})
	s.reads = [][]byte{[]byte("\xc2\x01\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00")}
	require.Equal(t, append([]sentFrame{{frame.Binary, ""}}, hello...), playRaw(t, c, s))
}

// One conversation with everything in it, cut at every byte.
func TestCompressedMessagesCutAnywhere(t *testing.T) {
	for _, reset := range []bool{false, true} {
		z := &Compression{ServerNoContextTakeover: reset}
		peer := newDeflatePeer(t, z)
		wire := join(peer.frame(string(quotes(200))), text("as it is"), peer.frame(string(quotes(200))), packed(true, frame.Binary, "\x00"))
		first := peer.deflate("in three fragments: " + string(quotes(300)))
		wire = join(wire, packed(false, frame.Text, first[:1]), ping("between"), sf(false, frame.Continuation, ""), sf(true, frame.Continuation, first[1:]),
			sf(false, frame.Text, "un"), sf(true, frame.Continuation, "compressed"),
			peer.frame("längst \u20ac\U0001F600"), closing(frame.CloseNormal, ""))
		want := []sentFrame{
			{frame.Text, string(quotes(200))}, {frame.Text, "as it is"}, {frame.Text, string(quotes(200))}, {frame.Binary, ""},
			{frame.Text, "in three fragments: " + string(quotes(300))}, {frame.Text, "uncompressed"}, {frame.Text, "längst \u20ac\U0001F600"}}
		for at := range wire {
			for _, release := range []bool{false, true} {
				c, s := compressedConn(z)
				s.reads = cutAt(wire, at)
				if release {
					c.Lend(stream.NewScratch())
				}
				h := play(t, c, s, release)
				require.Equal(t, want, h.Messages)
				require.Equal(t, frame.CloseNormal, h.Code)
				require.NoError(t, c.Discard())
			}
		}
	}
}

func TestMisplacedRSV1(t *testing.T) {
	for name, wire := range map[string]string{
		"on a ping":             "\xc9\x00",
		"on a close":            "\xc8\x00",
		"on a continuation":     "\x41\x01\xf2\xc0\x06\x48\xcd\xc9\xc9\x07\x00",
		"with RSV2":             "\xe1\x00",
		"RSV3 alone":            "\x91\x00",
		"on a later fragment":   "\x01\x01a\xc0\x01b",
		"of the second message": "\x81\x00\x41\x01\xf2\x40\x00",
	} {
		t.Run(name, func(t *testing.T) {
			c, s := compressedConn(&Compression{})
			s.reads = pieces([]byte(wire), 1)
			playRaw(t, c, s)
			require.ErrorIs(t, c.Err(), frame.ErrReservedBits)
			require.Equal(t, frame.CloseProtocolError, sentClose(t, s.out))
		})
	}
}

func TestCorruptData(t *testing.T) {
	for name, payload := range map[string]string{
		"no byte at all":          "",
		"reserved block type":     "\x06",
		"stored length":           "\x00\x05\x00\xfa\xfehello",
		"cut stored block":        "\x00\x05\x00\xfa\xffhel",
		"distance into nothing":   "\xf2\x00\x11\x00\x00",
		"cut fixed block":         "\xf2\x48\xcd",
		"cut header of a tree":    "\x04",
		"garbage behind the last": "\xf3\x48\xcd\xc9\xc9\x07\x00\x06",
		"ends with the tail":      "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff",
		"too many last blocks":    strings.Repeat("\x03\x00", maxLastBlocks+2),
	} {
		t.Run(name, func(t *testing.T) {
			for _, reset := range []bool{false, true} {
				for _, cut := range []bool{false, true} {
					c, s := compressedConn(&Compression{ServerNoContextTakeover: reset})
					s.reads = [][]byte{join(text("before"), packed(true, frame.Binary, payload), text("never"))}
					if cut {
						s.reads = pieces(s.reads[0], 1)
					}
					require.Equal(t, []sentFrame{{frame.Text, "before"}}, playRaw(t, c, s))
					require.ErrorIs(t, c.Err(), frame.ErrDeflate)
					require.Equal(t, frame.CloseInvalidPayload, CloseStatus(c.Err()))
					require.Equal(t, frame.CloseInvalidPayload, sentClose(t, s.out))
					require.Nil(t, c.inflater.in)
				}
			}
		})
	}
}

// A bomb ends with 1009, and with memory in proportion to the limit.
func TestBombs(t *testing.T) {
	bomb := func(n int) string {
		var b bytes.Buffer
		w, err := stdflate.NewWriter(&b, 9)
		require.NoError(t, err)
		_, err = io.CopyN(w, zeroes{}, int64(n))
		require.NoError(t, err)
		require.NoError(t, w.Flush())
		return strings.TrimSuffix(b.String(), flushTail)
	}
	const limit = 64 << 10
	for _, tc := range []struct {
		size int
		ok   bool
	}{{limit - 1, true}, {limit, true}, {limit + 1, false}, {50 << 20, false}} {
		payload := bomb(tc.size)
		for _, fragments := range []bool{false, true} {
			s := &script{reads: [][]byte{packed(true, frame.Binary, payload)}}
			if fragments {
				s.reads = [][]byte{join(packed(false, frame.Binary, payload[:9]), sf(true, frame.Continuation, payload[9:]))}
			}
			o := testOptions()
			o.Compression, o.MaxMessage = &Compression{}, limit
			c := New(s, o, nil)
			messages := playRaw(t, c, s)
			if tc.ok {
				require.Len(t, messages, 1)
				require.Len(t, messages[0].Payload, tc.size)
				require.NoError(t, c.Err())
				continue
			}
			require.Empty(t, messages)
			require.ErrorIs(t, c.Err(), frame.ErrTooBig)
			require.ErrorContains(t, c.Err(), "limit of 65536")
			require.Equal(t, frame.CloseTooBig, sentClose(t, s.out))
			require.LessOrEqual(t, cap(c.asm.B), 2*limit)
		}
	}
	// Also when the compressed length alone is too much, at the header.
	s := &script{reads: [][]byte{frame.AppendHeader(nil, frame.Header{Fin: true, Rsv: rsv1, Opcode: frame.Text, Length: 1 << 40})}}
	o := testOptions()
	o.Compression, o.MaxMessage = &Compression{}, limit
	c := New(s, o, nil)
	playRaw(t, c, s)
	require.ErrorIs(t, c.Err(), frame.ErrTooBig)
	require.ErrorContains(t, c.Err(), "compressed bytes announced")

	// Many below the limit in one read: they are given out a part at a time.
	one := packed(true, frame.Binary, bomb(512<<10))
	s = &script{reads: [][]byte{bytes.Repeat(one, 40)}}
	c = New(s, &Options{Compression: &Compression{ServerNoContextTakeover: true}}, nil)
	n := 0
	for turn := 0; n < 40; turn++ {
		require.Less(t, turn, 100)
		_, _ = c.Fill()
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			require.Len(t, m.Payload, 512<<10)
			n++
		}
		require.LessOrEqual(t, len(c.asm.B), maxInflated+512<<10)
		require.Equal(t, n < 40, c.Buffered())
	}
	require.NoError(t, c.Err())

	// No limit is no overflow.
	s = &script{reads: [][]byte{packed(true, frame.Binary, "\xf2\x48\xcd\xc9\xc9\x07\x00")}}
	c = New(s, &Options{Compression: &Compression{}, MaxMessage: math.MaxInt}, nil)
	require.Len(t, playRaw(t, c, s), 1)
}

type zeroes struct{}

func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestInflatedTextIsValidated(t *testing.T) {
	long := string(quotes(100 << 10))
	for _, bad := range []string{"\xff", "\xe2\x82", "\xed\xa0\x80", long + "\xff" + long, long + "\xf0\x9f"} {
		z := &Compression{}
		wire := newDeflatePeer(t, z).frame(bad)
		c, s := compressedConn(z)
		s.reads = [][]byte{wire}
		require.Empty(t, playRaw(t, c, s))
		require.ErrorIs(t, c.Err(), frame.ErrInvalidUTF8)
		require.Equal(t, frame.CloseInvalidPayload, sentClose(t, s.out))
		require.Less(t, len(c.asm.B), len(long)+2*(32<<10), "it stops where the bad byte comes out")

		s = &script{reads: [][]byte{wire}}
		c = New(s, &Options{Compression: z, SkipUTF8: true}, nil)
		require.Equal(t, []sentFrame{{frame.Text, bad}}, playRaw(t, c, s))
	}
}

// A message found but not asked for is kept, since it cannot be inflated twice.
func TestAHeldCompressedMessageSurvives(t *testing.T) {
	z := &Compression{}
	peer := newDeflatePeer(t, z)
	c, s := compressedConn(z)
	s.reads = [][]byte{join(peer.frame("one"), peer.frame("one two")), peer.frame("one two three")}
	c.Lend(stream.NewScratch())
	var got []string
	for range 6 {
		_, _ = c.Fill()
		if c.HasNext() {
			c.Release()
			_, _ = c.Fill()
			m, ok := c.Next()
			require.True(t, ok)
			got = append(got, string(m.Payload))
			c.HasNext()
		}
		c.Release()
	}
	require.Equal(t, []string{"one", "one two", "one two three"}, got)
}

func TestWindowSlides(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{256, 1024, 32768} {
		i := &inflater{windowSize: size}
		var all []byte
		for range 2000 {
			p := make([]byte, rnd.IntN(1+rnd.IntN(2*size)))
			for k := range p {
				p[k] = byte(rnd.Uint32())
			}
			all = append(all, p...)
			i.remember(p)
			require.Equal(t, all[max(len(all)-size, 0):], i.dict())
			require.LessOrEqual(t, cap(i.window), 2*size)
			all = i.dict()[:len(i.dict()):len(i.dict())]
			all = bytes.Clone(all)
		}
	}
}

func TestNothingAllocatesForCompressedMessages(t *testing.T) {
	for _, reset := range []bool{false, true} {
		z := &Compression{ServerNoContextTakeover: reset}
		peer := newDeflatePeer(t, z)
		peer.deflate(string(quotes(2000))) // what follows refers back
		peer.w.Reset(&peer.out)
		batch := join(packed(true, frame.Text, peer.deflate(string(quotes(1000)))), packed(true, frame.Binary, "\x00"), text("plain"))
		s := new(script)
		reads := make([][]byte, 1)
		c := New(s, &Options{Compression: z}, nil)
		c.Lend(stream.NewScratch())
		turn := func() {
			reads[0], s.reads = batch, reads
			if _, err := c.Fill(); err != nil {
				panic(err)
			}
			n := 0
			for m, ok := c.Next(); ok; m, ok = c.Next() {
				n += len(m.Payload)
			}
			if c.Release(); n != 1005 {
				panic("lost")
			}
		}
		for range 200 {
			turn() // the window, the pools
		}
		if raced {
			turn() // under the race detector pools drop things at random
			continue
		}
		require.Zero(t, testing.AllocsPerRun(200, turn))
		require.NoError(t, c.Err())
	}
}

func FuzzInflate(f *testing.F) {
	add := func(payloads ...string) {
		var wire []byte
		for _, p := range payloads {
			wire = append(wire, packed(true, frame.Binary, p)...)
		}
		f.Add(wire, uint64(3), true)
		f.Add(wire, uint64(4), false)
	}
	add("\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf2\x00\x11\x00\x00")
	add("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x00", "", "\x06")
	add("\x03\x00\x03\x00\x03\x00\x00", "\x00\x05\x00\xfa\xffhello\x00")
	peer := newDeflatePeer(f, &Compression{})
	add(peer.deflate(string(quotes(5000))), peer.deflate(string(quotes(5000))), peer.deflate(strings.Repeat("a", 300)))
	f.Add(join(packed(false, frame.Text, "\xf2\x48"), ping(""), sf(true, frame.Continuation, "\xcd\xc9\xc9\x07\x00")), uint64(1), true)
	f.Fuzz(func(t *testing.T, wire []byte, seed uint64, takeover bool) {
		const limit = 1 << 16
		run := func(release bool, reads [][]byte) history {
			s := &script{reads: reads, end: io.EOF}
			o := testOptions()
			o.MaxMessage, o.Compression = limit, &Compression{ServerNoContextTakeover: !takeover}
			c := New(s, o, nil)
			h := play(t, c, s, release)
			for _, m := range h.Messages {
				require.LessOrEqual(t, len(m.Payload), limit)
			}
			require.LessOrEqual(t, cap(c.inflater.window), 64<<10)
			require.Nil(t, c.inflater.in)
			require.NoError(t, c.Discard())
			return h
		}
		var one [][]byte
		if len(wire) > 0 {
			one = [][]byte{wire}
		}
		want := run(false, one)
		require.NotEmpty(t, want.Err)
		rnd := rand.New(rand.NewPCG(seed, 0))
		var cuts [][]byte
		for rest := wire; len(rest) > 0; {
			n := 1 + rnd.IntN(min(len(rest), 1+rnd.IntN(64)))
			cuts = append(cuts, rest[:n])
			rest = rest[n:]
		}
		require.Equal(t, want, run(seed&1 != 0, cuts))
	})
}

// FuzzInflateAgainstStandard holds one message against compress/flate, a decoder
// that shares nothing with ours: the same bytes come out, or both refuse them.
func FuzzInflateAgainstStandard(f *testing.F) {
	for _, p := range []string{"\xf2\x48\xcd\xc9\xc9\x07\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\xf3\x48\xcd\xc9\xc9\x07\x00", "\x00", "", "\x06",
		"\x03\x00\x03\x00\x03\x00\x00", "\x00\x05\x00\xfa\xffhello\x00", newDeflatePeer(f, &Compression{}).deflate(string(quotes(3000)))} {
		f.Add(p)
	}
	const limit = 1 << 16
	standard := func(payload string) (out []byte, ok bool) {
		src := strings.NewReader(payload + ending)
		for lastBlocks := 1; ; lastBlocks++ {
			before := src.Len()
			p, err := io.ReadAll(io.LimitReader(stdflate.NewReaderDict(src, out[max(len(out)-1<<15, 0):]), limit+1))
			out = append(out, p...)
			switch left := src.Len(); {
			case len(out) > limit || err != nil || lastBlocks > maxLastBlocks || left == before:
				return nil, false
			case left == 0 || left == len(ending):
				return out, true
			case left < len(ending):
				return nil, false
			}
		}
	}
	f.Fuzz(func(t *testing.T, payload string) {
		s := &script{reads: [][]byte{packed(true, frame.Binary, payload)}}
		o := testOptions()
		o.MaxMessage, o.Compression = limit, &Compression{ServerNoContextTakeover: true}
		c := New(s, o, nil)
		got := playRaw(t, c, s)
		want, ok := standard(payload)
		if !ok {
			require.Empty(t, got)
			require.Error(t, c.Err())
			return
		}
		require.NoError(t, c.Err())
		require.Equal(t, []sentFrame{{frame.Binary, string(want)}}, got)
	})
}
