// Command capture records all that comes into a reactor, in files that are rotated, and
// then plays the recording to the same endpoint: upgrade, messages, times, losses, in
// the same reads. The endpoint (trades.go) does not know. Look at "the same": number,
// reads, times and contents of the messages.
//
//	go run ./cmd/boomctl exchange --rate 100
//	go run ./examples/capture -o /tmp/btcusdt.pcapng -n 100
//	go run ./examples/capture -o /tmp/btcusdt.pcapng -replay -speed 10
//
// The files are pcapng: boomctl capture, Wireshark and tshark open them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/reactor"
)

func main() {
	live := &Trades{}
	live.Name = "trades" // by which a replay knows it
	flag.StringVar(&live.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to record")
	flag.IntVar(&live.enough, "n", 20, "messages to record")
	live.Options.Stream.TLS = trust.Flag()
	path := flag.String("o", "", "first `file` of the recording; default: one in a new temporary directory")
	each := flag.Int64("bytes", 16<<10, "bytes of a file, until the next begins")
	only := flag.Bool("replay", false, "record nothing, only replay")
	speed := flag.Float64("speed", 0, "how many times faster to replay than it was recorded; 0: as fast as it goes")
	flag.Parse()
	if *only && *path == "" {
		log.Fatal("-replay: what? (-o)")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if !*only {
		if *path == "" {
			dir, err := os.MkdirTemp("", "boomnet-capture-")
			if err != nil {
				log.Fatal(err)
			}
			*path = filepath.Join(dir, "feed.pcapng")
		}
		if err := record(ctx, live, *path, *each); err != nil {
			log.Fatal(err)
		}
		fmt.Println("recorded", live)
	}
	again := &Trades{}
	again.Name, again.URL = live.Name, live.URL
	if err := replay(ctx, again, *path, *speed); err != nil {
		log.Fatal(err)
	}
	fmt.Println("replayed", again)
	if !*only {
		fmt.Println("the same:", again.String() == live.String())
	}
}

// record runs t on a reactor that is recorded.
func record(ctx context.Context, t *Trades, path string, each int64) error {
	rec, err := capture.Create(path, capture.Options{
		MaxBytes: each,
		Report:   func(err error) { log.Print(err) }, // of the disk: the reactor goes on
	})
	if err != nil {
		return err
	}
	err = t.run(ctx, reactor.Config{Tape: rec.Tape()})
	if err := errors.Join(err, rec.Close()); err != nil { // after the reactor
		return err
	}
	s := rec.Stats()
	fmt.Printf("%s: %d files, %d records, %d lost\n", path, s.Files, s.Records, s.Ring+s.Full.Records)
	return nil
}

// replay runs t on a reactor into which the recording comes.
func replay(ctx context.Context, t *Trades, path string, speed float64) error {
	parts, err := capture.Parts(path)
	if err != nil {
		return err
	}
	file, err := capture.Open(parts...)
	if err != nil {
		return err
	}
	file.Lenient(true) // what a killed process has left is played up to its end
	t.done = func() {}
	done, err := (&capture.Reproduction{
		Recording: file,
		Endpoints: []endpoint.Protocol{t},
		Play:      tape.PlayConfig{Speed: speed},
	}).Run(ctx)
	for _, d := range done.Divergences {
		fmt.Println(d)
	}
	return err
}
