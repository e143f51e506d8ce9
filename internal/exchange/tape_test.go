package exchange

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// writeFeed writes lines a millisecond apart and returns the payloads.
func writeFeed(t *testing.T, n int) (path string, payloads []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "feed.gz")
	w, err := feed.Create(path)
	require.NoError(t, err)
	for i := range n {
		p := fmt.Sprintf("%d\t%s\r", i, strings.Repeat("é", i*i%5000))
		if i%100 == 7 {
			p = "\xff\x00" // no text
		}
		payloads = append(payloads, p)
		require.NoError(t, w.Write(feed.Line{Time: 1_700_000_000_000_000_000 + int64(i)*1_000_000, Payload: []byte(p)}))
	}
	require.NoError(t, w.Close())
	return path, payloads
}

func TestFeedArrivesExactly(t *testing.T) {
	path, want := writeFeed(t, 3000)
	s := start(t, Config{Feed: path, Speed: FlatOut})
	info, ok := s.Feed()
	require.True(t, ok)
	require.Equal(t, 3000, info.Messages)
	for _, ask := range []string{"/feed", "/ws/any@trade", "/stream?streams=any@trade", "/ws", "/stream"} {
		c := dial(t, s, ask)
		if ask == "/ws" || ask == "/stream" {
			require.Equal(t, `{"result":null,"id":1}`, c.request(`{"method":"SUBSCRIBE","params":["x@depth"],"id":1}`))
			c.text(`{"method":"SUBSCRIBE","params":["y@depth"],"id":2}`) // does not start it twice
		}
		for i, w := range want {
			got := c.message()
			for got == `{"result":null,"id":2}` {
				got = c.message()
			}
			require.True(t, w == got, "%s message %d", ask, i)
		}
		c.send(frame.Ping, true, []byte("still there")) // and silent
		for {
			h, p, err := c.frame()
			require.NoError(t, err)
			if h.Opcode == frame.Pong {
				require.Equal(t, "still there", string(p))
				break
			}
			require.Equal(t, `{"result":null,"id":2}`, string(p))
		}
	}
	eventually(t, func() bool { return s.Stats().Replayed == 5*3000 }, "replayed")
}

func TestFeedPace(t *testing.T) {
	path, want := writeFeed(t, 200) // 199 ms
	for speed, least := range map[float64]time.Duration{1: 199 * time.Millisecond, 4: 49 * time.Millisecond} {
		s := start(t, Config{Feed: path, Speed: speed})
		c := dial(t, s, "/ws")
		began := time.Now()
		c.request(`{"method":"SUBSCRIBE","params":["x@trade"],"id":1}`)
		for _, w := range want {
			require.Equal(t, w, c.message())
		}
		require.GreaterOrEqual(t, time.Since(began), least)
		require.NoError(t, s.Close())
	}
}

func TestFeedLoops(t *testing.T) {
	path, want := writeFeed(t, 20)
	c := dial(t, start(t, Config{Feed: path, Speed: FlatOut, Loop: true}), "/feed")
	for i := range 100 {
		require.Equal(t, want[i%20], c.message())
	}
}

// A feed too large for memory is read from its file.
func TestFeedFromFile(t *testing.T) {
	path, want := writeFeed(t, 300)
	s := start(t, Config{Feed: path, Speed: FlatOut, tapeMemory: 1})
	c := dial(t, s, "/feed")
	for _, w := range want {
		require.Equal(t, w, c.message())
	}
	require.NoError(t, os.Remove(path))
	code, _ := dial(t, s, "/feed").closeFrame()
	require.Equal(t, frame.CloseInternalError, code)
	require.EqualValues(t, 1, s.Stats().Drops["feed"])
}

// A client that does not read holds its own feed up, at little cost.
func TestFeedWaitsForAClient(t *testing.T) {
	path, want := writeFeed(t, 3000)
	s := start(t, Config{Feed: path, Speed: FlatOut, Loop: true})
	c := dial(t, s, "/feed")
	for last := uint64(0); ; {
		time.Sleep(50 * time.Millisecond)
		now := s.Stats().Replayed
		if now == last {
			break
		}
		last = now
	}
	for i := range 9000 {
		require.True(t, want[i%3000] == c.message(), i)
	}
	require.Empty(t, s.Stats().Drops)
}

// What a client got, what the recording holds and what its replay sends is the same.
func TestRecordAndReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.gz")
	s := start(t, Config{Rate: 2000, Record: path})
	c := dial(t, s, "/ws/btcusdt@trade")
	var got []string
	for range 500 {
		got = append(got, c.message())
	}
	require.NoError(t, s.Close())
	info, err := feed.Scan(path)
	require.NoError(t, err)
	require.EqualValues(t, s.Stats().Messages, info.Messages)

	c = dial(t, start(t, Config{Feed: path, Speed: FlatOut}), "/feed")
	for i, want := range got {
		require.Equal(t, want, c.message(), i)
	}
}

func TestRecordErrorIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "record.gz")
	s, err := Start(Config{Rate: 2000, Record: path})
	require.NoError(t, err)
	s.market.mu.Lock()
	require.NoError(t, s.market.record.Close())
	s.market.mu.Unlock()
	dial(t, s, "/ws/btcusdt@trade").message()
	require.ErrorIs(t, s.Close(), os.ErrClosed)
}

// The payload of every line, whatever bytes it is made of, is one message.
func TestFeedLargeMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "feed")
	large := bytes.Repeat([]byte("x"), 2<<20)
	require.NoError(t, os.WriteFile(path, append([]byte("0\t"), large...), 0o600))
	for bound, ok := range map[int]bool{4 << 20: true, 1 << 20: false} {
		s := start(t, Config{Feed: path, QueueBound: bound})
		c := dial(t, s, "/feed")
		_, p, err := c.frame()
		require.Equal(t, ok, err == nil && bytes.Equal(p, large))
		require.Equal(t, !ok, s.Stats().Drops["slow"] == 1)
	}
}
