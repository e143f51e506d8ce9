// Command gateway is the sketch of an order gateway (gateway.go). Orders have ids
// and wait in a table for their answers; too many for the venue's limit, for the
// write queue or for a connection that is not there are refused at once; a loss
// makes an order unknown, never sent twice, and the first thing on the next
// connection cancels what may still stand. The strategy, here in main, decides
// what to try again. Look at how each of the orders comes to exactly one end:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/gateway
//	go run ./examples/gateway -url 'ws://127.0.0.1:9443/echo?fault=rst&after=8'
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

func main() {
	g := &Gateway{reports: make(chan Report, 16), pending: make(map[uint64]Order)}
	flag.StringVar(&g.URL, "url", "ws://127.0.0.1:9443/echo", "venue; an echo will do")
	n := flag.Int("n", 30, "orders")
	g.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	g.Options.SendLimit = ws.SendLimit{Frames: 20, Per: 100 * time.Millisecond} // as the venue has it, or less
	g.Policy = endpoint.Policy{FirstDelay: 10 * time.Millisecond, MaxDelay: 100 * time.Millisecond, PingInterval: time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	h, err := reactor.Register(r, g)
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()

	sent, refused, acknowledged, unknown := 0, 0, 0, 0
	report := func(r Report) {
		if acknowledged++; r.Err != nil {
			acknowledged--
			unknown++ // to ask the venue about, before any other order on it
			fmt.Printf("order %d unknown: %v\n", r.Order.ID, r.Err)
		}
	}
	for sent < *n && ctx.Err() == nil {
		o := Order{ID: uint64(sent + 1), Price: 65000, Size: 1}
		err := reactor.Call(ctx, r, h, func(g *Gateway, c *ws.Conn) error { return g.Send(c, o) })
		switch {
		case err == nil:
			sent++
		case ctx.Err() != nil:
		case errors.Is(err, ws.ErrNotConnected), errors.Is(err, ErrRecovering), errors.Is(err, ErrTooMany),
			errors.Is(err, ws.ErrRateLimited), errors.Is(err, stream.ErrBackPressured), errors.Is(err, net.ErrClosed):
			refused++ // not sent: the same order may be tried again, or dropped when its price is old
			time.Sleep(time.Millisecond)
		default:
			log.Fatal(err)
		}
		for len(g.reports) > 0 {
			report(<-g.reports)
		}
	}
	for acknowledged+unknown < sent && ctx.Err() == nil {
		select {
		case r := <-g.reports:
			report(r)
		case <-ctx.Done():
		}
	}
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d orders: %d acknowledged, %d unknown; refused and tried again %d times\n", sent, acknowledged, unknown, refused)
}
