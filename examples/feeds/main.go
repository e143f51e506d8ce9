// Command feeds reads three feeds on one reactor, pinned to a core. Whatever
// happens to one of them costs the others nothing; it reconnects by itself.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/feeds -cpu 1 -for 5s
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Feed counts what it receives.
type Feed struct {
	endpoint.WebSocket
	messages, bytes int
}

// OnData takes the messages of one network read.
func (f *Feed) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		f.messages++
		f.bytes += len(m.Payload)
	}
	return c.Err()
}

// OnLoss hears of every end, also of the one that main asks for.
func (f *Feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	log.Printf("%s: %s", f.Name, e.Summary())
	return endpoint.Reconnect
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443", "exchange to read from, without a path")
	cpu := flag.Int("cpu", -1, "core for the reactor; -1: not pinned")
	length := flag.Duration("for", 5*time.Second, "how long to read")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()

	r, err := reactor.New(reactor.Config{CPU: affinity.Fixed(*cpu)})
	if err != nil {
		log.Fatal(err)
	}
	var feeds []*Feed
	for _, name := range []string{"btcusdt@trade", "ethusdt@bookTicker", "xrpusdt@depth"} {
		f := &Feed{WebSocket: endpoint.WebSocket{Name: name, URL: *url + "/ws/" + name}}
		f.Options.Stream.TLS = tlsConfig
		if _, err := reactor.Register(r, f); err != nil {
			log.Fatal(err)
		}
		feeds = append(feeds, f)
	}
	if err := r.Run(ctx); err != nil { // until ctx ends
		log.Fatal(err)
	}
	for _, f := range feeds { // ours again: the reactor has ended
		fmt.Printf("%-20s %8d messages %10d bytes\n", f.Name, f.messages, f.bytes)
	}
}
