package main

import (
	"bytes"
	"fmt"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

// Feed normalises one symbol's trades. It never waits: what the strategy cannot
// take is counted, and the next trade is newer anyway.
type Feed struct {
	endpoint.WebSocket
	symbol  int32
	trades  *reactor.Sender[Trade]
	missed  int // trades that the strategy had no room for
	refused int // messages that are no trade
}

// OnData puts each trade straight into the ring.
func (f *Feed) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		price, ok := decimal(m.Payload, `"p":"`)
		if !ok {
			f.refused++
			continue
		}
		t, res := f.trades.Claim()
		if res != ring.Accepted {
			f.missed++
			continue
		}
		t.Symbol, t.Price, t.Time = f.symbol, price, c.Received()
		f.trades.Publish()
	}
	return c.Err()
}

// decimal reads the number behind key, up to the next quote, in units of 10^-8.
func decimal(message []byte, key string) (n int64, ok bool) {
	_, value, _ := bytes.Cut(message, []byte(key))
	value, rest, closed := bytes.Cut(value, []byte(`"`))
	whole, part, _ := bytes.Cut(value, []byte("."))
	if !closed || len(rest) == 0 || len(whole) == 0 || len(whole) > 10 || len(part) > 8 { // 10^18 fits
		return 0, false
	}
	for i := range len(whole) + 8 {
		digit := byte('0')
		switch at := i - len(whole); {
		case at < 0:
			digit = whole[i]
		case at < len(part):
			digit = part[at]
		}
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + int64(digit-'0')
	}
	return n, true
}

func (f *Feed) String() string {
	return fmt.Sprintf("%s: %d missed, %d no trades", f.Name, f.missed, f.refused)
}
