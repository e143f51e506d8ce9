// Command shutdown runs until Ctrl-C or SIGTERM and then ends in order: a close
// frame goes out on every connection, the peers' answers are waited for, and
// each endpoint hears how it ended.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/shutdown            # and press Ctrl-C
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Feed says what happens to it.
type Feed struct {
	endpoint.WebSocket
	messages int
}

// OnOpen is called when the upgrade is done.
func (f *Feed) OnOpen(*ws.Conn) error {
	fmt.Println("open:", f.Name)
	return nil
}

// OnData takes the messages of one network read.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		f.messages++
	}
	return c.Err()
}

// OnLoss tells an end that was wanted from one that was not: in an orderly one
// the phase is closing, and both sides have sent a close frame.
func (f *Feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	closed, _ := errors.AsType[*ws.CloseError](e)
	orderly := e.Phase == endpoint.Closing && closed != nil && closed.Clean
	fmt.Printf("end: %s: orderly %t, phase %s, code %d, %d bytes unsent, after %d messages\n",
		f.Name, orderly, e.Phase, e.Code, e.Unsent, f.messages)
	return endpoint.Reconnect // of no account once the reactor is closing
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443", "exchange to read from, without a path")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	r, err := reactor.New(reactor.Config{CloseTimeout: 3 * time.Second}) // for all of them together
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"btcusdt@trade", "ethusdt@trade"} {
		f := &Feed{WebSocket: endpoint.WebSocket{Name: name, URL: *url + "/ws/" + name}}
		f.Options.Stream.TLS = tlsConfig
		if _, err := reactor.Register(r, f); err != nil {
			log.Fatal(err)
		}
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the reactor has ended")
}
