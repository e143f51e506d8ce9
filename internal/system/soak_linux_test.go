package system

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// The soak test is short by default. `make soak` runs it in full: a thousand
// endpoints for a minute. BOOMNET_SOAK_ENDPOINTS and BOOMNET_SOAK_TIME set it.
func soakSize(t *testing.T) (endpoints int, length time.Duration) {
	endpoints, length = 200, 2*time.Second
	if v := os.Getenv("BOOMNET_SOAK_ENDPOINTS"); v != "" {
		n, err := strconv.Atoi(v)
		require.NoError(t, err)
		endpoints = n
	}
	if v := os.Getenv("BOOMNET_SOAK_TIME"); v != "" {
		d, err := time.ParseDuration(v)
		require.NoError(t, err)
		length = d
	}
	return endpoints, length
}

// TestManyEndpointsUnderRandomFaults breaks connections and upgrades at random,
// with a seed, and then looks whether everything is as it was before:
//
//   - every endpoint is open, none has seen a gap within a connection;
//   - what the handlers counted is what the reactor counted, and on each connection
//     that stands exactly what the exchange sent on it;
//   - not a goroutine, a descriptor or a byte more than before the faults, but for
//     what a heap measured twice differs by.
func TestManyEndpointsUnderRandomFaults(t *testing.T) {
	endpoints, length := soakSize(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) { soak(t, world{secure: secure}, endpoints, length) })
	}
}

// soaked follows one stream. All of it but calm is touched on the reactor only;
// the test reads it there too, by reactor.Each.
type soaked struct {
	endpoint.WebSocket
	stream string
	calm   *atomic.Bool // no renewals: the test wants to measure

	current uint32                // id of the youngest open connection
	conns   map[uint32]soakedConn // by id; two while one renews the other
	opens   int64
	losses  int64
	trades  int64 // over all connections
	answers int64 // to requests, likewise
	gap     string
}

type soakedConn struct{ count, last uint64 }

func (f *soaked) OnOpen(c *ws.Conn) error {
	f.opens++
	// Ids go up. The one before may still deliver, the one before that is gone.
	for id := range f.conns {
		if id < f.current {
			delete(f.conns, id)
		}
	}
	f.current = c.ID()
	f.conns[f.current] = soakedConn{}
	return nil
}

func (f *soaked) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		if bytes.HasPrefix(m.Payload, []byte(`{"result":`)) {
			f.answers++
			continue
		}
		seq, err := sequence(m.Payload)
		if err != nil {
			return err
		}
		n := f.conns[c.ID()]
		if n.count > 0 && seq != n.last+1 {
			f.gap = fmt.Sprintf("connection %d: %d follows %d", c.ID(), seq, n.last)
		}
		f.conns[c.ID()] = soakedConn{n.count + 1, seq}
		f.trades++
	}
	return c.Err()
}

func (f *soaked) OnLoss(*endpoint.LossError) endpoint.Action {
	f.losses++
	return endpoint.Reconnect
}

func (f *soaked) OnExpire() time.Duration {
	if f.calm.Load() {
		return 100 * time.Millisecond
	}
	return 0
}

// soakedInfo is what is known of an endpoint at one moment.
type soakedInfo struct {
	reactor.Info
	path                           string
	opens, losses, trades, answers int64
	onCurrent                      uint64
	gap                            string
}

func soak(t *testing.T, w world, endpoints int, length time.Duration) {
	s := w.exchange(t, exchange.Config{Rate: 10})
	r := w.reactor(t)
	var calm atomic.Bool
	handles := make([]reactor.Handle[*soaked], endpoints)
	for i := range handles {
		name := fmt.Sprintf("sym%dusdt@trade", i)
		f := &soaked{
			WebSocket: endpoint.WebSocket{URL: s.URL() + "/ws/" + name, Options: options(s), Policy: endpoint.Policy{
				FirstDelay: 10 * time.Millisecond, MaxDelay: 200 * time.Millisecond, UpgradeTimeout: time.Second,
				// A stalled connection answers no ping.
				PingInterval: time.Second, PongTimeout: 5 * time.Second,
				// Longer than the quiet at the end lasts.
				StaleAfter: time.Minute,
			}},
			stream: name, calm: &calm, conns: map[uint32]soakedConn{},
		}
		if i%2 == 0 {
			f.Policy.TimeToLive, f.Policy.Overlap = 3*time.Second, 300*time.Millisecond
		}
		h, err := reactor.Register(r, f)
		require.NoError(t, err)
		handles[i] = h
	}
	// settled: every endpoint has its one connection, and the exchange knows of no other.
	settled := func() bool {
		for _, i := range r.Endpoints() {
			if i.State != endpoint.Open {
				return false
			}
		}
		return s.Stats().Open == endpoints && len(s.Connections()) == endpoints
	}
	calm.Store(true)
	waitFor(t, "all open", settled)

	// A first round fills the pools and the buffers on both sides.
	random := rand.New(rand.NewPCG(7, 11))
	calm.Store(false)
	faults := breakThings(t, s, random, endpoints, length/4)
	calm.Store(true)
	waitFor(t, "all open after the first round", settled)
	before := measure()

	calm.Store(false)
	faults += breakThings(t, s, random, endpoints, length)
	calm.Store(true)
	waitFor(t, "all open", settled)
	// The reactor and the exchange hand back what a connection held a moment
	// after it is gone.
	var after footprint
	waitFor(t, "no more goroutines, descriptors and bytes than before", func() bool {
		after = measure()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors &&
			after.heap <= before.heap+before.heap/50+1<<20
	}, func() string { return fmt.Sprintf("before %+v, after %+v", before, after) })
	t.Logf("before %+v, after %+v", before, after)

	// Without data both sides can be compared to the message. A connection that
	// is lost just now subscribes again by its path, so this asks again.
	var all []soakedInfo
	difference := ""
	waitFor(t, "both sides to agree", func() bool {
		conns := s.Connections()
		subscribed := make(map[string]bool)
		for _, c := range conns {
			for _, name := range c.Streams {
				subscribed[name] = true
			}
		}
		if len(subscribed) > 0 {
			difference = fmt.Sprintf("%d streams are still subscribed", len(subscribed))
			require.NoError(t, reactor.Each(r, func(_ reactor.Info, p endpoint.Protocol) {
				if f := p.(*soaked); subscribed[f.stream] {
					// Not connected: the next round asks the next connection.
					_ = f.Conn().WriteString(`{"method":"UNSUBSCRIBE","params":["` + f.stream + `"],"id":1}`)
				}
			}))
			time.Sleep(50 * time.Millisecond)
			return false
		}
		all = snapshot(t, r, handles[0])
		difference = disagreement(all, conns)
		return difference == ""
	}, func() string { return difference })

	var opens, losses, messages, handled, trades int64
	for i, e := range all {
		require.Empty(t, e.gap, "endpoint %d: a connection brings its numbers without a gap", i)
		require.Equal(t, e.Info.Opens, e.opens, "endpoint %d: opens", i)
		require.Equal(t, e.Info.Losses, e.losses, "endpoint %d: losses", i)
		require.Equal(t, e.Info.Messages, e.trades+e.answers, "endpoint %d: the reactor counts what the handler saw", i)
		if i%2 != 0 {
			require.Equal(t, int64(e.Conn), e.losses+1, "endpoint %d: each connection but the last was lost once", i)
		}
		opens, losses, messages, trades = opens+e.opens, losses+e.losses, messages+e.Info.Messages, trades+e.trades
		handled += e.trades + e.answers
	}
	st := s.Stats()
	t.Logf("%d faults; reactor: %d opens, %d losses, %d messages (handlers: %d); exchange: %d upgrades, %d messages sent, of which %d reached a handler, the rest were under way on connections that broke",
		faults, opens, losses, messages, handled, st.Upgrades, st.Sent, trades)
	require.Positive(t, faults)
	require.GreaterOrEqual(t, losses, int64(faults/4))
	require.LessOrEqual(t, opens, int64(st.Upgrades))
	require.LessOrEqual(t, trades, int64(st.Sent))

	for _, h := range handles {
		require.NoError(t, reactor.Deregister(r, h))
	}
	waitFor(t, "all gone", func() bool { return len(r.Endpoints()) == 0 && s.Stats().Open == 0 })
}

// breakThings injects faults for a while and returns how many met a connection.
func breakThings(t *testing.T, s *exchange.Server, random *rand.Rand, endpoints int, length time.Duration) (faults int) {
	kinds := []exchange.Kind{
		exchange.Close, exchange.FIN, exchange.RST, exchange.Stall, exchange.Split, exchange.Garbage,
		exchange.BadOpcode, exchange.BadUTF8, exchange.BadOversize, exchange.BadUnfinished,
	}
	upgrades := []exchange.Fault{
		{Kind: exchange.Refuse, Code: 503}, {Kind: exchange.UpgradeGarbage}, {Kind: exchange.UpgradeDrop},
		{Kind: exchange.UpgradeHang}, {Kind: exchange.UpgradeAccept},
	}
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(time.Duration(random.IntN(int(20 * time.Millisecond)))) {
		if random.IntN(4) == 0 {
			_, err := s.Inject(upgrades[random.IntN(len(upgrades))], exchange.Selector{Next: 1 + random.IntN(3)})
			require.NoError(t, err)
		}
		conns := s.Connections()
		if len(conns) == 0 {
			continue
		}
		for range 1 + random.IntN(endpoints/20+1) {
			kind := kinds[random.IntN(len(kinds))]
			n, err := s.Inject(exchange.Fault{Kind: kind, For: time.Millisecond}, exchange.Selector{ID: conns[random.IntN(len(conns))].ID})
			require.NoError(t, err)
			faults += n
		}
	}
	return faults
}

// snapshot reads all endpoints at one moment, on the reactor.
func snapshot(t *testing.T, r *reactor.Reactor, h reactor.Handle[*soaked]) (all []soakedInfo) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, reactor.Each(r, func(i reactor.Info, p endpoint.Protocol) {
		f := p.(*soaked)
		all = append(all, soakedInfo{i, "/ws/" + f.stream, f.opens, f.losses, f.trades, f.answers, f.conns[f.current].count, f.gap})
	}))
	// Messages of one goroutine are handled in order: this one waits for the one before.
	require.NoError(t, reactor.Call(ctx, r, h, func(*soaked, *ws.Conn) error { return nil }))
	return all
}

// disagreement says where the endpoints and the exchange differ; "": nowhere.
func disagreement(all []soakedInfo, conns []exchange.Connection) string {
	sent := make(map[string]exchange.Connection, len(conns))
	for _, c := range conns {
		if _, twice := sent[c.Path]; twice {
			return "two connections for " + c.Path
		}
		sent[c.Path] = c
	}
	for _, e := range all {
		if c, ok := sent[e.path]; !ok || c.Messages != e.onCurrent {
			return fmt.Sprintf("%s: exchange (connected: %t) sent %d, connection %d received %d", e.path, ok, c.Messages, e.Conn, e.onCurrent)
		}
	}
	return ""
}

type footprint struct {
	goroutines, descriptors int
	heap                    uint64
}

func measure() footprint {
	runtime.GC()
	runtime.GC() // the first one only moves what pools hold aside
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fds, _ := os.ReadDir("/proc/self/fd")
	return footprint{runtime.NumGoroutine(), len(fds), m.HeapAlloc}
}
