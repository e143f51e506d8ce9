package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// cannedStream is a stream with one network read at hand, and memory for what
// is written.
type cannedStream struct {
	in, out []byte
	full    bool
}

func (s *cannedStream) Read(p []byte) (int, error) {
	if !s.full {
		return 0, stream.ErrWouldBlock
	}
	s.full = false
	return copy(p, s.in), nil
}

func (s *cannedStream) Write(p []byte) (int, error) {
	s.out = append(s.out[:0], p...)
	return len(p), nil
}

func (s *cannedStream) WriteControl(p []byte) (int, error) { return s.Write(p) }
func (s *cannedStream) Flush() error                       { return nil }
func (s *cannedStream) Queued() int                        { return 0 }
func (s *cannedStream) Room() int                          { return stream.DefaultQueueBound }
func (s *cannedStream) Buffered() bool                     { return s.full }
func (s *cannedStream) Source() stream.Source              { return stream.Source{FD: -1} }
func (s *cannedStream) Close() error                       { return nil }

func testMarket(t *testing.T, in []byte) (*market, *ws.Conn, *cannedStream) {
	block := stats.NewBlock("test")
	m := newMarket("btcusdt", "wss://127.0.0.1:1", block, newLatencies(block))
	m.stamped = true
	s := &cannedStream{in: in}
	c := ws.New(s, &ws.Options{ZeroMask: true}, nil)
	t.Cleanup(func() { require.NoError(t, c.Discard()) })
	return m, c, s
}

func TestMarketHandlesABatch(t *testing.T) {
	var in []byte
	for i := range 3 {
		payload := fmt.Sprintf(`{"e":"trade","p":"6500%d.5","q":"1","T":%d}`, i, clock.Nano())
		in = frame.AppendHeader(in, frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(payload))})
		in = append(in, payload...)
	}
	m, c, s := testMarket(t, in)
	batch := func() {
		s.full = true
		_, err := c.Fill()
		require.NoError(t, err)
		require.NoError(t, m.OnData(c))
		c.Release()
	}
	batch()
	require.EqualValues(t, 65002.5*priceUnit, m.price.Value())
	require.EqualValues(t, 1, m.latency.receive.Snapshot().Count(), "once a batch")
	require.EqualValues(t, 3, m.latency.send.Snapshot().Count(), "once a message")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.full = true
		_, _ = c.Fill()
		_ = m.OnData(c)
		c.Release()
	}))

	m.stamped = false
	before := m.latency.send.Snapshot().Count()
	batch()
	require.Equal(t, before, m.latency.send.Snapshot().Count(), "a recording's times are not ours")
}

func TestMarketSubscribes(t *testing.T) {
	m, c, s := testMarket(t, nil)
	require.NoError(t, m.OnOpen(c))
	h, n, err := frame.ParseHeader(s.out)
	require.NoError(t, err)
	require.Equal(t, frame.Text, h.Opcode)
	require.Equal(t, `{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker"],"id":1}`, string(s.out[n:]))
}
