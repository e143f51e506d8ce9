package ws

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

func TestThreshold(t *testing.T) {
	z := &Compression{}
	c, s := compressedConn(z)
	peer := newDeflatePeer(t, z)
	short, long := quotes(DefaultThreshold-1), quotes(DefaultThreshold)
	require.NoError(t, c.WriteText(short))
	require.NoError(t, c.WriteBinary(long))
	require.NoError(t, c.WriteString(string(long)))
	require.NoError(t, c.Ping(long[:100]))
	frames := sentRaw(t, s.out)
	require.Len(t, frames, 4)
	require.Zero(t, frames[0].Rsv)
	require.EqualValues(t, rsv1, frames[1].Rsv)
	require.Equal(t, frame.Binary, frames[1].Opcode)
	require.Less(t, len(frames[1].payload), len(long)*2/3)
	require.Zero(t, frames[3].Rsv, "a control frame is never compressed")
	for i, want := range [][]byte{short, long, long} {
		require.Equal(t, string(want), peer.open(frames[i]))
	}
	require.Equal(t, 4, s.writes, "one write a frame")
}

// With takeover the second of two equal messages is a reference to the first.
func TestTakeoverIsUsed(t *testing.T) {
	for level := -2; level <= 9; level++ {
		for _, reset := range []bool{false, true} {
			z := &Compression{Level: level, ClientNoContextTakeover: reset}
			c, s := compressedConn(z)
			p := quotes(2000)
			for range 3 {
				require.NoError(t, c.WriteText(p))
			}
			frames := sentRaw(t, s.out)
			peer := newDeflatePeer(t, z)
			for _, f := range frames {
				require.Equal(t, string(p), peer.open(f), "level %d", level)
			}
			switch {
			case reset:
				require.Equal(t, frames[0].payload, frames[1].payload)
				require.Nil(t, c.deflater.held)
			case level != -2: // Huffman coding refers to nothing
				require.Less(t, len(frames[1].payload), len(frames[0].payload)/2, "level %d", level)
				require.NotNil(t, c.deflater.held)
			}
			require.NoError(t, c.Discard())
			require.Nil(t, c.deflater.held)
		}
	}
}

// What is far behind is not referred to when the window is small.
func TestWindowForSendingIsObeyed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 8<<10)
	for i := range noise {
		noise[i] = byte(rnd.Uint32())
	}
	for bits := 8; bits <= 15; bits++ {
		z := &Compression{ClientMaxWindowBits: bits}
		c, s := compressedConn(z)
		peer := newDeflatePeer(t, z)
		require.NoError(t, c.WriteBinary(noise))
		require.NoError(t, c.WriteBinary(noise))
		frames := sentRaw(t, s.out)
		for _, f := range frames {
			require.Equal(t, string(noise), peer.open(f))
		}
		if bits < 13 {
			require.Greater(t, len(frames[1].payload), len(noise))
		} else if bits > 13 {
			require.Less(t, len(frames[1].payload), 200)
		}
	}
}

// A message that the stream refuses must not be in the encoder's memory: the server
// has never seen it.
func TestARefusedMessageIsForgotten(t *testing.T) {
	for _, reset := range []bool{false, true} {
		for _, level := range []int{1, 6, 9, -2} {
			for _, bits := range []int{9, 15} {
				z := &Compression{Level: level, ClientNoContextTakeover: reset, ClientMaxWindowBits: bits}
				c, s := compressedConn(z)
				peer := newDeflatePeer(t, z)
				a, b := quotes(1000), quotes(5000)[4000:]
				require.NoError(t, c.WriteText(a))
				s.refuse = stream.ErrBackPressured
				require.True(t, c.WriteText(b) == stream.ErrBackPressured)
				s.refuse = stream.ErrTooLarge
				require.True(t, c.WriteText(b) == stream.ErrTooLarge)
				s.refuse = nil
				for _, p := range [][]byte{b, a, b} {
					require.NoError(t, c.WriteText(p))
				}
				frames := sentRaw(t, s.out)
				require.Len(t, frames, 4)
				for i, want := range [][]byte{a, b, a, b} {
					require.Equal(t, string(want), peer.open(frames[i]))
				}
			}
		}
	}
	broken := errors.New("broken pipe")
	c, s := compressedConn(&Compression{})
	s.refuse = broken
	require.ErrorIs(t, c.WriteText(quotes(1000)), broken)
}

func TestWhatDoesNotCompressIsSentAsItIs(t *testing.T) {
	noise := make([]byte, 1000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	c, s := compressedConn(&Compression{ClientNoContextTakeover: true})
	require.NoError(t, c.WriteBinary(noise))
	f := sentRaw(t, s.out)
	require.Len(t, f, 1)
	require.Zero(t, f[0].Rsv)
	require.Equal(t, string(noise), f[0].payload)
}

func TestLargeCompressedMessagesBeyondTheScratch(t *testing.T) {
	z := &Compression{}
	c, s := compressedConn(z)
	peer := newDeflatePeer(t, z)
	p := quotes(3 << 20)
	require.NoError(t, c.WriteText(p))
	require.NoError(t, c.WriteText(p[:1000]))
	frames := sentRaw(t, s.out)
	require.Equal(t, string(p), peer.open(frames[0]))
	require.Equal(t, string(p[:1000]), peer.open(frames[1]))
	require.LessOrEqual(t, cap(c.scratch.Out), stream.MaxScratchOut)
}

func TestNothingAllocatesWhenCompressing(t *testing.T) {
	for _, reset := range []bool{false, true} {
		s := &script{out: make([]byte, 0, 1<<20)}
		c := New(s, &Options{Compression: &Compression{ClientNoContextTakeover: reset}}, nil)
		p := quotes(1000)
		turn := func() {
			s.out = s.out[:0]
			if c.WriteText(p) != nil {
				panic("refused")
			}
		}
		for range 200 {
			turn()
		}
		if !raced {
			require.Zero(t, testing.AllocsPerRun(200, turn))
		}
	}
}
