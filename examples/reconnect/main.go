// Command reconnect shows how an endpoint comes back: every change of its state,
// each loss with its cause, and the delay before the next try, which doubles
// until a connection has proved healthy. What is worth another try is for OnLoss
// to say. Break connections in different ways, and look at the delays:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/reconnect -url 'ws://127.0.0.1:9443/ws/btcusdt@trade?fault=rst&after=5'
//	go run ./examples/reconnect -url 'ws://127.0.0.1:9443/ws?fault=refuse&code=429&for=1s'   # Retry-After
//	go run ./examples/reconnect -url 'ws://127.0.0.1:9443/ws?fault=refuse&code=403'          # useless
//	go run ./examples/reconnect -url ws://127.0.0.1:1                                        # nobody there
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

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
)

// Feed gives up where another try could only do harm.
type Feed struct{ endpoint.WebSocket }

// OnData drops what is not of interest here.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
	}
	return c.Err()
}

// OnLoss decides by what the peer said: errors.As reaches all of it.
func (f *Feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	if refused, ok := errors.AsType[*ws.UpgradeError](e); ok && (refused.StatusCode == 401 || refused.StatusCode == 403) {
		return endpoint.Stop // our key is no good
	}
	if ws.CloseStatus(e) == frame.ClosePolicyViolation {
		return endpoint.Stop
	}
	return endpoint.Reconnect
}

func main() {
	f := &Feed{WebSocket: endpoint.WebSocket{Policy: endpoint.Policy{
		FirstDelay:    20 * time.Millisecond, // short for the example; the zero Policy has good defaults
		MaxDelay:      200 * time.Millisecond,
		HealthyAfter:  5 * time.Second, // open so long, with data: the delays start over
		RetryAfterCap: time.Minute,     // more than that is a ban: give up
	}}}
	flag.StringVar(&f.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade?fault=rst&after=5", "what to read")
	flag.IntVar(&f.Policy.MaxAttempts, "attempts", 4, "losses in a row after which to give up")
	f.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	observe := func(e endpoint.Event) { // on the reactor's goroutine, for all endpoints
		if e.Loss != nil {
			fmt.Println("  lost", e.Loss.Summary())
		}
		switch e.State {
		case endpoint.Backoff:
			fmt.Printf("loss %d, next try in %v\n", e.Loss.Attempt, e.Delay)
		case endpoint.Failed:
			fmt.Println("given up")
			stop()
		case endpoint.Closed:
		default:
			fmt.Printf("  connection %d %s\n", e.Conn, e.State)
		}
	}
	r, err := reactor.New(reactor.Config{Seams: endpoint.Seams{Observer: observe}})
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
