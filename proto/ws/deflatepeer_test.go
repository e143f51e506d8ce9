package ws

import (
	"bytes"
	stdflate "compress/flate"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"
)

// quotes is n bytes of what a market sends.
func quotes(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, `{"e":"trade","s":"BTCUSDT","t":%d,"p":"%d.%02d","q":"0.%05d","m":%t},`,
			123456789+7*i, 60000+i*13%977, i*31%100, i*7919%100000, i%3 == 0)
	}
	return b.Bytes()[:n]
}

// compressedConn is a Conn on which z was agreed on.
func compressedConn(z *Compression) (*Conn, *script) {
	s := new(script)
	o := testOptions()
	o.Compression = z
	return New(s, o, nil), s
}

// rawFrame is a client's frame, unmasked, with its header.
type rawFrame struct {
	frame.Header
	payload string
}

func sentRaw(t testing.TB, out []byte) (frames []rawFrame) {
	t.Helper()
	for len(out) > 0 {
		h, n, err := frame.ParseHeader(out)
		require.NoError(t, err)
		require.NotZero(t, n)
		require.True(t, h.Masked)
		require.LessOrEqual(t, h.Length, uint64(len(out)-n))
		p := bytes.Clone(out[n : n+int(h.Length)])
		frame.Mask(p, h.Key, 0)
		frames = append(frames, rawFrame{h, string(p)})
		out = out[n+int(h.Length):]
	}
	return frames
}

// playRaw reads all that s holds.
func playRaw(t testing.TB, c *Conn, s *script) (messages []sentFrame) {
	t.Helper()
	for turn := 0; ; turn++ {
		require.Less(t, turn, 1<<20, "no end")
		_, err := c.Fill()
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			messages = append(messages, sentFrame{m.Op, string(m.Payload)})
		}
		if c.Err() != nil || err == stream.ErrWouldBlock && !c.Buffered() {
			return messages
		}
	}
}

// deflatePeer is the server's side of z, with a decoder that is not ours.
type deflatePeer struct {
	t       testing.TB
	z       Compression
	out     bytes.Buffer
	w       *flate.Writer
	history []byte // what the client's encoder may refer to
}

func newDeflatePeer(t testing.TB, z *Compression) *deflatePeer {
	p := &deflatePeer{t: t, z: *z.withDefaults()}
	var err error
	p.w, err = flate.NewWriterWindow(&p.out, 1<<p.z.ServerMaxWindowBits)
	require.NoError(t, err)
	return p
}

// deflate is the payload of a compressed message.
func (p *deflatePeer) deflate(message string) string {
	p.out.Reset()
	if p.z.ServerNoContextTakeover {
		p.w.Reset(&p.out)
	}
	_, err := io.WriteString(p.w, message)
	require.NoError(p.t, err)
	require.NoError(p.t, p.w.Flush())
	s, ok := strings.CutSuffix(p.out.String(), flushTail)
	require.True(p.t, ok)
	return s
}

// frame is a compressed text message in one frame.
func (p *deflatePeer) frame(message string) []byte {
	return packed(true, frame.Text, p.deflate(message))
}

// open inflates the client's message, with no more history than was agreed on.
func (p *deflatePeer) open(f rawFrame) string {
	p.t.Helper()
	require.True(p.t, f.Fin)
	if f.Rsv == 0 {
		return f.payload
	}
	require.EqualValues(p.t, rsv1, f.Rsv)
	r := stdflate.NewReaderDict(strings.NewReader(f.payload+ending), p.history)
	message, err := io.ReadAll(r)
	require.NoError(p.t, err)
	if !p.z.ClientNoContextTakeover {
		p.history = append(p.history, message...)
		p.history = p.history[max(len(p.history)-1<<p.z.ClientMaxWindowBits, 0):]
	}
	return string(message)
}

// packed is a server's frame with RSV1.
func packed(fin bool, op frame.Opcode, payload string) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Fin: fin, Rsv: rsv1, Opcode: op, Length: uint64(len(payload))}), payload...)
}
