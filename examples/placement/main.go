// Command placement chooses CPUs for two reactors, near each other and each with a
// core to itself, says why, and runs them there for a moment. Where there are too
// few CPUs they run unpinned.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/placement -for 2s
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

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Feed counts what it receives.
type Feed struct {
	endpoint.WebSocket
	messages int
}

// OnData takes the messages of one network read.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		f.messages++
	}
	return c.Err()
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

	names := []string{"btcusdt@trade", "ethusdt@trade"}
	plan := place(len(names))
	done := make(chan error, len(names))
	var feeds []*Feed
	for i, name := range names {
		r, err := reactor.New(reactor.Config{CPU: plan.Placements[i]})
		if err != nil {
			log.Fatal(err)
		}
		f := &Feed{WebSocket: endpoint.WebSocket{Name: name, URL: *url + "/ws/" + name}}
		f.Options.Stream.TLS = tlsConfig
		if _, err := reactor.Register(r, f); err != nil {
			log.Fatal(err)
		}
		feeds = append(feeds, f)
		go func() { done <- r.Run(ctx) }()
	}
	for range feeds {
		if err := <-done; err != nil {
			log.Fatal(err)
		}
	}
	for i, f := range feeds { // ours again: the reactors have ended
		fmt.Printf("%s on %v: %d messages\n", f.Name, plan.Placements[i], f.messages)
	}
}

// place chooses CPUs for n reactors, and none where they are too few.
func place(n int) *affinity.Plan {
	t := affinity.Local()
	plan, err := t.Place(n, affinity.Policy{Kind: affinity.KindPack, AvoidSMT: true, PreferIsolated: true})
	if errors.Is(err, affinity.ErrTooFewCPUs) {
		fmt.Println("not pinned:", err)
		plan, err = t.Place(n, affinity.Policy{}) // unbound
	}
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range plan.Warnings {
		fmt.Println("warning:", w)
	}
	return plan
}
