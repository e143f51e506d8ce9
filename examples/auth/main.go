// Command auth logs in at the upgrade: a signed header, a subprotocol, and what
// the server answered to them. (The simulated exchange lets everybody in and knows
// no subprotocol.) Look at what a refusal says: status, header and body are there.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/auth -key mykey -secret mysecret
//	go run ./examples/auth -url 'ws://127.0.0.1:9443/ws?fault=refuse&code=401'
package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// sign is the header that proves who we are, good for this moment. User and
// password in a URL, ws://user:password@host/, become Basic authorization.
func sign(key, secret string, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.UnixMilli(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "GET/ws"))
	return http.Header{
		"X-Api-Key":   {key},
		"X-Timestamp": {stamp},
		"X-Signature": {hex.EncodeToString(mac.Sum(nil))},
		"User-Agent":  {"boomnet-example/1.0"},
	}
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443/ws", "where to log in")
	key := flag.String("key", "mykey", "API key")
	secret := flag.String("secret", "mysecret", "its secret")
	protocols := flag.String("subprotocols", "trading.v2,trading.v1", "to offer, the best first")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()

	c, err := ws.Dial(ctx, *url, &ws.Options{
		Header:       sign(*key, *secret, time.Now()),
		Subprotocols: strings.Split(*protocols, ","),
		Stream:       stream.Options{TLS: tlsConfig},
	})
	if refused, ok := errors.AsType[*ws.UpgradeError](err); ok {
		fmt.Printf("refused: %s, %q, %v\n", refused.Status, refused.Body, refused.Err)
		return
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Discard()
	fmt.Printf("logged in, subprotocol %q, server %q\n", c.Subprotocol(), c.ResponseHeader().Get("Server"))

	// An orderly end: say so, then read until the peer has answered.
	for err = c.Close(frame.CloseNormal, "that is all"); err == nil; err = c.Wait(ctx) {
		_, _ = c.Fill()
		for _, ok := c.Next(); ok; _, ok = c.Next() {
		}
	}
	fmt.Println("end:", err)
}
