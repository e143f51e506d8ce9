// Command heartbeat has the library send pings, sends one of its own, and looks
// at the answers and at the round trips. A connection that is open but dead is
// found by the pong that does not come, or by data that does not:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/heartbeat
//	go run ./examples/heartbeat -url 'ws://127.0.0.1:9443/ws/btcusdt@trade?fault=stall&after=2'
//	go run ./examples/heartbeat -url ws://127.0.0.1:9443/echo     # answers pings, but has no data
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
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
)

// Feed shows the control frames that it receives.
type Feed struct {
	endpoint.WebSocket
	pongs int // to wait for
	done  func()
}

// OnOpen sends a ping of our own, at most 125 bytes.
func (f *Feed) OnOpen(c *ws.Conn) error { return c.Ping([]byte("hello")) }

// OnControl is called with each ping, pong and close; pings are answered already.
func (f *Feed) OnControl(_ *ws.Conn, m ws.Control) {
	switch {
	case m.Op == frame.Pong && string(m.Payload) == "hello":
		fmt.Printf("pong %s\n", m.Payload)
	case m.Op == frame.Pong:
		fmt.Println("round trip", f.RoundTrip()) // of the last ping of Policy.PingInterval
		if f.pongs--; f.pongs == 0 {
			f.done()
		}
	}
}

// OnData drops what is not of interest here.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
	}
	return c.Err()
}

// OnLoss tells why: errors.Is(e, endpoint.ErrPongTimeout), endpoint.ErrStaleFeed, …
func (f *Feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Phase != endpoint.Closing { // our own end
		fmt.Println("lost", e.Summary())
	}
	f.done()
	return endpoint.Stop
}

func main() {
	f := &Feed{}
	p := &f.Policy // times this short are for the example: seconds are usual
	flag.DurationVar(&p.PingInterval, "ping-interval", 100*time.Millisecond, "time between a pong and the next ping")
	flag.DurationVar(&p.PongTimeout, "pong-timeout", 300*time.Millisecond, "time for a pong")
	flag.DurationVar(&p.StaleAfter, "stale-after", time.Second, "time without data, whatever the pongs say")
	flag.StringVar(&f.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	flag.IntVar(&f.pongs, "n", 15, "pongs to wait for")
	f.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	f.done = stop

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, f); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
