// Command client-reactor measures the same work as command client, through a
// reactor: an endpoint with an epoll selector that spins. Package meter tells how
// it is called.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/bench/meter"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// runLimit ends a run that hangs.
const runLimit = 50 * time.Second

func main() {
	if err := run(); err != nil {
		meter.Fail(err)
	}
}

func run() error {
	w, err := meter.Args()
	if err != nil {
		return err
	}
	config, err := w.TLSConfig()
	if err != nil {
		return err
	}
	meter.Quiet()
	r, err := reactor.New(reactor.Config{Idle: idle.Noop, Selector: selector.Epoll})
	if err != nil {
		return err
	}
	ctx, end := context.WithTimeout(context.Background(), runLimit)
	defer end()
	f := &feed{
		WebSocket: endpoint.WebSocket{URL: w.URL(), Options: ws.Options{SkipUTF8: w.SkipUTF8, Stream: stream.Options{TLS: config}}},
		meter:     meter.New("boomnet-reactor", w),
		work:      w,
		question:  meter.Question(),
		end:       end,
	}
	if _, err := reactor.Register(r, f); err != nil {
		return err
	}
	if err := r.Run(ctx); err != nil {
		return err
	}
	if f.err != nil {
		return f.err
	}
	return f.meter.Done()
}

// feed is the endpoint. All of it belongs to the reactor's goroutine until Run
// has returned.
type feed struct {
	endpoint.WebSocket
	meter    *meter.Meter
	work     meter.Work
	question []byte
	got      int // messages of the burst under way
	finished bool
	end      func() // stops the reactor
	err      error
}

func (f *feed) OnOpen(c *ws.Conn) error {
	if f.work.Mode != meter.Burst {
		return nil
	}
	return f.ask(c)
}

func (f *feed) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		f.meter.Message(m.Payload)
		f.got++
	}
	if f.work.Mode != meter.Burst || f.got < f.work.N || f.finished {
		return c.Err()
	}
	f.got = 0
	if f.meter.Answered() {
		return f.ask(c)
	}
	f.finish(nil)
	return nil
}

func (f *feed) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Code == int(frame.CloseNormal) && f.work.Mode != meter.Burst {
		f.finish(nil)
	} else {
		f.finish(fmt.Errorf("client-reactor: %w", e))
	}
	return endpoint.Stop
}

func (f *feed) ask(c *ws.Conn) error {
	f.meter.Ask()
	return c.WriteText(f.question)
}

func (f *feed) finish(err error) {
	if !f.finished {
		f.finished, f.err = true, err
		f.meter.Stop()
		f.end()
	}
}
