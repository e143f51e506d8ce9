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
	"hash/crc64"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

var table = crc64.MakeTable(crc64.ECMA)

// Trades sums up what it sees.
type Trades struct {
	endpoint.WebSocket
	enough      int // messages after which to close
	count       ws.Counters
	hash        uint64 // of all messages
	first, last int64
	loss        *endpoint.LossError
	done        func()
}

// OnData is the same for a live connection and for a tape.
func (t *Trades) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		t.hash = crc64.Update(t.hash, table, m.Payload)
	}
	if t.count, t.last = c.Counters(), c.Received(); t.first == 0 {
		t.first = t.last
	}
	if t.enough > 0 && t.count.Messages >= int64(t.enough) {
		t.done()
	}
	return c.Err()
}

// OnLoss is the end of both.
func (t *Trades) OnLoss(e *endpoint.LossError) endpoint.Action {
	t.loss = e
	t.done()
	return endpoint.Stop
}

// run lets t have one connection, made by dial, with the randomness of the seed.
func (t *Trades) run(ctx context.Context, seed [seedSize]byte, dial func(context.Context, string, *stream.Options) (stream.Stream, error)) error {
	ctx, t.done = context.WithCancel(ctx)
	r, err := reactor.New(reactor.Config{Seams: endpoint.Seams{Dial: dial, Rand: func() rand.Source { return rand.NewChaCha8(seed) }}})
	if err != nil {
		return err
	}
	if _, err := reactor.Register(r, t); err != nil {
		return err
	}
	return r.Run(ctx)
}

func (t *Trades) String() string {
	return fmt.Sprintf("%d messages in %d reads, checksum %016x", t.count.Messages, t.count.Reads, t.hash)
}

func main() {
	live := &Trades{}
	flag.StringVar(&live.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to record")
	flag.IntVar(&live.enough, "n", 20, "messages to record")
	live.Options.Stream.TLS = trust.Flag()
	name := flag.String("tape", filepath.Join(os.TempDir(), "boomnet-example.tape"), "`file` for the recording")
	only := flag.Bool("replay", false, "record nothing, only replay")
	speed := flag.Float64("speed", 1, "how many times faster to replay than it was recorded")
	flag.Parse()
	if !(*speed > 0) {
		log.Fatalf("-speed %v: must be above 0", *speed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if !*only {
		var seed [seedSize]byte
		_, _ = cryptorand.Read(seed[:]) // never fails
		if err := live.run(ctx, seed, func(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
			file, err := os.OpenFile(*name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) // it holds what we sent for, and maybe keys
			if err != nil {
				return nil, err
			}
			s, err := o.Dial(ctx, target)
			if err != nil {
				_ = file.Close()
				return nil, err
			}
			return NewRecorder(s, file, seed), nil
		}); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("recorded %v, over %v; %v\n", live, time.Duration(live.last-live.first).Round(time.Millisecond), live.loss)
	}

	tape, seed, err := NewPlayer(*name, *speed)
	if err != nil {
		log.Fatal(err)
	}
	again := &Trades{WebSocket: endpoint.WebSocket{URL: live.URL}}
	if err := again.run(ctx, seed, func(context.Context, string, *stream.Options) (stream.Stream, error) { return tape, nil }); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("replayed %v, over %v; %v\n", again, time.Duration(again.last-again.first).Round(time.Millisecond), again.loss)
	if !*only {
		fmt.Println("the same:", again.String() == live.String())
	}
}
