// Command mtls talks to a server that demands a client certificate, without
// WebSocket: it connects twice, sends a line and reads one each time. The second
// handshake resumes the session of the first, which saves the certificates. A
// server to try it with answers with the line reversed:
//
//	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=desk \
//		-addext subjectAltName=IP:127.0.0.1 -keyout /tmp/key.pem -out /tmp/cert.pem
//	openssl s_server -accept 127.0.0.1:9444 -cert /tmp/cert.pem -key /tmp/key.pem -alpn fix -rev \
//		-Verify 1 -verify_return_error -CAfile /tmp/cert.pem
//	go run ./examples/mtls -cacert /tmp/cert.pem -cert /tmp/cert.pem -key /tmp/key.pem -alpn fix
//	go run ./examples/mtls -cacert /tmp/cert.pem
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/stream"
)

func main() {
	target := flag.String("target", "tls://127.0.0.1:9444", "server")
	config := trust.Flag() // -cacert
	cert := flag.String("cert", "", "client certificate, a PEM `file` with its chain")
	key := flag.String("key", "", "its private key, a PEM `file` of mode 0600")
	flag.Func("alpn", "offer this `protocol`; repeatable, in order of preference", func(protocol string) error {
		config.NextProtos = append(config.NextProtos, protocol)
		return nil
	})
	keys := flag.String("keylog", "", "append the sessions' keys to this `file`: whoever has it can read the traffic")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // for everything
	defer cancel()

	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			log.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if *keys != "" {
		w, err := stream.KeyLogFile(*keys)
		if err != nil {
			log.Fatal(err)
		}
		defer w.Close()
		config.KeyLogWriter = w
	}
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1) // one server
	for range 2 {
		if err := ask(ctx, &stream.Options{TLS: config}, *target); err != nil {
			log.Fatal(err)
		}
	}
}

// ask makes a connection for one line. In TLS 1.3 a server that refuses the
// certificate, or misses one, says so to the first Read; and only what reads
// gets the ticket that resumes the session.
func ask(ctx context.Context, opts *stream.Options, target string) error {
	s, err := opts.Dial(ctx, target)
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := s.Write([]byte("hello\n")); err != nil { // few bytes: the kernel has them at once
		return err
	}
	var line []byte
	for buf := make([]byte, 4096); !bytes.HasSuffix(line, []byte("\n")); {
		n, err := s.Read(buf)
		line = append(line, buf[:n]...)
		if err == stream.ErrWouldBlock {
			err = s.(stream.Waiter).Wait(ctx, false)
		}
		if err != nil {
			return err
		}
	}
	state := s.(stream.Secured).ConnectionState()
	fmt.Printf("%s, resumed: %t, ALPN: %q, answer: %s", tls.VersionName(state.Version), state.DidResume, state.NegotiatedProtocol, line)
	return nil
}
