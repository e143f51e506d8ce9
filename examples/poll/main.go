// Command poll has the reactor inside a loop of its own: Poll does one turn on
// the calling goroutine and never blocks. So boomnet fits into a program that
// has a loop already, and into a test.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/poll -n 20
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
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Trades counts messages.
type Trades struct {
	endpoint.WebSocket
	seen int
}

// OnData takes the messages of one network read.
func (t *Trades) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		t.seen++
	}
	return c.Err()
}

func main() {
	trades := &Trades{}
	flag.StringVar(&trades.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	trades.Options.Stream.TLS = trust.Flag()
	n := flag.Int("n", 20, "messages to read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, trades); err != nil {
		log.Fatal(err)
	}
	wait := idle.NewWaiter(idle.Backoff)
	turns := 0
	for trades.seen < *n && ctx.Err() == nil {
		work, err := r.Poll() // OnData runs in here, on this goroutine
		if err != nil {
			log.Fatal(err)
		}
		turns++ // and here is the program's own work
		time.Sleep(wait.Idle(work))
	}
	if err := r.Close(); err != nil { // on the goroutine that polls
		log.Fatal(err)
	}
	fmt.Printf("%d messages in %d turns\n", trades.seen, turns)
}
