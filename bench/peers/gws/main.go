// Command gws measures github.com/lxzan/gws. Package meter tells how it is called.
package main

import (
	"crypto/tls"

	"github.com/lxzan/gws"

	"github.com/boomnet-go/boomnet/bench/meter"
)

func main() {
	if err := run(); err != nil {
		meter.Fail(err)
	}
}

// handler counts on the goroutine that reads, as users of gws do, and asks for
// the next burst from there.
type handler struct {
	gws.BuiltinEventHandler
	meter    *meter.Meter
	work     meter.Work
	question []byte
	got      int
	err      error
}

func (h *handler) OnOpen(c *gws.Conn) {
	if h.work.Mode == meter.Burst {
		h.ask(c)
	}
}

func (h *handler) OnMessage(c *gws.Conn, message *gws.Message) {
	h.meter.Message(message.Bytes())
	_ = message.Close()
	if h.got++; h.work.Mode != meter.Burst || h.got < h.work.N {
		return
	}
	h.got = 0
	if h.meter.Answered() {
		h.ask(c)
		return
	}
	h.meter.Stop()
	_ = c.WriteClose(1000, nil)
}

func (h *handler) ask(c *gws.Conn) {
	h.meter.Ask()
	if err := c.WriteMessage(gws.OpcodeText, h.question); err != nil {
		h.err = err
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
	if config == nil {
		config = &tls.Config{}
	}
	h := &handler{meter: meter.New("gws", w), work: w, question: meter.Question()}
	c, _, err := gws.NewClient(h, &gws.ClientOption{Addr: w.URL(), TlsConfig: config, ReadBufferSize: 64 << 10})
	if err != nil {
		return err
	}
	c.ReadLoop()
	if h.err != nil {
		return h.err
	}
	return h.meter.Done()
}
