// Command stream plays a tape beside a live feed, through one and the same
// handler. The tape is a stream of one's own without a descriptor (tape.go): it
// tells the reactor when it wants to be read, which no selector could know.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/stream
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

// Live is the feed that is not a tape.
type Live struct {
	endpoint.WebSocket
	onData func(c *ws.Conn) error
}

// OnData hands on to the handler that the tape has too.
func (l *Live) OnData(c *ws.Conn) error { return l.onData(c) }

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "live feed")
	live := &Live{}
	live.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	show := func(from string) func(*ws.Conn) error {
		return func(c *ws.Conn) error {
			for m, ok := c.Next(); ok; m, ok = c.Next() {
				fmt.Printf("%s: %s\n", from, m.Payload)
			}
			return c.Err()
		}
	}
	live.URL, live.onData = *url, show("live")
	tape := &Replay{
		Interval: 200 * time.Millisecond,
		Messages: []string{`{"p":"1.0"}`, `{"p":"1.1"}`, `{"p":"1.2"}`, `{"p":"1.3"}`, `{"p":"1.4"}`},
		OnData:   show("tape"),
	}
	r, err := reactor.New(reactor.Config{Seams: endpoint.Seams{Observer: func(e endpoint.Event) {
		if e.State == endpoint.Failed { // the tape, which does not start again
			fmt.Println("the tape is over")
			stop()
		}
	}}})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, live); err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, tape); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
