// Command dispatch sends orders from another goroutine than the reactor's, by a
// handle that any goroutine may keep. Nothing is sent while there is no
// connection, and nothing is kept for later: the sender is told.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/dispatch
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

func main() {
	orders := &Orders{}
	flag.StringVar(&orders.URL, "url", "ws://127.0.0.1:9443/echo", "where orders go")
	orders.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	h, err := reactor.Register(r, orders)
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()

	for i := 1; i <= 3 && ctx.Err() == nil; {
		switch err := send(ctx, r, h, fmt.Sprintf(`{"order":%d}`, i)); {
		case err == nil:
			i++
		case ctx.Err() != nil: // Ctrl-C
		case errors.Is(err, ws.ErrNotConnected): // connecting, or between two connections
			time.Sleep(10 * time.Millisecond)
		default:
			log.Fatal(err)
		}
	}
	for orders.acked.Load() < 3 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	// Deregister closes the connection in order; then the handle is stale.
	for err = reactor.Deregister(r, h); err == nil; _, err = r.Lookup(h.ID()) {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("after Deregister:", send(ctx, r, h, "too late"))
	stop()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
