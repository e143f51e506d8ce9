// Command prepared shows the two ways to send without building a message first:
// Prepare for what is sent again and again, and Claim for what is encoded straight
// into the memory that goes to the kernel. Neither allocates: look at the count
// (over wss:// it is crypto/tls that allocates, one for each record received).
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/prepared -n 100000
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/reactor"
)

func main() {
	o := &Orders{}
	flag.StringVar(&o.URL, "url", "ws://127.0.0.1:9443/echo", "who sends everything back")
	flag.IntVar(&o.n, "n", 10000, "messages")
	o.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o.done = stop

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, o); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d messages, %d allocations\n", o.sent, o.after.Mallocs-o.before.Mallocs)
}
