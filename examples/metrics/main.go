// Command metrics prints every number that a reactor and its endpoints count,
// each with its unit and meaning, and two of its own beside them. Any goroutine
// may read them at any time; the reactor does not notice. Look at the latencies
// under load, and at how many of the reactor's turns found work.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/metrics -every 1s -for 5s
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
)

// Trades counts in cells of its own; the reactor's goroutine is their one writer.
type Trades struct {
	endpoint.WebSocket
	largest *stats.Gauge
	delay   *stats.Histogram
}

// OnData takes the messages of one network read.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		t.largest.Set(max(t.largest.Value(), int64(len(m.Payload))))
		t.delay.Record(clock.Nano() - c.Received())
	}
	return c.Err()
}

// dump prints the cells of a block.
func dump(b *stats.Block) {
	b.Each(func(d stats.Desc, v stats.Value) {
		value := fmt.Sprint(v.Int)
		if h := v.Histogram; h != nil {
			value = fmt.Sprintf("n %d, p50 %d, p99 %d, max %d", h.Count(), h.ValueAtQuantile(0.5), h.ValueAtQuantile(0.99), h.Max())
		}
		fmt.Printf("%-10s %-16s %s %s  (%s)\n", d.Block, d.Name, value, d.Unit, d.Help)
	})
}

func main() {
	own := stats.NewBlock("own")
	t := &Trades{WebSocket: endpoint.WebSocket{Name: "trades"},
		largest: own.Gauge("largest", "bytes", "largest message received"),
		delay:   own.Histogram("delay", "ns", "from the network read to the message's turn in the handler")}
	flag.StringVar(&t.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	every := flag.Duration("every", time.Second, "time between two looks")
	length := flag.Duration("for", 3*time.Second, "how long to read")
	t.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, t); err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	for tick := time.Tick(max(*every, time.Millisecond)); ctx.Err() == nil; {
		select {
		case <-tick:
		case <-ctx.Done():
		}
		dump(r.Block())
		for _, e := range r.Endpoints() {
			dump(e.Block)
		}
		dump(own)
		fmt.Printf("%.1f %% of the turns found work\n\n", 100*r.Stats().WorkRatio())
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
