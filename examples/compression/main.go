// Command compression reads one feed twice, plain and with permessage-deflate,
// and prints what each message cost on the wire. Look at the shares: with context
// takeover a message is compressed with what those before it contained. It saves
// bytes and costs time, see ws.Compression.
//
//	go run ./cmd/boomctl exchange --rate 100
//	go run ./examples/compression
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Feed keeps what its connection has counted.
type Feed struct {
	endpoint.WebSocket
	count ws.Counters
}

// OnOpen tells what the server agreed to; nil is no compression.
func (f *Feed) OnOpen(c *ws.Conn) error {
	if f.Options.Compression != nil && c.Compression() == nil {
		return fmt.Errorf("%s: the server does not compress", f.Name)
	}
	return nil
}

// OnData takes messages as ever: they are inflated already.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
	}
	f.count = c.Counters()
	return c.Err()
}

// OnLoss tells why.
func (f *Feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	log.Printf("%s: %s", f.Name, e.Summary())
	return endpoint.Reconnect
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443/ws/btcusdt@depth", "what to read")
	length := flag.Duration("for", 2*time.Second, "how long to read")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	feeds := []*Feed{
		{WebSocket: endpoint.WebSocket{Name: "plain"}},
		{WebSocket: endpoint.WebSocket{Name: "takeover", Options: ws.Options{Compression: &ws.Compression{}}}},
		{WebSocket: endpoint.WebSocket{Name: "each alone", Options: ws.Options{Compression: &ws.Compression{ServerNoContextTakeover: true}}}},
	}
	for _, f := range feeds {
		f.URL, f.Options.Stream.TLS = *url, tlsConfig
		if _, err := reactor.Register(r, f); err != nil {
			log.Fatal(err)
		}
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	for _, f := range feeds {
		n := f.count
		fmt.Printf("%-10s %5d messages, %8d bytes of payload, %8d received: %3d %%\n",
			f.Name, n.Messages, n.PayloadBytes, n.BytesRead, n.BytesRead*100/max(n.PayloadBytes, 1))
	}
}
