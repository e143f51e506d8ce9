package main

import (
	"sync/atomic"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
)

// Feed hands prices to the strategy. It never waits for it.
type Feed struct {
	endpoint.WebSocket
	prices  chan<- string
	dropped atomic.Int64
}

// OnData copies what leaves the reactor: the payload is a view. (A send on a
// channel wakes its receiver, which costs some µs: fine for a decision now and then.)
func (f *Feed) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		select {
		case f.prices <- string(m.Payload):
		default:
			f.dropped.Add(1)
		}
	}
	return c.Err()
}

// Orders counts what comes back, on its own reactor.
type Orders struct {
	endpoint.WebSocket
	left int
	done func()
}

// OnData takes the acknowledgements.
func (o *Orders) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		if o.left--; o.left == 0 {
			o.done()
		}
	}
	return c.Err()
}
