// Command prometheus shows what a reactor counts, and a number of its own, to
// Prometheus by its own HTTP server, and prints at the end what a scrape has of it.
// A program that needs no server of its own leaves all that to boomctl metrics, which
// reads the same file from outside.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/prometheus -for 1m
//	curl http://127.0.0.1:9500/metrics
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stats/prometheus"
)

// Trades counts one thing of its own; the reactor's goroutine is its one writer.
type Trades struct {
	endpoint.WebSocket
	largest *stats.Gauge
}

// OnData takes the messages of one network read.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		t.largest.Set(max(t.largest.Value(), int64(len(m.Payload))))
	}
	return c.Err()
}

func main() {
	t := new(Trades)
	t.Name = "trades"
	flag.StringVar(&t.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	listen := flag.String("listen", "127.0.0.1:9500", "address to serve on; port 0 takes a free one")
	length := flag.Duration("for", 2*time.Second, "how long to run")
	t.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	if err := run(t, *listen, *length); err != nil {
		log.Fatal(err)
	}
}

// run runs a reactor that counts in a file, and beside it a server that reads it.
func run(t *Trades, listen string, length time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	file, err := stats.Create(stats.FileConfig{Name: "example"})
	if err != nil {
		return err
	}
	defer file.Close() // behind the reactor's end
	own := file.NewBlock("sizes", "example", "")
	defer own.Free()
	t.largest = own.Gauge("largest", "bytes", "largest message received")

	r, err := reactor.New(reactor.Config{Name: "feed", Counters: file})
	if err != nil {
		return err
	}
	if _, err := reactor.Register(r, t); err != nil {
		return err
	}
	// Without File it would show all processes of this user.
	exporter, err := prometheus.New(prometheus.Config{File: file.Path()})
	if err != nil {
		return err
	}
	defer exporter.Close()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", exporter)
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	fmt.Printf("http://%v/metrics\n", l.Addr())

	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	select {
	case <-time.After(length):
	case <-ctx.Done():
	case err := <-ended:
		return err
	case err := <-served:
		return err
	}
	var text strings.Builder
	if err := exporter.Write(&text); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(line, "_bucket{") {
			fmt.Print(line)
		}
	}
	stop()
	return errors.Join(<-ended, server.Close())
}
