// Command direct waits in the quickest way there is for a few connections: no
// selector, a read of each socket in every turn, on a core that it never gives
// away. It prints how old messages are when they have been read.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/direct -cpu 1 -n 1000
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// Trades measures until ages is full.
type Trades struct {
	endpoint.WebSocket
	ages []time.Duration // allocated once
	full func()
}

// OnData compares the time in each message, "T", CLOCK_MONOTONIC of this machine,
// with the time of the read that brought it.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		_, digits, _ := bytes.Cut(m.Payload, []byte(`"T":`))
		digits, _, _ = bytes.Cut(digits, []byte(","))
		if sent, err := strconv.ParseInt(string(digits), 10, 64); err == nil && len(t.ages) < cap(t.ages) {
			t.ages = append(t.ages, time.Duration(c.Received()-sent))
		}
	}
	if len(t.ages) == cap(t.ages) {
		t.full()
	}
	return c.Err()
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	cpu := flag.Int("cpu", -1, "core for the reactor; -1: not pinned")
	n := flag.Int("n", 1000, "messages to measure")
	trades := &Trades{}
	trades.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	trades.URL, trades.full = *url, stop
	trades.ages = make([]time.Duration, 0, max(*n, 1))

	// Once, before Run: processors for one busy reactor and the rest, no garbage
	// collection below a GiB.
	tuned, err := reactor.TuneProcess(reactor.Tuning{Reactors: 1, MemoryLimit: 1 << 30})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tuned)
	r, err := reactor.New(reactor.Config{CPU: affinity.Fixed(*cpu), Idle: idle.Spin, Selector: selector.Direct})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, trades); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	slices.Sort(trades.ages)
	if last := len(trades.ages) - 1; last >= 0 {
		fmt.Printf("%d messages, age p50 %v, p99 %v, max %v\n", last+1, trades.ages[last/2], trades.ages[last*99/100], trades.ages[last])
	}
}
