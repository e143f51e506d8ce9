package main

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// Orders is an order gateway; what it sends comes back as the acknowledgement.
type Orders struct {
	endpoint.WebSocket
	acked atomic.Int64 // polled by main: the reactor wakes nobody
}

// OnData takes the messages of one network read.
func (o *Orders) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		fmt.Printf("acknowledged: %s\n", m.Payload)
		o.acked.Add(1)
	}
	return c.Err()
}

// send has the reactor send an order and waits for what became of it.
func send(ctx context.Context, r *reactor.Reactor, h reactor.Handle[*Orders], order string) error {
	result := make(chan error, 1) // with room, so that the reactor never waits
	err := reactor.Dispatch(r, h, func(_ *Orders, c *ws.Conn) { result <- c.WriteString(order) })
	if err != nil {
		return err // reactor.ErrStale, ErrMailboxFull, ErrClosed: not sent
	}
	select {
	case err = <-result: // nil, ws.ErrNotConnected, stream.ErrBackPressured, …
		return err
	case <-ctx.Done(): // deregistered meanwhile: never called
		return context.Cause(ctx)
	}
}
