package system

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// The exchange of the soak test has two goroutines for each connection.
func TestMain(m *testing.M) { leak.MainThreads(m, 400) }

// patience bounds every wait of these tests; none of them needs it.
const patience = time.Minute

// bothWays runs f over plain TCP and over TLS, with both selectors.
func bothWays(t *testing.T, f func(t *testing.T, w world)) {
	for _, secure := range []bool{false, true} {
		for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
			name := "plain/" + sel.String()
			if secure {
				name = "tls/" + sel.String()
			}
			t.Run(name, func(t *testing.T) { f(t, world{secure: secure, sel: sel}) })
		}
	}
}

// world is how a test is set up.
type world struct {
	secure bool
	sel    selector.Kind
}

func (w world) exchange(t *testing.T, cfg exchange.Config) *exchange.Server {
	if w.secure && cfg.TLS == nil {
		cfg.TLS = &exchange.TLS{}
	}
	s, err := exchange.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// reactor runs a reactor for the length of the test.
func (w world) reactor(t *testing.T, change ...func(*reactor.Config)) *reactor.Reactor {
	cfg := reactor.Config{Selector: w.sel}
	// These tests connect to one host more often than any venue would like.
	cfg.Seams.Limiter, _ = endpoint.NewHostLimiter(1_000_000, 1_000_000)
	for _, f := range change {
		f(&cfg)
	}
	r, err := reactor.New(cfg)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- r.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, <-done)
	})
	return r
}

func options(s *exchange.Server) ws.Options {
	var o ws.Options
	if ca := s.CA(); ca != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		o.Stream.TLS = &tls.Config{RootCAs: pool}
	}
	return o
}

// trades follows one stream of trades and checks that each connection brings
// its numbers without a gap.
type trades struct {
	endpoint.WebSocket
	onTrade func(seq uint64) error
	onOpen  func(c *ws.Conn) error

	mu      sync.Mutex
	first   uint64 // of the present connection
	last    uint64
	total   int
	gaps    int
	opens   int
	losses  []*endpoint.LossError
	stopped bool // answer Stop
}

func newTrades(s *exchange.Server, path string) *trades {
	return &trades{WebSocket: endpoint.WebSocket{URL: s.URL() + path, Options: options(s), Policy: endpoint.Policy{MaxDelay: 200 * time.Millisecond}}}
}

func (f *trades) OnOpen(c *ws.Conn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opens++
	f.first, f.last = 0, 0
	if f.onOpen != nil {
		return f.onOpen(c)
	}
	return nil
}

func (f *trades) OnData(c *ws.Conn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		seq, err := sequence(m.Payload)
		if err != nil {
			return err
		}
		if f.last == 0 {
			f.first = seq
		} else if seq != f.last+1 {
			f.gaps++
		}
		f.last = seq
		f.total++
		if f.onTrade != nil {
			if err := f.onTrade(seq); err != nil {
				return err
			}
		}
	}
	return c.Err()
}

func (f *trades) OnLoss(e *endpoint.LossError) endpoint.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.losses = append(f.losses, e)
	if f.stopped {
		return endpoint.Stop
	}
	return endpoint.Reconnect
}

func (f *trades) seen() (total, gaps, opens, losses int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.total, f.gaps, f.opens, len(f.losses)
}

func (f *trades) loss(i int) *endpoint.LossError {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.losses[i]
}

// sequence finds "t":NUMBER.
func sequence(p []byte) (uint64, error) {
	_, after, ok := bytes.Cut(p, []byte(`"t":`))
	if !ok {
		return 0, fmt.Errorf("no trade id in %q", p)
	}
	end := bytes.IndexAny(after, ",}")
	if end < 0 {
		return 0, errors.New("a trade id without an end")
	}
	return strconv.ParseUint(string(after[:end]), 10, 64)
}

// waitFor waits until f holds; more says what there was instead.
func waitFor(t *testing.T, what string, f func() bool, more ...func() string) {
	t.Helper()
	waitUpTo(t, patience, what, f, more...)
}

// waitUpTo is waitFor with another bound.
func waitUpTo(t *testing.T, limit time.Duration, what string, f func() bool, more ...func() string) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !f() {
		if time.Now().After(deadline) {
			for _, say := range more {
				t.Log(say())
			}
			t.Fatalf("waited %v for %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
