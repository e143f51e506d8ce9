// Command echo measures round trips: it sends a message, waits until it has come
// back, and sends the next. Look at the same line with -idle spin, and with
// -selector direct beside it: a reactor that parks pays for being woken.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/echo -n 10000 -idle spin -selector direct
package main

import (
	"context"
	"encoding/binary"
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
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stats"
)

// Echo has one message under way at a time.
type Echo struct {
	endpoint.WebSocket
	n, left int
	done    func()
	trips   stats.Histogram // ns
	sent    int64
	payload [32]byte // begins with the number of the message
}

// OnOpen sends the first message, also on the connection after a lost one.
func (e *Echo) OnOpen(c *ws.Conn) error { return e.send(c) }

// OnData records how long the message took and sends the next.
func (e *Echo) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		if string(m.Payload) != string(e.payload[:]) {
			return fmt.Errorf("sent %x, got %x", e.payload, m.Payload)
		}
		e.trips.Record(c.Received() - e.sent)
		if e.left--; e.left == 0 {
			e.done()
			return nil
		}
		if err := e.send(c); err != nil {
			return err
		}
	}
	return c.Err()
}

func (e *Echo) send(c *ws.Conn) error {
	binary.LittleEndian.PutUint64(e.payload[:], uint64(e.n-e.left))
	e.sent = clock.Nano() // the clock of Received
	return c.WriteBinary(e.payload[:])
}

func main() {
	e := &Echo{}
	flag.StringVar(&e.URL, "url", "ws://127.0.0.1:9443/echo", "who sends everything back")
	flag.IntVar(&e.n, "n", 10000, "round trips")
	waiting, selecting := idle.Backoff, selector.Epoll
	flag.Func("idle", "how to wait: spin, yield, backoff, park(50us), …", func(s string) (err error) { waiting, err = idle.Parse(s); return })
	flag.Func("selector", "how to find what is ready: epoll or direct", func(s string) (err error) { selecting, err = selector.ParseKind(s); return })
	e.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	e.left = max(e.n, 1)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	e.done = stop

	r, err := reactor.New(reactor.Config{Idle: waiting, Selector: selecting})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, e); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	s := e.trips.Snapshot()
	at := func(q float64) time.Duration { return time.Duration(s.ValueAtQuantile(q)) }
	fmt.Printf("%d round trips: p50 %v, p99 %v, max %v\n", s.Count(), at(0.5), at(0.99), at(1))
}
