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
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

// Sender sends n messages as fast as they are taken.
type Sender struct {
	endpoint.WebSocket
	n, sent, back, full, longest int
	message                      []byte
	done                         func()
}

// OnOpen begins, with something that is larger than the whole queue.
func (s *Sender) OnOpen(c *ws.Conn) error {
	err := c.WriteBinary(make([]byte, 2*s.Options.Stream.QueueBound))
	if !errors.Is(err, stream.ErrTooLarge) { // never to be taken: the connection is as it was
		return fmt.Errorf("want an error, got %v", err)
	}
	fmt.Println(err)
	return s.send(c)
}

// OnWritable is called when the queue is empty again.
func (s *Sender) OnWritable(c *ws.Conn) error { return s.send(c) }

func (s *Sender) send(c *ws.Conn) error {
	for s.sent < s.n {
		err := c.WriteBinary(s.message)
		s.longest = max(s.longest, c.Queued())
		if err == stream.ErrBackPressured { // this one was not taken; it is ours to keep or to drop
			s.full++
			return nil
		}
		if err != nil {
			return err
		}
		s.sent++
	}
	return nil
}

// OnData counts what comes back.
func (s *Sender) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		if s.back++; s.back == s.n {
			s.done()
		}
	}
	return c.Err()
}

// OnLoss ends the program: what was under way is lost.
func (s *Sender) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Phase != endpoint.Closing { // our own end
		log.Print(e)
	}
	s.done()
	return endpoint.Stop
}

func main() {
	s := &Sender{message: make([]byte, 16<<10)}
	flag.StringVar(&s.URL, "url", "ws://127.0.0.1:9443/echo", "who sends everything back")
	flag.IntVar(&s.n, "n", 1000, "messages of 16 KiB")
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
