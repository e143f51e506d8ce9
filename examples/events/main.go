// Command events is an exchange gateway in small: whoever uses it knows nothing of
// connections, frames and JSON, and has one method to write, which takes what
// happens in order: the line is up, a trade, the line is down and why. Look at
// how a broken connection comes out between the trades:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/events -url 'ws://127.0.0.1:9443/ws/btcusdt@trade?fault=close&code=1012&after=5'
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
	"github.com/boomnet-go/boomnet/reactor"
)

func main() {
	g := &Gateway{WebSocket: endpoint.WebSocket{Policy: endpoint.Policy{MaxDelay: 100 * time.Millisecond}}}
	flag.StringVar(&g.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	n := flag.Int("n", 12, "trades to show")
	g.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	g.OnEvent = func(e Event) {
		switch e := e.(type) {
		case Up:
			fmt.Println("up, connection", e.Connection)
		case Down:
			fmt.Println("down:", e.Err)
		case Trade:
			fmt.Printf("trade %d of %s at %s\n", e.Number, e.Symbol, e.Price)
			if *n--; *n == 0 {
				stop()
			}
		}
	}
	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, g); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
