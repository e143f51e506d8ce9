package main

import (
	"errors"
	"fmt"
	"log"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

// Sender sends n messages as fast as they are taken.
type Sender struct {
	endpoint.WebSocket
	n, sent, back, full, longest int
	message                      []byte
	done                         func()
}

// OnOpen begins, with something that is larger than the whole queue.
func (s *Sender) OnOpen(c *ws.Conn) error {
	err := c.WriteBinary(make([]byte, 2*s.Options.Stream.QueueBound))
	if !errors.Is(err, stream.ErrTooLarge) { // never to be taken: the connection is as it was
		return fmt.Errorf("want an error, got %v", err)
	}
	fmt.Println(err)
	return s.send(c)
}

// OnWritable is called when the queue is empty again.
func (s *Sender) OnWritable(c *ws.Conn) error { return s.send(c) }

func (s *Sender) send(c *ws.Conn) error {
	for s.sent < s.n {
		err := c.WriteBinary(s.message)
		s.longest = max(s.longest, c.Queued())
		if err == stream.ErrBackPressured { // this one was not taken; it is ours to keep or to drop
			s.full++
			return nil
		}
		if err != nil {
			return err
		}
		s.sent++
	}
	return nil
}

// OnData counts what comes back.
func (s *Sender) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		if s.back++; s.back == s.n {
			s.done()
		}
	}
	return c.Err()
}

// OnLoss ends the program: what was under way is lost.
func (s *Sender) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Phase != endpoint.Closing { // our own end
		log.Print(e)
	}
	s.done()
	return endpoint.Stop
}
