// Command kinds runs two kinds of endpoints in one reactor: a WebSocket, and a
// line protocol written for this example (line.go), which is told the price of
// every trade.
//
//	go run ./cmd/boomctl exchange
//	nc -lk 127.0.0.1 9444                 # anything that reads lines
//	go run ./examples/kinds
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Trades sends each price on to the line. Both live on one goroutine, so that is
// a plain call.
type Trades struct {
	endpoint.WebSocket
	line *Line
	out  []byte
}

// OnData takes the messages of one network read.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		_, rest, _ := bytes.Cut(m.Payload, []byte(`"p":"`))
		price, _, _ := bytes.Cut(rest, []byte(`"`))
		t.out = append(append(t.out[:0], "price "...), price...)
		if err := t.line.Conn().WriteLine(t.out); err != nil && err != ErrNotConnected {
			log.Print(err) // back-pressured: this price is lost, the next is newer
		}
	}
	return c.Err()
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "WebSocket to read")
	target := flag.String("line", "tcp://127.0.0.1:9444", "where the line protocol connects to")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	line := &Line{Target: *target, OnLine: func(c *LineConn, line []byte) error {
		fmt.Printf("line: %s\n", line)
		if string(line) == "quit" {
			stop() // ends ctx, and so the reactor
		}
		return nil
	}}
	line.Stream.TLS = tlsConfig
	trades := &Trades{WebSocket: endpoint.WebSocket{URL: *url}, line: line}
	trades.Options.Stream.TLS = tlsConfig
	if _, err := reactor.Register(r, line); err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, trades); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
