package system

import (
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/reactor"
)

// While a name server is silent, one endpoint waits for its address; the other
// one of the same reactor misses nothing. Of the addresses that come in the end
// only the last one is alive.
func TestASilentNameServerCostsTheOthersNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 500})
		r := w.reactor(t)
		there := newTrades(s, "/ws/btcusdt@trade")
		_, err := reactor.Register(r, there)
		require.NoError(t, err)
		waitFor(t, "trades", func() bool { n, _, _, _ := there.seen(); return n > 0 })

		silent, asked := nameServer(t)
		good, _ := nameServer(t, "127.0.0.3", "127.0.0.2", "127.0.0.1")
		stub := &dns.Stub{
			Config:    &dns.Config{Servers: []netip.AddrPort{silent, good}},
			HostsFile: "/dev/null",
			Stagger:   300 * time.Millisecond,
		}
		defer func() { require.NoError(t, stub.Close()) }()
		named := newTrades(s, "/ws/ethusdt@trade")
		named.URL = strings.Replace(named.URL, "127.0.0.1", "feed.venue.test", 1)
		named.Options.Stream.Resolver = stub
		if c := named.Options.Stream.TLS; c != nil {
			c.ServerName = "127.0.0.1"
		}
		before, _, _, _ := there.seen()
		_, err = reactor.Register(r, named)
		require.NoError(t, err)
		waitFor(t, "the silent server to be asked", func() bool { return asked.Load() > 0 })
		waitFor(t, "trades meanwhile", func() bool { n, _, _, _ := there.seen(); return n >= before+20 })
		waitFor(t, "trades by name", func() bool { n, _, _, _ := named.seen(); return n >= 5 })
		for _, f := range []*trades{there, named} {
			_, gaps, opens, losses := f.seen()
			require.Equal(t, []int{0, 1, 0}, []int{gaps, opens, losses})
		}
		found, err := stub.Lookup(t.Context(), "ip4", "feed.venue.test")
		require.NoError(t, err)
		require.Len(t, found.Addrs, 3)
		for _, a := range found.Addrs {
			require.Equal(t, dns.Cached, a.From)
			require.Equal(t, good, a.Server)
		}
	})
}

// nameServer answers every question for A with addrs and every other one with
// none; without addrs it is silent. asked counts the questions.
func nameServer(t *testing.T, addrs ...string) (at netip.AddrPort, asked *atomic.Int32) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	asked = new(atomic.Int32)
	done := make(chan struct{})
	t.Cleanup(func() { require.NoError(t, conn.Close()); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			asked.Add(1)
			if len(addrs) == 0 {
				continue
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil {
				continue
			}
			m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
			q := m.Questions[0]
			for _, a := range addrs {
				if q.Type == dnsmessage.TypeA {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 300},
						Body:   &dnsmessage.AResource{A: netip.MustParseAddr(a).As4()},
					})
				}
			}
			if answer, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), asked
}
