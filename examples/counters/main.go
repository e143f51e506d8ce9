// Command counters publishes what a reactor counts in a file in memory, and reads
// it as another process would: by the file alone, without the reactor noticing.
// With -pid it reads another process, which may be another one of these.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/counters -for 1m
//	go run ./examples/counters -pid 4711
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
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
	dir := flag.String("dir", stats.Dir(), "directory of counters files")
	pid := flag.Int("pid", 0, "only read the counters of this process")
	length := flag.Duration("for", 2*time.Second, "how long to run")
	t.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	if *pid != 0 {
		if err := show(*dir, *pid); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := publish(t, *dir, *length); err != nil {
		log.Fatal(err)
	}
}

// publish runs a reactor that counts in a file, and shows it at the end.
func publish(t *Trades, dir string, length time.Duration) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	file, err := stats.Create(stats.FileConfig{Dir: dir, Name: "example"})
	if err != nil {
		return err
	}
	defer file.Close() // behind the reactor's end
	own := file.NewBlock("example", "sizes", "")
	defer own.Free()
	t.largest = own.Gauge("largest", "bytes", "largest message received")

	r, err := reactor.New(reactor.Config{Name: "feed", Counters: file})
	if err != nil {
		return err
	}
	if _, err := reactor.Register(r, t); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	select {
	case <-time.After(length):
	case <-ctx.Done():
	case err := <-ended:
		return err
	}
	if err := show(dir, os.Getpid()); err != nil {
		return err
	}
	stop()
	return <-ended
}

// show prints all cells of a process.
func show(dir string, pid int) error {
	view, err := stats.AttachPID(dir, pid)
	if err != nil {
		return err
	}
	defer view.Close()
	blocks, err := view.Blocks()
	if err != nil {
		return err
	}
	var v stats.Value // used again, with the memory of its histogram
	for _, b := range blocks {
		for _, c := range b.Cells {
			if err := c.Read(&v); err == stats.ErrFreed {
				break // its endpoint was deregistered meanwhile
			} else if err != nil {
				return err
			}
			fmt.Printf("%-9s %-8s %-18s %s %s\n", b.Kind, b.Name, c.Desc().Name, text(c.Desc(), &v), c.Desc().Unit)
		}
	}
	return nil
}

// text is a value in one line.
func text(d stats.Desc, v *stats.Value) string {
	switch d.Kind {
	case stats.KindHistogram:
		h := v.Histogram
		return fmt.Sprintf("n %d, p50 %d, p99 %d, max %d", h.Count(), h.ValueAtQuantile(0.5), h.ValueAtQuantile(0.99), h.Max())
	case stats.KindText:
		return fmt.Sprintf("%q", v.Text)
	case stats.KindErrors:
		return fmt.Sprint(len(v.Errors))
	}
	return fmt.Sprint(v.Int)
}
