package docs

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// counted is an endpoint with all the cells that there are.
type counted struct {
	endpoint.WebSocket
	open chan struct{}
	once sync.Once
}

func (c *counted) OnOpen(*ws.Conn) error { c.once.Do(func() { close(c.open) }); return nil }
func (c *counted) OnData(w *ws.Conn) error {
	for _, ok := w.Next(); ok; _, ok = w.Next() {
	}
	return w.Err()
}

// publish runs a reactor with such an endpoint, of a stream with this query, until the
// test ends, and returns its counters file.
func publish(t *testing.T, query string) *stats.File {
	t.Helper()
	x, err := exchange.Start(exchange.Config{Rate: 100, Seed: 1})
	require.NoError(t, err)
	t.Cleanup(func() { x.Close() })
	dir, err := os.MkdirTemp("/dev/shm", "boomnet-test-")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	file, err := stats.Create(stats.FileConfig{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	r, err := reactor.New(reactor.Config{Counters: file})
	require.NoError(t, err)
	c := &counted{WebSocket: endpoint.WebSocket{URL: x.URL() + "/ws/btcusdt@trade" + query}, open: make(chan struct{})}
	c.Options.Stream.Timestamps = stream.TimestampsSoftware
	_, err = reactor.Register(r, c)
	require.NoError(t, err)
	_, err = reactor.NewInbox(r, 0, func(*int) {})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() { cancel(); require.NoError(t, <-ended) })
	select {
	case <-c.open:
	case <-time.After(limit):
		t.Fatal("no connection")
	}
	return file
}

// TestEveryCounterIsInTheTable compares the table of counters.md with what a
// running reactor publishes: the same cells in the same order.
func TestEveryCounterIsInTheTable(t *testing.T) {
	view, err := stats.Attach(publish(t, "").Path())
	require.NoError(t, err)
	defer view.Close()
	blocks, err := view.Blocks()
	require.NoError(t, err)
	var running strings.Builder
	for _, b := range blocks {
		for i := range b.Cells {
			d := b.Cells[i].Desc()
			fmt.Fprintf(&running, "| `%s` | `%s` | %v | %s | %s |\n", b.Kind, d.Name, d.Kind, d.Unit, d.Help)
		}
	}
	var said strings.Builder
	for _, row := range page(t, "counters.md").Rows {
		if len(row) == 5 {
			fmt.Fprintf(&said, "| %s |\n", strings.Join(row, " | "))
		}
	}
	require.Equal(t, running.String(), said.String())
}
