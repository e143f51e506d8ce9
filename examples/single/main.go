// Command single reads one WebSocket in a loop of its own: no reactor, no
// callbacks, one goroutine. It prints ten messages and closes in order.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/single -n 10
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	n := flag.Int("n", 10, "messages to print")
	options := ws.Options{Stream: stream.Options{TLS: trust.Flag()}}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	err := read(ctx, *url, &options, *n)
	if closed, ok := errors.AsType[*ws.CloseError](err); ok && closed.Clean || ctx.Err() != nil {
		fmt.Println("end:", err)
		return
	}
	log.Fatal(err)
}

// read prints n messages, closes, and reads on until the peer has answered.
func read(ctx context.Context, url string, options *ws.Options, n int) error {
	c, err := ws.Dial(ctx, url, options)
	if err != nil {
		return err
	}
	defer c.Discard()
	for {
		if _, err := c.Fill(); err == stream.ErrWouldBlock { // one network read
			if err := c.Wait(ctx); err != nil {
				return err
			}
		}
		for m, ok := c.Next(); ok; m, ok = c.Next() { // what it brought
			if n--; n >= 0 {
				fmt.Printf("%s\n", m.Payload) // a view, dead at the next Fill
			}
			if n == 0 {
				if err := c.Close(frame.CloseNormal, "seen enough"); err != nil {
					return err
				}
			}
		}
		if err := c.Err(); err != nil { // *ws.CloseError: who, which code, why
			return err
		}
	}
}
