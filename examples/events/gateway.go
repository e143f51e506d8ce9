package main

import (
	"encoding/json"
	"fmt"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
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
