// Command record writes down every byte that a connection receives, with the time
// at which it came (recorder.go), and then plays the tape to the same endpoint
// (player.go): upgrade, messages, close and all, in the same reads. Both are
// streams put in the place of the dialled one by a seam; the endpoint does not
// know. Look at "the same": number, reads and contents of the messages.
//
//	go run ./cmd/boomctl exchange --rate 100
//	go run ./examples/record -tape /tmp/btcusdt.tape -n 100
//	go run ./examples/record -tape /tmp/btcusdt.tape -replay -speed 10
package main

import (
	"context"
	cryptorand "crypto/rand"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/stream"
)

func main() {
	live := &Trades{}
	flag.StringVar(&live.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to record")
	flag.IntVar(&live.enough, "n", 20, "messages to record")
	live.Options.Stream.TLS = trust.Flag()
	name := flag.String("tape", "", "`file` for the recording; default: one in a new temporary directory")
	only := flag.Bool("replay", false, "record nothing, only replay")
	speed := flag.Float64("speed", 1, "how many times faster to replay than it was recorded")
	flag.Parse()
	if !(*speed > 0) {
		log.Fatalf("-speed %v: must be above 0", *speed)
	}
	if *only && *name == "" {
		log.Fatal("-replay: which -tape?")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if !*only {
		var seed [seedSize]byte
		_, _ = cryptorand.Read(seed[:]) // never fails
		if *name == "" {
			dir, err := os.MkdirTemp("", "boomnet-record-")
			if err != nil {
				log.Fatal(err)
			}
			*name = filepath.Join(dir, "tape")
			fmt.Println("tape", *name)
		}
		if err := live.run(ctx, seed, recordTo(*name, seed)); err != nil {
			log.Fatal(err)
		}
		if live.count.Messages == 0 {
			log.Fatal(live.loss)
		}
		fmt.Printf("recorded %v, over %v; %v\n", live, live.length(), live.loss)
	}

	tape, seed, err := NewPlayer(*name, *speed)
	if err != nil {
		log.Fatal(err)
	}
	again := &Trades{WebSocket: endpoint.WebSocket{URL: live.URL}}
	if err := again.run(ctx, seed, func(context.Context, string, *stream.Options) (stream.Stream, error) { return tape, nil }); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("replayed %v, over %v; %v\n", again, again.length(), again.loss)
	if !*only {
		fmt.Println("the same:", again.String() == live.String())
	}
}
