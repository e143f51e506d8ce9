// Command control opens a control socket, by which an operator reaches into a live
// process, and is its own first operator: it asks for another idle strategy, drops
// its connection and looks at itself. Then it serves others until it is done.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/control -for 1m
//	go run ./cmd/boomctl control dump     # in another terminal, or drop, idle, reset
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

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Feed says when it is open, and why it was lost.
type Feed struct {
	endpoint.WebSocket
	open chan struct{} // a token for each connection
}

// OnOpen is called when the upgrade is done.
func (f *Feed) OnOpen(*ws.Conn) error {
	f.open <- struct{}{}
	return nil
}

// OnData takes the messages of one network read.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
	}
	return c.Err()
}

// OnLoss tells a connection that an operator has dropped from one that was lost.
func (f *Feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	if dropped, ok := errors.AsType[*endpoint.DroppedError](e); ok {
		fmt.Println("dropped by", dropped.Why)
	}
	return endpoint.Reconnect
}

func main() {
	feed := &Feed{WebSocket: endpoint.WebSocket{Name: "trades"}, open: make(chan struct{}, 16)}
	flag.StringVar(&feed.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "feed to read")
	serve := flag.Duration("for", 0, "how long to serve other operators")
	feed.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r, err := reactor.New(reactor.Config{Name: "md"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, feed); err != nil {
		log.Fatal(err)
	}
	ended := make(chan error, 1)
	running, cancel := context.WithCancel(context.Background())
	go func() { ended <- r.Run(running) }()

	// Whoever asks for something is in the log.
	s, err := control.Listen(control.Config{
		Reactors: []*reactor.Reactor{r},
		Observer: func(e control.Event) { fmt.Println(e) },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := operate(ctx, s.Path(), feed); err != nil {
		log.Print(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(*serve):
	}
	err = s.Close()
	cancel()
	if err = errors.Join(err, <-ended); err != nil {
		log.Fatal(err)
	}
}

// operate is what any process of this user's, and of root's, can do.
func operate(ctx context.Context, path string, feed *Feed) error {
	c, err := control.Dial(ctx, path)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.SetIdle(ctx, "md", idle.Park(100*time.Microsecond)); err != nil {
		return err
	}
	if err := feed.wait(ctx); err != nil {
		return err
	}
	if _, err := c.Drop(ctx, "", "trades"); err != nil {
		return err
	}
	if err := feed.wait(ctx); err != nil {
		return err
	}
	d, err := c.Dump(ctx, "")
	if err != nil {
		return err
	}
	for _, r := range d.Reactors {
		for _, e := range r.Endpoints {
			fmt.Printf("%s on %s (%s): %s, lost %d×, last: %s\n", e.Name, r.Name, r.Idle, e.State, e.Losses, e.LastLoss.Phase)
		}
	}
	return nil
}

// wait waits for the next connection.
func (f *Feed) wait(ctx context.Context) error {
	select {
	case <-f.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
