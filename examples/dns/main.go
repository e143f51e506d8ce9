// Command dns finds the venue's address in three steps: a pinned name is answered
// from a table, every other one by a stub resolver that asks the machine's name
// servers and keeps what they say, and a resolver of one's own around both bounds
// each lookup and prints what it took. Resolving runs beside the reactor, so a name
// server that is slow costs no other endpoint anything.
//
//	go run ./cmd/boomctl exchange
//	go run ./examples/dns                                           # pinned
//	go run ./examples/dns -url ws://localhost:9443/ws/btcusdt@trade # by /etc/hosts or a name server
//	go run ./examples/dns -url ws://nowhere.invalid:9443/ws         # what is said of a name that is none
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

// Timed is a dns.Resolver around another one. Several goroutines may call it.
type Timed struct {
	Next  dns.Resolver
	Limit time.Duration
}

// LookupNetIP implements dns.Resolver; *net.Resolver has the same method.
func (t Timed) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, t.Limit, fmt.Errorf("lookup of %s took longer than %v", host, t.Limit))
	defer cancel()
	begin := time.Now()
	addrs, err := t.Next.LookupNetIP(ctx, network, host)
	fmt.Printf("%s is %v (%v)\n", host, addrs, time.Since(begin))
	return addrs, err
}

// Trades tells where it is connected to.
type Trades struct {
	endpoint.WebSocket
	done func()
}

// OnOpen asks the stream for its other end.
func (t *Trades) OnOpen(c *ws.Conn) error {
	if s, ok := c.Stream().(stream.Addressed); ok {
		fmt.Println("connected to", s.RemoteAddr())
	}
	t.done()
	return nil
}

// OnData is of no interest here.
func (t *Trades) OnData(c *ws.Conn) error { _, _ = c.Next(); return c.Err() }

// OnLoss says what went wrong; the *net.DNSError in e tells more.
func (t *Trades) OnLoss(e *endpoint.LossError) endpoint.Action {
	if e.Phase != endpoint.Closing { // our own end
		fmt.Println(e)
	}
	t.done()
	return endpoint.Stop
}

func main() {
	t := &Trades{}
	flag.StringVar(&t.URL, "url", "ws://feed.example.com:9443/ws/btcusdt@trade", "what to connect to")
	pins := map[string][]netip.Addr{"feed.example.com": {netip.MustParseAddr("127.0.0.1")}}
	flag.Func("pin", "`name=address` to answer from the table, in addition to feed.example.com=127.0.0.1", func(s string) error {
		name, address, _ := strings.Cut(s, "=")
		ip, err := netip.ParseAddr(address)
		pins[name] = append(pins[name], ip)
		return err
	})
	t.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	t.done = stop

	stub := new(dns.Stub) // dns.System would be Go's own, without a cache
	defer stub.Close()
	resolver := Timed{Next: &dns.Static{Hosts: pins, Next: stub}, Limit: 2 * time.Second}
	r, err := reactor.New(reactor.Config{Seams: endpoint.Seams{Resolver: resolver}}) // for all endpoints
	if err != nil {
		log.Fatal(err)
	}
	if _, err := reactor.Register(r, t); err != nil {
		log.Fatal(err)
	}
	if err := r.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
