// Command timers keeps a session alive the way many venues want it, by messages
// of the application: one goes out so long after the last answer, and an answer
// that does not come in time ends the connection. Both are the endpoint's one
// timer. Look at what a server that has fallen silent leads to:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/timers
//	go run ./examples/timers -url 'ws://127.0.0.1:9443/ws?fault=stall&after=1s'
//
// A timer ends with its connection. What is to happen whether there is one or
// not belongs to a goroutine with a time.Ticker, and reactor.Dispatch.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Session sends a request now and then and waits for its answer.
type Session struct {
	endpoint.WebSocket
	every, within time.Duration
	left          int // heartbeats
	done          func()
	waiting       bool // for an answer
	sent          int64
}

// OnOpen sets the first timer; clock.Nano is the clock of the reactor.
func (s *Session) OnOpen(*ws.Conn) error {
	s.waiting = false
	s.SetTimer(clock.Nano() + int64(s.every))
	return nil
}

// OnTimer is called once for each SetTimer; setting it again moves it.
func (s *Session) OnTimer(c *ws.Conn, now int64) error {
	if s.waiting {
		return fmt.Errorf("heartbeat not answered within %v", s.within) // ends the connection
	}
	s.waiting, s.sent = true, now
	s.SetTimer(now + int64(s.within))
	return c.WriteString(`{"method":"LIST_SUBSCRIPTIONS","id":1}`)
}

// OnData sees the answers.
func (s *Session) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		fmt.Printf("answered after %v: %s\n", time.Duration(c.Received()-s.sent), m.Payload)
		s.waiting = false
		s.SetTimer(c.Received() + int64(s.every))
		if s.left--; s.left == 0 {
			s.done()
		}
	}
	return c.Err()
}

// OnLoss ends the program; without it the endpoint would connect again.
func (s *Session) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Phase != endpoint.Closing { // our own end
		fmt.Println(e)
	}
	s.done()
	return endpoint.Stop
}

func main() {
	s := &Session{}
	flag.StringVar(&s.URL, "url", "ws://127.0.0.1:9443/ws", "who answers requests")
	flag.DurationVar(&s.every, "every", 300*time.Millisecond, "time between an answer and the next heartbeat")
	flag.DurationVar(&s.within, "within", 500*time.Millisecond, "time for an answer")
	flag.IntVar(&s.left, "n", 5, "heartbeats")
	s.Options.Stream.TLS = trust.Flag()
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
}
