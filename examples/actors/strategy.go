package main

import (
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

// Strategy decides. It has no connection of its own: it is the handlers of two
// links, which all run on its reactor's goroutine.
type Strategy struct {
	last    [len(symbols)]int64
	orders  *reactor.Sender[Order]
	limit   int64 // orders to send
	next    int64 // id of the last one; none is used twice
	open    int64 // not acknowledged
	trades  int
	missed  int // orders that the gateway had no room for
	refused int // and those that it did not send
	acked   int64
	done    func()
}

// OnTrade wants an order for each trade that is not at the last price.
func (s *Strategy) OnTrade(t *Trade) {
	s.trades++
	if t.Price == s.last[t.Symbol] || s.acked+s.open >= s.limit {
		return
	}
	s.last[t.Symbol] = t.Price
	o, res := s.orders.Claim()
	if res != ring.Accepted {
		s.missed++
		return
	}
	s.next++
	s.open++
	o.ID, o.Price, o.Symbol, o.Time = s.next, t.Price, t.Symbol, t.Time
	s.orders.Publish()
}

// OnAck hears what became of an order. One that was not sent is wanted no more: its
// price is old; the next trade makes a new one.
func (s *Strategy) OnAck(a *Ack) {
	if s.open--; !a.Sent {
		s.refused++
		return
	}
	if s.acked++; s.acked == s.limit {
		s.done()
	}
}
