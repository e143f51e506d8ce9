// Command backpressure sends more than the peer takes. A message that finds the
// write queue full is refused whole, at once, with an error, and OnWritable says
// when to go on: nothing blocks, nothing grows without bound, nothing is lost
// unseen. Look at how often the queue was full, and that it never got longer.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/backpressure
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
	"github.com/boomnet-go/boomnet/stream"
)

func main() {
	s := &Sender{message: make([]byte, 32<<10)}
	flag.StringVar(&s.URL, "url", "ws://127.0.0.1:9443/echo", "who sends everything back")
	flag.IntVar(&s.n, "n", 1000, "messages of 32 KiB")
	s.Options.Stream = stream.Options{TLS: trust.Flag(),
		QueueBound: 64 << 10,                       // bytes; default 1 MiB
		SendBuffer: 64 << 10, RecvBuffer: 64 << 10} // the kernel's, small so that they fill up
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s.done = stop

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, s); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d messages sent, %d came back; the queue was full %d times and never longer than %d bytes\n", s.sent, s.back, s.full, s.longest)
}
