// Command tls connects with a TLS configuration of one's own: the roots to trust,
// the name to expect in the certificate, the lowest version, and a file of keys
// with which Wireshark decrypts a capture. Look at what is said when the
// certificate is signed by nobody known (without -cacert), or is another's.
//
//	go run ./cmd/boomctl exchange --ca-out /tmp/ca.pem
//	go run ./examples/tls -cacert /tmp/ca.pem -keylog /tmp/keys.txt
//	go run ./examples/tls
//	go run ./examples/tls -cacert /tmp/ca.pem -name venue.example.com
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

func main() {
	url := flag.String("url", "wss://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	config := trust.Flag() // -cacert: see examples/internal/trust for how to read such a file
	flag.StringVar(&config.ServerName, "name", "", "name in the certificate, where it is not the URL's host")
	keys := flag.String("keylog", "", "append the session's keys to this `file`: whoever has it can read the traffic")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // for everything
	defer cancel()

	config.MinVersion = tls.VersionTLS13
	if *keys != "" {
		f, err := stream.KeyLogFile(*keys)
		if err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		config.KeyLogWriter = f
	}
	c, err := ws.Dial(ctx, *url, &ws.Options{Stream: stream.Options{TLS: config}})
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		log.Fatalf("%v: is -cacert missing?", err)
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Discard()
	s, ok := c.Stream().(*stream.TLS)
	if !ok {
		log.Fatalf("%s is not wss://", *url)
	}
	state := s.ConnectionState()
	leaf := state.PeerCertificates[0]
	fmt.Printf("%s, %s, key exchange %s\n", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.CurveID)
	fmt.Printf("certificate of %q, signed by %q, good until %s\n", leaf.Subject.CommonName, leaf.Issuer.CommonName, leaf.NotAfter.Format(time.DateOnly))

	for !c.HasNext() { // one message, to see that it works
		if _, err := c.Fill(); err == stream.ErrWouldBlock {
			if err := c.Wait(ctx); err != nil {
				log.Fatal(err)
			}
		} else if err != nil {
			log.Fatal(err)
		}
	}
	m, _ := c.Next()
	fmt.Printf("%s\n", m.Payload)
}
