// Command reactors has two reactors for market data and one for orders, each on a
// core of its own, and an ordinary goroutine between them that decides. Nothing is
// shared but messages: prices come by a bounded channel, orders go by Dispatch.
// Look at "dropped": a strategy that is late costs it prices, the feeds nothing.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/reactors -cpus 1,2,3 -n 1000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443", "exchange, without a path")
	list := flag.String("cpus", "-1,-1,-1", "cores of the two feeds and of the orders; -1: not pinned")
	n := flag.Int("n", 100, "orders to send and have acknowledged")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cpus := strings.Split(*list, ",")
	if len(cpus) != 3 {
		log.Fatalf("-cpus %q: want three numbers", *list)
	}
	ended := make(chan error, 3)
	start := func(i int, name string) *reactor.Reactor {
		cpu, err := strconv.Atoi(cpus[i])
		if err != nil {
			log.Fatalf("-cpus %q: %v", *list, err)
		}
		r, err := reactor.New(reactor.Config{Name: name, CPU: affinity.Fixed(cpu)})
		if err != nil {
			log.Fatal(err)
		}
		go func() { ended <- r.Run(ctx); stop() }() // one that cannot run ends them all
		return r
	}

	prices := make(chan string, 1024)
	feeds := []*Feed{{prices: prices}, {prices: prices}}
	for i, symbol := range []string{"btcusdt", "ethusdt"} {
		feeds[i].URL = *url + "/ws/" + symbol + "@bookTicker"
		feeds[i].Options.Stream.TLS = tlsConfig
		if _, err := reactor.Register(start(i, symbol), feeds[i]); err != nil {
			log.Fatal(err)
		}
	}
	orders := &Orders{WebSocket: endpoint.WebSocket{URL: *url + "/echo"}, left: *n, done: stop}
	orders.Options.Stream.TLS = tlsConfig
	gateway := start(2, "orders")
	h, err := reactor.Register(gateway, orders)
	if err != nil {
		log.Fatal(err)
	}

	var refused atomic.Int64
	for ctx.Err() == nil { // the strategy: an order for each price
		select {
		case price := <-prices:
			err := reactor.Dispatch(gateway, h, func(_ *Orders, c *ws.Conn) {
				if c.WriteString("order on "+price) != nil { // not connected yet, or back-pressured
					refused.Add(1)
				}
			})
			if err != nil && !errors.Is(err, reactor.ErrClosed) {
				log.Print(err) // reactor.ErrMailboxFull
			}
		case <-ctx.Done():
		}
	}
	for range 3 {
		if err := <-ended; err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("%d orders acknowledged, %d refused, prices dropped: %d\n", *n-max(orders.left, 0), refused.Load(), feeds[0].dropped.Load()+feeds[1].dropped.Load())
}
