package main

import (
	"fmt"
	"runtime"
	"strconv"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// heartbeat is made once, for all connections.
var heartbeat, _ = ws.Prepare(frame.Text, []byte(`{"op":"ping"}`)) // fails for other kinds than text and binary

// Orders sends the next message when the last one has come back.
type Orders struct {
	endpoint.WebSocket
	n, sent       int
	before, after runtime.MemStats
	done          func()
}

// OnOpen sends the first.
func (o *Orders) OnOpen(c *ws.Conn) error {
	o.sent = 1
	return c.WritePrepared(heartbeat)
}

// order encodes in place: at most the bytes claimed, and nothing else is written
// by anybody before the commit.
func (o *Orders) order(c *ws.Conn) error {
	p, err := c.Claim(frame.Text, 64)
	if err != nil {
		return err // ws.ErrNotConnected, ws.ErrRateLimited, …: nothing was sent
	}
	p = append(p[:0], `{"order":`...)
	p = strconv.AppendInt(p, int64(o.sent), 10)
	p = append(p, `,"price":"65000.01"}`...)
	return c.CommitN(len(p)) // stream.ErrBackPressured: claim again
}

// OnData counts what comes back.
func (o *Orders) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		switch {
		case o.sent < 4:
			fmt.Printf("%s\n", m.Payload)
		case o.sent == 4: // warm by now
			runtime.ReadMemStats(&o.before)
		case o.sent >= o.n:
			runtime.ReadMemStats(&o.after)
			o.done()
			return nil
		}
		send := o.order
		if o.sent%3 == 0 {
			send = func(c *ws.Conn) error { return c.WritePrepared(heartbeat) }
		}
		o.sent++
		if err := send(c); err != nil {
			return err
		}
	}
	return c.Err()
}
