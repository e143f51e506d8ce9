package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Refusals of Send beside those of ws: nothing was sent.
var (
	ErrRecovering = errors.New("gateway: cancelling what the last connection left open")
	ErrTooMany    = errors.New("gateway: too many orders without a report that was read")
)

// Order is what a strategy wants. ID is its own and is never used twice.
type Order struct {
	ID    uint64 `json:"id"`
	Price int64  `json:"price"`
	Size  int64  `json:"size"`
}

// Report is what became of an order that was sent. Err: the connection was lost
// before the answer, so the order may stand, or not, until CancelAll is answered.
type Report struct {
	Order Order
	Err   error
}

// Gateway sends orders. Everything in it belongs to the reactor's goroutine;
// reports is how the strategy hears of it.
type Gateway struct {
	endpoint.WebSocket
	reports chan Report
	pending map[uint64]Order // sent, not answered
	ready   bool             // the venue has nothing of ours that we do not know
}

// Send sends an order or says why not. It runs on the reactor: reactor.Call.
// Exactly one Report follows each nil, and none an error.
func (g *Gateway) Send(c *ws.Conn, o Order) error {
	switch {
	case c == nil:
		return ws.ErrNotConnected
	case !g.ready:
		return ErrRecovering
	case len(g.pending)+len(g.reports) >= cap(g.reports): // so that a report always finds room
		return ErrTooMany
	}
	if _, twice := g.pending[o.ID]; twice {
		return fmt.Errorf("gateway: order %d is under way", o.ID)
	}
	p, err := c.Claim(frame.Text, 128)
	if err != nil {
		return err // ws.ErrRateLimited; net.ErrClosed, as errors.Is sees it: the connection has broken or is closing
	}
	p = strconv.AppendUint(append(p[:0], `{"id":`...), o.ID, 10)
	p = strconv.AppendInt(append(p, `,"price":`...), o.Price, 10)
	p = strconv.AppendInt(append(p, `,"size":`...), o.Size, 10)
	if err := c.CommitN(len(append(p, '}'))); err != nil {
		return err // stream.ErrBackPressured
	}
	g.pending[o.ID] = o
	return nil
}

// OnOpen sends what must go first: of what was sent before, nothing may stand.
func (g *Gateway) OnOpen(c *ws.Conn) error { return c.WriteString(`{"cancelAll":true}`) }

// OnData takes the venue's answers.
func (g *Gateway) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		var answer struct {
			ID        uint64
			CancelAll bool
		}
		if err := json.Unmarshal(m.Payload, &answer); err != nil {
			return err
		}
		if answer.CancelAll {
			g.ready = true
			continue
		}
		o, ok := g.pending[answer.ID]
		if !ok {
			return fmt.Errorf("gateway: answer to order %d, which is not under way", answer.ID)
		}
		delete(g.pending, answer.ID)
		g.reports <- Report{Order: o}
	}
	return c.Err()
}

// OnLoss gives up on every answer that can no longer come. Nothing is sent again
// by itself: only who made an order knows whether it is still wanted.
func (g *Gateway) OnLoss(e *endpoint.LossError) endpoint.Action {
	g.ready = false
	for id, o := range g.pending {
		g.reports <- Report{o, e}
		delete(g.pending, id)
	}
	return endpoint.Reconnect
}
