package main

import (
	"context"
	"fmt"
	"hash/crc64"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

var table = crc64.MakeTable(crc64.ECMA)

// Trades sums up what it sees.
type Trades struct {
	endpoint.WebSocket
	enough      int // messages after which to close
	count       ws.Counters
	hash        uint64 // of all messages
	first, last int64
	loss        *endpoint.LossError
	done        func()
}

// OnData is the same for a live connection and for a recorded one.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		t.hash = crc64.Update(t.hash, table, m.Payload)
	}
	if t.count, t.last = c.Counters(), c.Received(); t.first == 0 {
		t.first = t.last
	}
	if t.enough > 0 && t.count.Messages >= int64(t.enough) {
		t.done()
	}
	return c.Err()
}

// OnLoss is the end of both.
func (t *Trades) OnLoss(e *endpoint.LossError) endpoint.Action {
	t.loss = e
	t.done()
	return endpoint.Stop
}

// run lets t have one connection.
func (t *Trades) run(ctx context.Context, cfg reactor.Config) error {
	ctx, t.done = context.WithCancel(ctx)
	defer t.done()
	r, err := reactor.New(cfg)
	if err != nil {
		return err
	}
	if _, err := reactor.Register(r, t); err != nil {
		return err
	}
	return r.Run(ctx)
}

func (t *Trades) String() string {
	return fmt.Sprintf("%d messages in %d reads over %v, checksum %016x; %v",
		t.count.Messages, t.count.Reads, time.Duration(t.last-t.first), t.hash, t.loss)
}
