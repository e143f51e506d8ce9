package imported

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
)

func TestMain(m *testing.M) { leak.Main(m) }

const start = 1_700_000_000_000_000_000

func writeFeed(t *testing.T, n int) (path string, want []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "feed.gz")
	w, err := feed.Create(path)
	require.NoError(t, err)
	for i := range n {
		p := fmt.Sprintf(`{"u":%d,"x":"%s"}`, i, strings.Repeat("é", i*7%900))
		if i == 5 {
			p = "\xff\x00"
		}
		at := start + int64(i)*1_000_000
		if i == 9 {
			at -= 5_000_000
		}
		want = append(want, p)
		require.NoError(t, w.Write(feed.Line{Time: at, Payload: []byte(p)}))
	}
	require.NoError(t, w.Close())
	return path, want
}

// replayed plays a recording into stand-ins and returns what came in.
func replayed(t *testing.T, rec tape.Recording) (got []string, s []*recording.StandIn, p *tape.Player) {
	t.Helper()
	p, err := tape.NewPlayer(rec, tape.PlayConfig{})
	require.NoError(t, err)
	s, others, err := recording.StandIns(rec, p.Now)
	require.NoError(t, err)
	require.Empty(t, others)
	r, err := reactor.New(reactor.Config{Replay: p})
	require.NoError(t, err)
	for _, one := range s {
		one.OnMessage = func(m ws.Message) { got = append(got, string(m.Payload)) }
		_, err := reactor.Register(r, one)
		require.NoError(t, err)
	}
	require.NoError(t, r.Run(context.Background()))
	found, total := p.Divergences()
	require.Zero(t, total, found)
	return got, s, p
}

// A feed, imported into a file, replays as it was, and its messages have their times.
func TestFeed(t *testing.T) {
	path, want := writeFeed(t, 200)
	f, err := OpenFeed(path, "btcusdt", "ws://feed.example/ws?x=1", nil)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "feed.pcapng")
	require.NoError(t, capture.Cut(file, f, capture.Filter{}, capture.CutOptions{}))
	rec, err := capture.Open(file)
	require.NoError(t, err)

	got, all, _ := replayed(t, rec)
	require.Equal(t, want, got)
	require.Len(t, all, 1)
	require.Equal(t, "btcusdt", all[0].Name)
	require.Equal(t, "ws://feed.example/ws?x=1", all[0].URL)
	require.Equal(t, 1, all[0].Opened)

	var times []int64
	require.NoError(t, recording.EachMessage(rec, &recording.Filter{Ops: []recording.Op{recording.Text, recording.Binary}}, func(m *recording.Message) error {
		times = append(times, m.Wall.UnixNano())
		return nil
	}))
	require.Len(t, times, len(want))
	require.Equal(t, int64(start+8_000_000), times[8])
	require.Equal(t, int64(start+8_000_000), times[9], "times do not go back")
	require.Equal(t, int64(start+199_000_000), times[199])
}

func TestFeedErrors(t *testing.T) {
	path, _ := writeFeed(t, 3)
	_, err := OpenFeed(path, "x", "http://x", nil)
	require.Error(t, err)
	_, err = OpenFeed(path+"x", "x", "ws://x", nil)
	require.ErrorContains(t, err, "no such file")
	empty, _ := writeFeed(t, 0)
	_, err = OpenFeed(empty, "x", "ws://x", nil)
	require.ErrorContains(t, err, "no message in")
	many, _ := writeFeed(t, 5000)
	f, err := OpenFeed(many, "x", "ws://x", func(n int) error { return fmt.Errorf("stop at %d", n) })
	require.NoError(t, err)
	s, err := f.Open()
	require.NoError(t, err)
	defer s.Close()
	for err == nil {
		_, err = s.Next()
	}
	require.EqualError(t, err, "stop at 4096")
}

// Two connections of one endpoint, cut anywhere, with writes that are not compared
// and an end by reset: the key of each upgrade is sent again.
func TestSegments(t *testing.T) {
	for _, size := range []int{1, 3, 1000} {
		var rec tape.Memory
		r, err := New("tcpdump", start, func(one *tape.Record) error {
			rec.Keep(one)
			return nil
		})
		require.NoError(t, err)
		at := int64(start)
		for i, key := range []string{"dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEA=="} {
			at += 1_000_000_000
			s, err := r.Connect(&Conn{Endpoint: "quotes", Target: "tls://x.example:443", Peer: tape.Peer{Layer: tape.AboveTLS, Version: 0x0304}}, at)
			require.NoError(t, err)
			raw, err := keyOf([]byte("Sec-WebSocket-Key: " + key + "\r\n"))
			require.NoError(t, err)
			send := func(sent bool, data string) {
				for len(data) > 0 {
					n := min(size, len(data))
					at += 1000
					require.NoError(t, s.Segment(&Segment{Wall: at, Sent: sent, Data: []byte(data[:n])}))
					data = data[n:]
				}
			}
			send(true, "GET /ws HTTP/1.1\r\nHost: x.example\r\nSec-WebSocket-Key: "+key+"\r\nX-Other: 1\r\n\r\n")
			send(false, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "+accept(raw)+"\r\n\r\n")
			masked := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: 2})
			send(true, string(append(masked, "h"[0]^1, "i"[0]^2)))
			payload := fmt.Sprintf("message of %d", i)
			send(false, string(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(payload))}))+payload)
			at++
			require.NoError(t, s.End(at, syscall.ECONNRESET))
			require.Error(t, s.Segment(&Segment{Wall: at}))
		}
		got, all, _ := replayed(t, rec)
		require.Equal(t, []string{"message of 0", "message of 1"}, got)
		require.Equal(t, 2, all[0].Opened)
		sum, err := recording.Summarize(rec)
		require.NoError(t, err)
		require.Equal(t, uint64(2), sum.MessagesOut)
		require.Equal(t, "connection reset by peer", sum.Conns[0].Why)
		require.True(t, sum.Replays)
	}
}

func TestSegmentErrors(t *testing.T) {
	begin := func() *Stream {
		r, err := New("x", start, func(*tape.Record) error { return nil })
		require.NoError(t, err)
		s, err := r.Connect(&Conn{Endpoint: "x", Target: "tcp://x:80"}, start)
		require.NoError(t, err)
		return s
	}
	require.ErrorIs(t, begin().Segment(&Segment{Wall: start, Sent: true, Data: []byte("8=FIX")}), ErrHead)
	require.ErrorIs(t, begin().Segment(&Segment{Wall: start, Data: []byte("HTTP/1.1 403 ")}), ErrHead)
	require.ErrorIs(t, begin().Segment(&Segment{Wall: start, Lost: 1}), ErrHead)
	s := begin()
	require.NoError(t, s.Segment(&Segment{Wall: start, Sent: true, Data: []byte("GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n")}))
	require.ErrorIs(t, s.Segment(&Segment{Wall: start, Data: []byte("HTTP/1.1 101 \r\n\r\n")}), ErrHead)
	s = begin()
	require.NoError(t, s.Segment(&Segment{Wall: start, Sent: true, Data: []byte("GET / HTTP/1.1\r\n\r\n")}))
	require.ErrorContains(t, s.Segment(&Segment{Wall: start, Data: []byte("HTTP/1.1 101 \r\n\r\n")}), "there is no Sec-WebSocket-Key")
	_, err := begin().r.Connect(&Conn{Endpoint: "x"}, start-1)
	require.ErrorIs(t, err, ErrOrder)
	require.ErrorContains(t, err, "by 1 ns")
	_, err = New("x", start, func(*tape.Record) error { return io.ErrShortWrite })
	require.ErrorIs(t, err, io.ErrShortWrite)
}
