// Command actors is a trading system of three reactors, each on a core of its own
// if there are enough: feeds read and normalise trades, a strategy decides, a
// gateway sends orders and hears the answers. Between them are rings: trades to the
// strategy, orders to the gateway, acknowledgements back. No locks, no channels, no
// allocation; who is late is told so. Look at the links at the end: what was sent,
// and that nothing was dropped although all of it was under way.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/actors -n 1000
//	go run ./examples/actors -n 1000 -idle spin      # on three cores or more
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

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/stats"
)

var symbols = [...]string{"btcusdt", "ethusdt"}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443", "exchange, without a path")
	n := flag.Int64("n", 100, "orders to send and have acknowledged")
	how := flag.String("idle", "backoff", "idle strategy of all three")
	wake := flag.Bool("wake", false, "messages end a park; else a reactor that parks finds them within 1 ms")
	tlsConfig := trust.Flag()
	flag.Parse()
	strategy, err := idle.Parse(*how)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	// In the order in which they end: who sends before who reads.
	g, err := group(reactor.GroupConfig{
		Reactors:  []reactor.Config{{Name: "feed", Idle: strategy}, {Name: "strategy", Idle: strategy}, {Name: "gateway", Idle: strategy}},
		Placement: affinity.Policy{Kind: affinity.KindPack, AvoidSMT: true, PreferIsolated: true},
		Report:    func(err error) { log.Print(err) },
	})
	if err != nil {
		log.Fatal(err)
	}
	feed, decide, gateway := g.Named("feed"), g.Named("strategy"), g.Named("gateway")

	s := &Strategy{limit: *n, done: stop}
	gw := &Gateway{WebSocket: endpoint.WebSocket{Name: "gateway", URL: *url + "/echo"},
		latency: stats.NewBlock("gateway").Histogram("tick_to_order", "ns", "from the trade's read to the order's write")}
	gw.Options.Stream.TLS = tlsConfig
	trades, err := reactor.Link(feed, decide, reactor.LinkConfig{Wake: *wake}, s.OnTrade)
	check(err)
	s.orders, err = reactor.Link(decide, gateway, reactor.LinkConfig{Capacity: 64, Wake: *wake}, gw.OnOrder)
	check(err)
	gw.acks, err = reactor.Link(gateway, decide, reactor.LinkConfig{Capacity: 1 << 16, Wake: *wake}, s.OnAck)
	check(err)

	_, err = reactor.Register(gateway, gw)
	check(err)
	var feeds []*Feed
	for i, symbol := range symbols {
		f := &Feed{WebSocket: endpoint.WebSocket{Name: symbol, URL: *url + "/ws/" + symbol + "@trade"}, symbol: int32(i), trades: trades}
		f.Options.Stream.TLS = tlsConfig
		_, err := reactor.Register(feed, f)
		check(err)
		feeds = append(feeds, f)
	}
	if err := g.Run(ctx); err != nil {
		log.Fatal(err)
	}

	// Everything is ours again: the reactors have ended.
	fmt.Printf("%d trades, %d orders acknowledged, %d refused, %d too many\n", s.trades, s.acked, s.refused, s.missed)
	h := gw.latency.Snapshot()
	fmt.Printf("trade to order: p50 %v, p99 %v\n", time.Duration(h.ValueAtQuantile(0.5)), time.Duration(h.ValueAtQuantile(0.99)))
	for _, l := range g.Links() {
		fmt.Printf("%s → %s: %d sent, %d handled, %d refused, %d dropped\n", l.From, l.To, l.Sent, l.Handled, l.Refused, l.Dropped)
	}
	for _, f := range feeds {
		fmt.Println(f)
	}
}

// group makes the reactors; where there are too few CPUs they are not pinned.
func group(cfg reactor.GroupConfig) (*reactor.Group, error) {
	g, err := reactor.NewGroup(cfg)
	if errors.Is(err, affinity.ErrTooFewCPUs) {
		fmt.Println("not pinned:", err)
		cfg.Placement = affinity.Policy{}
		return reactor.NewGroup(cfg)
	}
	return g, err
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
