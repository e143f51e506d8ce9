package system

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// TestAPeerThatFallsSilentIsNoticed stalls a connection without closing it: only
// a heartbeat, or the age of the data, can tell.
func TestAPeerThatFallsSilentIsNoticed(t *testing.T) {
	for name, tc := range map[string]struct {
		policy func(patience time.Duration) endpoint.Policy
		want   error
	}{
		"pings never answered": {func(d time.Duration) endpoint.Policy { return endpoint.Policy{PingInterval: d / 2, PongTimeout: d} }, endpoint.ErrPongTimeout},
		"no data":              {func(d time.Duration) endpoint.Policy { return endpoint.Policy{StaleAfter: 2 * d} }, endpoint.ErrStaleFeed},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, w world) {
				s := w.exchange(t, exchange.Config{Rate: 200})
				r := w.reactor(t)
				// On a slow machine a healthy connection may look silent for a while: then
				// the endpoint is one with more patience.
				for patience := 100 * time.Millisecond; ; patience *= 2 {
					f := newTrades(s, "/ws/btcusdt@trade")
					f.Policy = tc.policy(patience)
					f.Policy.FirstDelay = time.Millisecond
					h, err := reactor.Register(r, f)
					require.NoError(t, err)
					waitFor(t, "100 trades", func() bool { n, _, _, _ := f.seen(); return n >= 100 })
					if _, _, opens, _ := f.seen(); opens > 1 {
						require.Less(t, patience, 5*time.Second, "a healthy connection lives")
						require.NoError(t, reactor.Deregister(r, h))
						continue
					}
					_, err = s.Inject(exchange.Fault{Kind: exchange.Stall}, exchange.Selector{})
					require.NoError(t, err)
					waitFor(t, "data on a new connection", func() bool {
						f.mu.Lock()
						defer f.mu.Unlock()
						return f.opens >= 2 && f.last > 0
					})
					require.ErrorIs(t, f.loss(0), tc.want)
					return
				}
			})
		})
	}
}

func TestHeartbeatsMeasureTheRoundTrip(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{})
		r := w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade")
		f.Policy.PingInterval = 10 * time.Millisecond
		h, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "a pong", func() bool {
			var took time.Duration
			err := reactor.Call(t.Context(), r, h, func(f *trades, _ *ws.Conn) error { took = f.RoundTrip(); return nil })
			require.NoError(t, err)
			return took > 0 && took < time.Second
		})
	})
}

// union collects the numbers of a stream over all connections.
type union struct {
	trades
	seen map[uint64]uint32 // the connection that brought it first
	ids  map[uint32]int    // messages by connection
	both int               // numbers that came twice
	lock sync.Mutex
}

func (f *union) OnData(c *ws.Conn) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		seq, err := sequence(m.Payload)
		if err != nil {
			return err
		}
		if _, dup := f.seen[seq]; dup {
			f.both++
		} else {
			f.seen[seq] = c.ID()
		}
		f.ids[c.ID()]++
	}
	return c.Err()
}

// TestARenewalUnderARunningFeedMissesNothing renews a connection several times:
// the union of the sequence numbers over all connections is complete.
func TestARenewalUnderARunningFeedMissesNothing(t *testing.T) {
	for _, ready := range []bool{false, true} {
		t.Run(fmt.Sprintf("ready=%t", ready), func(t *testing.T) {
			bothWays(t, func(t *testing.T, w world) {
				s := w.exchange(t, exchange.Config{Rate: 5000})
				r := w.reactor(t)
				f := &union{trades: *newTrades(s, "/ws/btcusdt@trade"), seen: map[uint64]uint32{}, ids: map[uint32]int{}}
				f.Policy.TimeToLive, f.Policy.Overlap = 150*time.Millisecond, 50*time.Millisecond
				if ready {
					f.Policy.Overlap = time.Hour
					f.onOpen = func(c *ws.Conn) error { c.Ready(); return nil }
				}
				h, err := reactor.Register(r, f)
				require.NoError(t, err)
				waitFor(t, "data over five connections", func() bool {
					f.lock.Lock()
					defer f.lock.Unlock()
					return len(f.ids) >= 5 && f.ids[5] > 0
				})
				require.NoError(t, reactor.Deregister(r, h))
				waitFor(t, "the end", func() bool { _, err := r.Lookup(h.ID()); return errors.Is(err, reactor.ErrStale) })
				f.lock.Lock()
				defer f.lock.Unlock()
				var first, last uint64
				for seq := range f.seen {
					if first == 0 || seq < first {
						first = seq
					}
					last = max(last, seq)
				}
				require.Len(t, f.seen, int(last-first+1), "no number is missing from %d to %d", first, last)
				if !ready {
					require.Positive(t, f.both, "both connections deliver during the overlap")
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				require.LessOrEqual(t, len(f.losses), 2, "only the end of what stood at the end is a loss")
			})
		})
	}
}

func TestAnEndpointCanBeRegisteredAnew(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 500})
		r := w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade")
		for round := 1; round <= 3; round++ {
			h, err := reactor.Register(r, f)
			require.NoError(t, err)
			_, err = reactor.Register(r, f)
			require.ErrorContains(t, err, "registered already")
			waitFor(t, "data", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.opens == round && f.last > 0 })
			require.NoError(t, reactor.Deregister(r, h))
			waitFor(t, "the end", func() bool { _, err := r.Lookup(h.ID()); return errors.Is(err, reactor.ErrStale) })
		}
	})
}

// TestACloseBegunAnywhereHasADeadline closes a connection by Dispatch while the
// peer says nothing any more.
func TestACloseBegunAnywhereHasADeadline(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 500})
		r := w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade")
		f.Options.CloseTimeout = 100 * time.Millisecond
		h, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "data", func() bool { n, _, _, _ := f.seen(); return n > 0 })
		_, err = s.Inject(exchange.Fault{Kind: exchange.Stall}, exchange.Selector{})
		require.NoError(t, err)
		require.NoError(t, reactor.Dispatch(r, h, func(_ *trades, c *ws.Conn) { c.Close(1000, "enough") }))
		waitFor(t, "the loss", func() bool { _, _, _, n := f.seen(); return n == 1 })
		require.ErrorIs(t, f.loss(0), ws.ErrCloseTimeout)
	})
}
