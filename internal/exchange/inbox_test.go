package exchange

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// readAll returns the messages in data as an inbox sees them through in, and its error.
func readAll(in io.Reader, limit uint64, pieceSize, bufSize int) (got []byte, err error) {
	i := &inbox{
		in: in, buf: make([]byte, bufSize), limit: limit, pieceSize: pieceSize,
		onPiece: func(op frame.Opcode, p []byte, last bool) error {
			if len(p) > pieceSize {
				return errors.New("piece too long")
			}
			got = append(append(got, byte(op)), p...)
			if !last {
				got = got[:len(got)-len(p)-1]
				got = append(got, p...)
				return nil
			}
			got = append(got, '|')
			return nil
		},
		onControl: func(op frame.Opcode, p []byte) error {
			got = append(append(got, byte(op)), p...)
			return nil
		},
	}
	return got, i.run()
}

func clientFrame(op frame.Opcode, fin bool, p string) []byte {
	h := frame.Header{Fin: fin, Opcode: op, Masked: true, Key: [4]byte{9, 8, 7, 6}, Length: uint64(len(p))}
	b := append(frame.AppendHeader(nil, h), p...)
	frame.Mask(b[len(b)-len(p):], h.Key, 0)
	return b
}

// However the network cuts the bytes, the result is the same, and nothing is
// taken that is over a limit.
func FuzzInbox(f *testing.F) {
	f.Add(clientFrame(frame.Text, true, "héllo"), uint8(3))
	f.Add(append(clientFrame(frame.Text, false, "h\xc3"), clientFrame(frame.Continuation, true, "\xa9")...), uint8(1))
	f.Add(append(clientFrame(frame.Ping, true, "p"), clientFrame(frame.Close, true, "\x03\xe8")...), uint8(200))
	f.Add([]byte{0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4}, uint8(0))
	f.Add([]byte{0x81, 0x05, 'h', 'e', 'l', 'l', 'o'}, uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		const limit, buf = 64, 256
		whole, err := readAll(bytes.NewReader(data), limit, limit, buf)
		require.Error(t, err, "it always ends")
		one, err1 := readAll(iotest.OneByteReader(bytes.NewReader(data)), limit, limit, buf)
		require.Equal(t, err, err1)
		require.Equal(t, whole, one)
		n := int(cut) % (len(data) + 1)
		two, err2 := readAll(io.MultiReader(bytes.NewReader(data[:n]), bytes.NewReader(data[n:])), limit, limit, buf)
		require.Equal(t, err, err2)
		require.Equal(t, whole, two)
		_, err = readAll(bytes.NewReader(data), limit, 5, buf)
		require.NotContains(t, err.Error(), "too long")
	})
}

func FuzzParseStream(f *testing.F) {
	for _, s := range []string{"btcusdt@trade", "a@depth@100ms", "@", "x@", "A@trade", "\xff@trade"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n, err := parseStream(name)
		if err != nil {
			return
		}
		require.Equal(t, name, n.name)
		require.LessOrEqual(t, len(n.symbol), maxSymbol)
		p := newSymbol(n.symbol, 1).appendTrade(nil, 1, stamp{})
		require.True(t, bytes.HasPrefix(p, []byte(`{"e":"trade"`)))
	})
}

func TestOutboxOrder(t *testing.T) {
	o := newOutbox(100)
	var log []string
	say := func(s string) func() { return func() { log = append(log, s) } }
	require.NoError(t, o.at(2, false, say("<two>")))
	require.NoError(t, o.at(1, false, say("<one>")))
	require.NoError(t, o.at(0, false, say("<none>")))
	require.NoError(t, o.put([]byte("abcd"), []int{1, 2, 3, 4}))
	require.NoError(t, o.at(2, true, say("<end>")))
	require.NoError(t, o.putControl([]byte("P"), false))
	require.NoError(t, o.put([]byte("efg"), []int{1, 2, 3}))
	require.Equal(t, errEnded, o.put([]byte("h"), []int{1}))
	require.Equal(t, errEnded, o.putWait([]byte("h"), []int{1}))
	require.Equal(t, errEnded, o.putControl([]byte("h"), false))
	require.Equal(t, errEnded, o.at(0, false, func() {}))
	o.final(func() { log = append(log, "<final>"); o.end() })
	require.NoError(t, o.drain(func(p []byte) error { log = append(log, string(p)); return nil }))
	require.Equal(t, []string{"<none>", "a", "<one>", "b", "<two>", "cdPef", "<end>", "<final>"}, log)
	require.EqualValues(t, 6, o.sent())
}

func TestOutboxBound(t *testing.T) {
	o := newOutbox(10)
	require.NoError(t, o.put(make([]byte, 8), []int{8}))
	require.Equal(t, errSlow, o.put(make([]byte, 3), []int{3}))
	require.Equal(t, errSlow, o.putControl(make([]byte, 3), false))
	require.Equal(t, errSlow, newOutbox(10).putWait(make([]byte, 11), []int{11}))

	// What was taken counts until it is written.
	release, done := make(chan struct{}), make(chan error)
	go func() {
		done <- o.drain(func([]byte) error { <-release; return io.ErrClosedPipe })
	}()
	for empty := false; !empty; {
		o.mu.Lock()
		empty = len(o.bytes) == 0
		o.mu.Unlock()
	}
	require.Equal(t, errSlow, o.put(make([]byte, 3), []int{3}))
	close(release)
	require.Equal(t, io.ErrClosedPipe, <-done)
}
