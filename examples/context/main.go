// Command context has two endpoints with one handler and one typed context: the
// handler has no state, the context is what both endpoints fill.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/context -for 2s
package main

import (
	"bytes"
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

// Prices is the context. All endpoints of a reactor run on its one goroutine, so
// nothing here needs a lock.
type Prices struct {
	last map[string]string // symbol to price
	seen int
}

// trades is the handler.
type trades struct{}

// OnData keeps the last price of each symbol.
func (trades) OnData(p *Prices, c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		p.seen++
		p.last[field(m.Payload, `"s":"`)] = field(m.Payload, `"p":"`)
	}
	return c.Err()
}

// field copies what stands between key and the next quote.
func field(message []byte, key string) string {
	_, rest, _ := bytes.Cut(message, []byte(key))
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443", "exchange to read from, without a path")
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
	prices := &Prices{last: make(map[string]string)}
	for _, symbol := range []string{"btcusdt", "ethusdt"} {
		e := &endpoint.WithContext[*Prices]{Context: prices, Handler: trades{}}
		e.URL = *url + "/ws/" + symbol + "@trade"
		e.Options.Stream.TLS = tlsConfig
		if _, err := reactor.Register(r, e); err != nil {
			log.Fatal(err)
		}
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d trades, last prices %v\n", prices.seen, prices.last)
}
