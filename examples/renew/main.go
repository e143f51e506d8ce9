// Command renew replaces a connection before it gets too old, as venues demand
// that end each after 24 hours: a new one is opened beside it, both deliver for
// a while, then the old one is closed. The numbers of the trades tell that
// nothing was missed: look at "missing 0".
//
//	go run ./cmd/boomctl exchange --rate 100
//	go run ./examples/renew -ttl 1s -for 5s
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Trades takes each trade once, from whichever connection brings it first.
type Trades struct {
	endpoint.WebSocket
	last                             uint64 // number of the last trade taken
	trades, twice, missing, replaced uint64
}

// OnOpen is called for each connection. c.ID tells them apart.
func (t *Trades) OnOpen(c *ws.Conn) error {
	if t.Conn() != c { // the current one still stands
		t.replaced++
	}
	return nil
}

// OnData hands on what is new. During the overlap it is called for both connections.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		n := number(m.Payload)
		switch {
		case n == 0: // no trade
			continue
		case t.last > 0 && n <= t.last:
			t.twice++
		case t.last > 0 && n > t.last+1 && c != t.Conn():
			continue // the current connection will bring it, in its turn
		default:
			if t.last > 0 {
				t.missing += n - t.last - 1
			}
			t.last = n
			t.trades++
		}
		if c != t.Conn() {
			c.Ready() // it has caught up: the older one may go before the overlap is over
		}
	}
	return c.Err()
}

// number is the "t" of a trade.
func number(trade []byte) uint64 {
	_, digits, _ := bytes.Cut(trade, []byte(`"t":`))
	digits, _, _ = bytes.Cut(digits, []byte(","))
	n, _ := strconv.ParseUint(string(digits), 10, 64)
	return n
}

func main() {
	t := &Trades{}
	flag.StringVar(&t.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	flag.DurationVar(&t.Policy.TimeToLive, "ttl", time.Second, "age at which a connection is replaced") // OnExpire could put it off
	length := flag.Duration("for", 5*time.Second, "how long to read")
	t.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, t); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d trades, %d connections replaced, %d trades came twice, missing %d\n", t.trades, t.replaced, t.twice, t.missing)
}
