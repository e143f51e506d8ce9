// Command client measures a bare [ws.Conn], without a reactor: one goroutine on
// one thread that asks the connection for bytes again and again. Package meter
// tells how it is called.
//
// With PROFILE set in the environment it writes a CPU profile to that file.
package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/boomnet-go/boomnet/bench/meter"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

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
	runtime.LockOSThread()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := ws.Dial(ctx, w.URL(), &ws.Options{SkipUTF8: w.SkipUTF8, Stream: stream.Options{TLS: config}})
	if err != nil {
		return err
	}
	defer c.Discard()

	if file := os.Getenv("PROFILE"); file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	m := meter.New("boomnet", w)
	if w.Mode == meter.Burst {
		err = bursts(c, m, w.N)
	} else {
		err = drain(c, m)
	}
	if err != nil {
		return err
	}
	return m.Done()
}

// bursts asks for n messages, takes them, and asks again.
func bursts(c *ws.Conn, m *meter.Meter, n int) error {
	question := meter.Question()
	for more := true; more; more = m.Answered() {
		m.Ask()
		if err := c.WriteText(question); err != nil {
			return err
		}
		for got := 0; got < n; {
			if _, err := c.Fill(); err == stream.ErrWouldBlock {
				continue
			} else if err != nil {
				return err
			}
			for msg, ok := c.Next(); ok; msg, ok = c.Next() {
				m.Message(msg.Payload)
				got++
			}
		}
	}
	return nil
}

// drain takes messages until the server closes.
func drain(c *ws.Conn, m *meter.Meter) error {
	for c.Err() == nil {
		if _, err := c.Fill(); err == stream.ErrWouldBlock {
			continue // Next has given out all there was
		} else if err != nil {
			break
		}
		for msg, ok := c.Next(); ok; msg, ok = c.Next() {
			m.Message(msg.Payload)
		}
	}
	if e, ok := errors.AsType[*ws.CloseError](c.Err()); ok && e.Code == frame.CloseNormal {
		return nil
	}
	return c.Err()
}
