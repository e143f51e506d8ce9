package ws_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

// A script without a reactor: it waits, reads, and prints until the end.
func Example() {
	ctx := context.Background()
	c, err := ws.Dial(ctx, "wss://example.com/stream", &ws.Options{Header: http.Header{"User-Agent": {"script"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = c.Discard() }()
	if err := c.WriteString(`{"op":"subscribe","channel":"trades"}`); err != nil {
		fmt.Println(err)
		return
	}
	for c.Err() == nil {
		if _, err := c.Fill(); err == stream.ErrWouldBlock {
			if err := c.Wait(ctx); err != nil {
				break
			}
		}
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			fmt.Printf("%v: %s\n", m.Op, m.Payload)
		}
	}
	fmt.Println(c.Err(), ws.CloseStatus(c.Err()))
}
