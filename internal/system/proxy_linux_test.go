package system

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/fakeproxy"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

// A feed on a reactor comes through a proxy, and through it again after a loss.
func TestAFeedThroughAProxy(t *testing.T) {
	for _, scheme := range []string{"http", "socks5", "socks5h"} {
		t.Run(scheme, func(t *testing.T) {
			bothWays(t, func(t *testing.T, w world) {
				p := fakeproxy.Start(t, fakeproxy.Config{Scheme: scheme, User: "desk", Password: "open sesame"})
				testThroughProxy(t, w, p.URL())
				require.Len(t, p.Targets(), 2, "one for each connection")
			})
		})
	}
}

// testThroughProxy follows a feed through the proxy, breaks it, and follows on.
func testThroughProxy(t *testing.T, w world, proxy *url.URL) {
	s := w.exchange(t, exchange.Config{Rate: 500})
	f := newTrades(s, "/ws/btcusdt@trade")
	f.Options.Stream.Proxy = stream.ProxyURL(proxy)
	_, err := reactor.Register(w.reactor(t), f)
	require.NoError(t, err)
	waitFor(t, "20 trades", func() bool { n, _, _, _ := f.seen(); return n >= 20 })
	_, err = s.Inject(exchange.Fault{Kind: exchange.FIN}, exchange.Selector{})
	require.NoError(t, err)
	waitFor(t, "trades on a second connection", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.opens == 2 && f.last > f.first
	})
	_, gaps, _, losses := f.seen()
	require.Zero(t, gaps)
	require.Equal(t, 1, losses)
	require.Equal(t, endpoint.Open, f.loss(0).Phase, f.loss(0).Error())
}

// What a proxy refuses is a loss that says so, and says no password.
func TestAProxyThatRefusesIsALossThatSaysSo(t *testing.T) {
	for _, scheme := range []string{"http", "socks5h"} {
		t.Run(scheme, func(t *testing.T) {
			p := fakeproxy.Start(t, fakeproxy.Config{Scheme: scheme, User: "desk", Password: "open sesame"})
			wrong := p.URL()
			wrong.User = url.UserPassword("desk", "swordfish")
			testRefusedByProxy(t, wrong)
		})
	}
}

func testRefusedByProxy(t *testing.T, proxy *url.URL) {
	w := world{}
	f := newTrades(w.exchange(t, exchange.Config{}), "/ws/btcusdt@trade")
	f.Options.Stream.Proxy = stream.ProxyURL(proxy)
	f.stopped = true
	_, err := reactor.Register(w.reactor(t), f)
	require.NoError(t, err)
	waitFor(t, "a loss", func() bool { _, _, _, n := f.seen(); return n == 1 })
	loss := f.loss(0)
	require.Equal(t, endpoint.Connecting, loss.Phase)
	require.ErrorIs(t, loss, stream.ErrProxyAuth)
	var refused *stream.ProxyError
	require.ErrorAs(t, loss, &refused)
	require.NotContains(t, loss.Error(), "swordfish")
	require.NotContains(t, loss.Summary(), "swordfish")
}
