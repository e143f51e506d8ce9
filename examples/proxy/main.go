// Command proxy gets out through a proxy: HTTP CONNECT or SOCKS 5, with a password
// where it wants one. Without -proxy the environment decides (HTTPS_PROXY for wss,
// HTTP_PROXY for ws, ALL_PROXY, NO_PROXY), which the library asks only when told
// to; addresses of this machine are never reached that way. Look at where the
// socket goes, and at what is said when the proxy does not let you in:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/proxy                                          # directly
//	go run ./examples/proxy -proxy http://desk:secret@127.0.0.1:8888 # through tinyproxy, say
//	go run ./examples/proxy -proxy socks5h://127.0.0.1:1080          # the proxy resolves names
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

// Trades takes one message.
type Trades struct {
	endpoint.WebSocket
	enough bool
	done   func()
}

// OnOpen asks the stream for its other end: behind a proxy that is the proxy.
func (t *Trades) OnOpen(c *ws.Conn) error {
	if s, ok := c.Stream().(stream.Addressed); ok {
		fmt.Println("the socket goes to", s.RemoteAddr())
	}
	return nil
}

// OnData has had enough with the first message.
func (t *Trades) OnData(c *ws.Conn) error {
	if m, ok := c.Next(); ok && !t.enough { // the end takes a moment to come
		fmt.Printf("%s\n", m.Payload)
		t.enough = true
		t.done()
	}
	return c.Err()
}

// OnLoss does not try again where that may lock the user out.
func (t *Trades) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Phase == endpoint.Closing {
		return endpoint.Stop // our own end
	}
	fmt.Println(e) // it shows no password
	if errors.Is(e, stream.ErrProxyAuth) {
		t.done()
		return endpoint.Stop
	}
	return endpoint.Reconnect
}

func main() {
	t := &Trades{}
	flag.StringVar(&t.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to connect to")
	t.Options.Stream.Proxy = stream.ProxyFromEnvironment
	flag.Func("proxy", "`URL` of the proxy: http, https, socks5 or socks5h", func(s string) error {
		u, err := stream.ParseProxy(s)
		t.Options.Stream.Proxy = stream.ProxyURL(u)
		return err
	})
	t.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	t.done = stop

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, t); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
