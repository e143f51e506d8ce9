// Command auth logs in at the upgrade: an API key with a signature that is good
// for this connection only, a subprotocol, and what the server answered to them.
// (The simulated exchange lets everybody in and knows no subprotocol.) Look at
// what a refusal says, status and body, and that each try is signed anew:
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/auth -key mykey -secret mysecret
//	go run ./examples/auth -url 'ws://127.0.0.1:9443/ws?fault=refuse&code=401'
//	go run ./examples/auth -url 'ws://127.0.0.1:9443/ws?fault=refuse&code=503'
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/reactor"
)

func main() {
	s := &Session{}
	flag.StringVar(&s.URL, "url", "ws://127.0.0.1:9443/ws", "where to log in")
	key := flag.String("key", "mykey", "API key")
	flag.StringVar(&s.secret, "secret", "mysecret", "its secret")
	protocols := flag.String("subprotocols", "trading.v2,trading.v1", "to offer, the best first")
	s.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s.done, s.Sign = stop, s.sign
	s.Options.Header = http.Header{"X-Api-Key": {*key}, "User-Agent": {"boomnet-example/1.0"}} // the same for all tries
	s.Options.Subprotocols = strings.Split(*protocols, ",")

	r, err := reactor.New(reactor.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, s); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
