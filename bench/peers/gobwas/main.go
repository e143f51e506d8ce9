// Command gobwas measures github.com/gobwas/ws. Package meter tells how it is
// called.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/boomnet-go/boomnet/bench/meter"
)

const bufferSize = 64 << 10

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
	d := ws.Dialer{TLSConfig: config}
	c, ahead, _, err := d.Dial(context.Background(), w.URL())
	if err != nil {
		return err
	}
	defer c.Close()
	var in io.Reader = c
	if ahead != nil { // bytes behind the handshake
		in = io.MultiReader(io.LimitReader(ahead, int64(ahead.Buffered())), c)
	}
	r := bufio.NewReaderSize(in, bufferSize)
	buf := make([]byte, bufferSize)
	masked := make([]byte, len(meter.Question()))
	return meter.Pull("gobwas", w,
		func(question []byte) error {
			copy(masked, question) // WriteClientText masks in place
			return wsutil.WriteClientText(c, masked)
		},
		func() ([]byte, error) {
			h, err := ws.ReadHeader(r)
			if err != nil {
				return nil, err
			}
			if h.OpCode == ws.OpClose {
				return nil, io.EOF
			}
			if uint64(h.Length) > bufferSize {
				return nil, fmt.Errorf("gobwas: message of %d bytes, limit %d", h.Length, bufferSize)
			}
			_, err = io.ReadFull(r, buf[:h.Length])
			return buf[:h.Length], err
		})
}
