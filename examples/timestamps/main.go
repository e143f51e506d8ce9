// Command timestamps shows how long messages take inside this machine: from the
// kernel's receipt of a packet, by its own stamp, to the handler. It prints the
// way in two parts, up to the read and on to the handler.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/timestamps -n 1000
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// Trades counts reads until there are enough of them.
type Trades struct {
	endpoint.WebSocket
	toRead, toHandler stats.Histogram // from the kernel, in nanoseconds
	left              int
	enough            func()
}

// OnData is called once for each network read. All messages of a read share the
// times c.KernelTime and c.Received.
func (t *Trades) OnData(c *ws.Conn) error {
	if at := c.KernelTime(); at != 0 { // 0: the kernel has not begun to stamp
		t.toRead.Record(c.Received() - at)
		t.toHandler.Record(clock.Nano() - at)
		if t.left--; t.left == 0 {
			t.enough()
		}
	}
	for _, ok := c.Next(); ok; _, ok = c.Next() {
	}
	return c.Err()
}

func main() {
	trades := new(Trades)
	flag.StringVar(&trades.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	flag.IntVar(&trades.left, "n", 1000, "reads to measure")
	trades.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	trades.enough = stop
	trades.Options.Stream.Timestamps = stream.TimestampsSoftware

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, trades); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	show("wire to read", trades.toRead.Snapshot())
	show("wire to handler", trades.toHandler.Snapshot())
	show("as the reactor has it", r.WireToHandler().Snapshot()) // so one need not count oneself
}

func show(name string, s *stats.Snapshot) {
	fmt.Printf("%-21s  %d reads, p50 %v, p99 %v, max %v\n", name, s.Count(),
		time.Duration(s.ValueAtQuantile(0.5)), time.Duration(s.ValueAtQuantile(0.99)), time.Duration(s.Max()))
}
