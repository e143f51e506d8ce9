package main

import (
	"strconv"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/ring"
	"github.com/boomnet-go/boomnet/stats"
)

// Gateway sends orders to the venue, which echoes them, and tells the strategy.
type Gateway struct {
	endpoint.WebSocket
	acks     *reactor.Sender[Ack]
	pending  []int64          // ids under way, in the order in which they were sent
	latency  *stats.Histogram // from the trade's read to the order's write
	unheard  int              // acks that the strategy had no room for
	sent     int
	answered int
}

// OnOrder is the handler of the strategy's link: on this reactor, so that it may use
// the connection.
func (g *Gateway) OnOrder(o *Order) {
	if g.send(g.Conn(), o) != nil { // not connected, back-pressured, closing: nothing was sent
		g.ack(o.ID, false)
		return
	}
	g.latency.Record(clock.Nano() - o.Time)
	g.sent++
	g.pending = append(g.pending, o.ID)
}

// send encodes in place.
func (g *Gateway) send(c *ws.Conn, o *Order) error {
	p, err := c.Claim(frame.Text, 128)
	if err != nil {
		return err
	}
	p = strconv.AppendInt(append(p[:0], `{"id":`...), o.ID, 10)
	p = append(append(p, `,"symbol":"`...), symbols[o.Symbol]...)
	p = strconv.AppendInt(append(p, `","price":`...), o.Price, 10)
	return c.CommitN(len(append(p, '}')))
}

func (g *Gateway) ack(id int64, sent bool) {
	a, res := g.acks.Claim()
	if res != ring.Accepted {
		g.unheard++
		return
	}
	a.ID, a.Sent = id, sent
	g.acks.Publish()
}

// OnData takes the venue's answers, which come in the order of the orders.
func (g *Gateway) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok && len(g.pending) > 0; _, ok = c.Next() {
		g.answered++
		g.ack(g.pending[0], true)
		g.pending = append(g.pending[:0], g.pending[1:]...)
	}
	return c.Err()
}

// OnLoss gives up on what is under way: whether it stands, the venue must be asked
// (examples/gateway).
func (g *Gateway) OnLoss(*endpoint.LossError) endpoint.Action {
	for _, id := range g.pending {
		g.ack(id, false)
	}
	g.pending = g.pending[:0]
	return endpoint.Reconnect
}
