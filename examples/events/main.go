// Command events is an exchange gateway in small: whoever uses it knows nothing of
// connections, frames and JSON, and has one method to write, which takes what
// happens in order: the line is up, a trade, the line is down and why. Look at
// how a broken connection comes out between the trades:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/events -url 'ws://127.0.0.1:9443/ws/btcusdt@trade?fault=close&code=1012&after=5'
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Event is one of Up, Down and Trade.
type Event any

// Events of the gateway.
type (
	Up   struct{ Connection uint32 }
	Down struct {
		Connection uint32
		Err        error
	}
	Trade struct {
		Symbol string `json:"s"`
		Price  string `json:"p"`
		Number uint64 `json:"t"`
		Sent   int64  `json:"T"` // named, because encoding/json would take it for the number
	}
)

// Gateway turns what the library calls into Events. OnEvent runs on the reactor's
// goroutine and must not block.
type Gateway struct {
	endpoint.WebSocket
	OnEvent func(Event)
}

// OnOpen says that trades will come.
func (g *Gateway) OnOpen(c *ws.Conn) error { g.OnEvent(Up{c.ID()}); return nil }

// OnData decodes. (encoding/json allocates: a hot path has a decoder of its own.)
func (g *Gateway) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		var t Trade
		if err := json.Unmarshal(m.Payload, &t); err != nil {
			return fmt.Errorf("message %.100q: %w", m.Payload, err) // a feed we cannot read: connect anew
		}
		g.OnEvent(t)
	}
	return c.Err()
}

// OnLoss is called for failed tries too: those were never Up.
func (g *Gateway) OnLoss(e *endpoint.LossError) endpoint.Action {
	g.OnEvent(Down{e.Conn, e})
	return endpoint.Reconnect
}

func main() {
	g := &Gateway{WebSocket: endpoint.WebSocket{Policy: endpoint.Policy{MaxDelay: 100 * time.Millisecond}}}
	flag.StringVar(&g.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	n := flag.Int("n", 12, "trades to show")
	g.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	g.OnEvent = func(e Event) {
		switch e := e.(type) {
		case Up:
			fmt.Println("up, connection", e.Connection)
		case Down:
			fmt.Println("down:", e.Err)
		case Trade:
			fmt.Printf("trade %d of %s at %s\n", e.Number, e.Symbol, e.Price)
			if *n--; *n == 0 {
				stop()
			}
		}
	}
	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, g); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
