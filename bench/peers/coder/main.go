// Command coder measures github.com/coder/websocket. Package meter tells how it
// is called.
package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"

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
	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, w.URL(), &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: config}},
	})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	return meter.Pull("coder", w,
		func(question []byte) error { return c.Write(ctx, websocket.MessageText, question) },
		func() ([]byte, error) {
			_, p, err := c.Read(ctx)
			return p, err
		})
}
