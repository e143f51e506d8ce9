// Command gorilla measures github.com/gorilla/websocket. Package meter tells how
// it is called.
package main

import (
	"github.com/gorilla/websocket"

	"github.com/boomnet-go/boomnet/bench/meter"
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
	d := websocket.Dialer{TLSClientConfig: config, ReadBufferSize: 64 << 10}
	c, _, err := d.Dial(w.URL(), nil)
	if err != nil {
		return err
	}
	defer c.Close()
	return meter.Pull("gorilla", w,
		func(question []byte) error { return c.WriteMessage(websocket.TextMessage, question) },
		func() ([]byte, error) {
			_, p, err := c.ReadMessage()
			return p, err
		})
}
