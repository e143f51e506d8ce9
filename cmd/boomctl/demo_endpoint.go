package main

import (
	"encoding/json"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stats"
)

// market is the demo's endpoint: one symbol of the exchange. All of its methods
// run on the reactor's goroutine. They allocate nothing and wait for nothing;
// what others want to know goes into cells, which any goroutine may read.
type market struct {
	endpoint.WebSocket
	subscribe []byte       // the request, encoded beforehand
	stamped   bool         // messages carry the time of sending in "T"
	price     *stats.Gauge // last price, in units of 10^-8
	latency   *latencies   // shared with the reactor's other endpoints
}

// OnOpen subscribes.
func (m *market) OnOpen(c *ws.Conn) error { return c.WriteText(m.subscribe) }

// OnData takes the messages of one network read.
func (m *market) OnData(c *ws.Conn) error {
	received := c.Received()
	m.latency.receive.Record(clock.Nano() - received)
	price := int64(0)
	for msg, ok := c.Next(); ok; msg, ok = c.Next() {
		q := scanQuote(msg.Payload)
		if q.price != 0 {
			price = q.price
		}
		if m.stamped && q.sent != 0 {
			m.latency.send.Record(clock.Nano() - q.sent)
		}
	}
	if price != 0 {
		m.price.Set(price)
	}
	return c.Err()
}

// newMarket makes the endpoint of a symbol on the exchange at url.
func newMarket(symbol, url string, block *stats.Block, l *latencies) *market {
	// Marshalling strings and a number cannot fail.
	request, _ := json.Marshal(struct {
		Method string   `json:"method"`
		Params []string `json:"params"`
		ID     int      `json:"id"`
	}{"SUBSCRIBE", []string{symbol + "@trade", symbol + "@bookTicker"}, 1})
	return &market{
		WebSocket: endpoint.WebSocket{Name: symbol, URL: url + "/ws"},
		subscribe: request,
		price:     block.Gauge(symbol+"_price", "1e-8", "last price of "+symbol),
		latency:   l,
	}
}

// latencies are recorded by one reactor for all of its endpoints.
type latencies struct {
	receive *stats.Histogram // the read that brought a batch → its handler
	send    *stats.Histogram // the exchange's stamp of a message → its handler
}

func newLatencies(block *stats.Block) *latencies {
	return &latencies{
		receive: block.Histogram("receive_to_handler", "ns", "from the end of a network read to its handler, each batch"),
		send:    block.Histogram("send_to_handler", "ns", "from sending to the handler, each message"),
	}
}
