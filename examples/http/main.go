// Command http makes HTTP/1.1 requests over a stream, several on one connection
// (client.go): what a client needs for the snapshot of a book or for a key,
// through the same addresses, interfaces and TLS settings as its feeds. net/http
// writes the requests and parses the answers. Look at how many connections it took.
//
//	go run ./cmd/boomctl exchange                        # closes each connection after its answer
//	go run ./examples/http -n 2
//	python3 -m http.server --protocol HTTP/1.1 8000      # keeps them open
//	go run ./examples/http -url http://127.0.0.1:8000/ -n 3
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:9443/control/stats", "what to get, http:// or https://")
	n := flag.Int("n", 3, "how often")
	client := &Client{}
	client.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	for i := range *n {
		r, err := http.NewRequest(http.MethodGet, *url, nil)
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("User-Agent", "boomnet-example/1.0")
		scheme, port := "tcp", "80"
		if r.URL.Scheme == "https" {
			scheme, port = "tls", "443"
		}
		if p := r.URL.Port(); p != "" {
			port = p
		}
		client.Target = scheme + "://" + net.JoinHostPort(r.URL.Hostname(), port)

		limited, cancel := context.WithTimeout(ctx, 5*time.Second) // for this request
		response, body, err := client.Do(limited, r)
		cancel()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("request %d: %s, %d bytes, on connection %d\n", i+1, response.Status, len(body), client.Dials)
	}
	if err := client.Close(); err != nil {
		log.Fatal(err)
	}
}
