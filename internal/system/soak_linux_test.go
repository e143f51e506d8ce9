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
	sequences
	stream string
	calm   *atomic.Bool                  // no renewals: the test wants to measure
	relay  func(conn uint32, seq uint64) // is told of each trade; may be nil

	opens   int64
	losses  int64
	answers int64 // to requests, over all connections
	asked   int64 // requests on the youngest connection that are not answered yet
}

// sequences are the numbers of a stream's trades, by connection.
type sequences struct {
	current uint32                // id of the youngest open connection
	conns   map[uint32]soakedConn // by id; two while one renews the other
	trades  int64                 // over all connections
	gap     string
}

type soakedConn struct{ count, last uint64 }

// begin is the opening of a connection.
func (s *sequences) begin(conn uint32) {
	// Ids go up. The one before may still deliver, the one before that is gone.
	for id := range s.conns {
		if id < s.current {
			delete(s.conns, id)
		}
	}
	if s.conns == nil {
		s.conns = make(map[uint32]soakedConn)
	}
	s.current = conn
	s.conns[conn] = soakedConn{}
}

// got is a trade.
func (s *sequences) got(conn uint32, seq uint64) {
	n := s.conns[conn]
	if n.count > 0 && seq != n.last+1 {
		s.gap = fmt.Sprintf("connection %d: %d follows %d", conn, seq, n.last)
	}
	s.conns[conn] = soakedConn{n.count + 1, seq}
	s.trades++
}

func (f *soaked) OnOpen(c *ws.Conn) error {
	f.opens++
	f.asked = 0
	f.begin(c.ID())
	return nil
}

func (f *soaked) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		if bytes.HasPrefix(m.Payload, []byte(`{"result":`)) {
			f.answers++
			if c.ID() == f.current {
				f.asked--
			}
			continue
		}
		seq, err := sequence(m.Payload)
		if err != nil {
			return err
		}
		f.got(c.ID(), seq)
		if f.relay != nil {
			f.relay(c.ID(), seq)
		}
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
	reactor, path                  string
	renews                         bool
	opens, losses, trades, answers int64
	asked                          int64
	onCurrent                      uint64
	gap                            string
}

// soaking is a soak under way: endpoints on one reactor or more, an exchange that
// misbehaves.
type soaking struct {
	*testing.T
	exchange *exchange.Server
	reactors []*reactor.Reactor
	handles  []reactor.Handle[*soaked] // that of endpoint i is of reactor i modulo their number
	calm     atomic.Bool
	random   *rand.Rand
	least    int // connections that stand, else nothing more is broken
	faults   int
}

// newSoaking registers endpoints and waits until they are open. prepare may change
// each; nil: none.
func newSoaking(t *testing.T, s *exchange.Server, reactors []*reactor.Reactor, endpoints int, prepare func(i int, f *soaked)) *soaking {
	k := &soaking{T: t, exchange: s, reactors: reactors, random: rand.New(rand.NewPCG(7, 11))}
	k.calm.Store(true)
	for i := range endpoints {
		name := fmt.Sprintf("sym%dusdt@trade", i)
		f := &soaked{
			WebSocket: endpoint.WebSocket{URL: s.URL() + "/ws/" + name, Options: options(s), Policy: endpoint.Policy{
				FirstDelay: 10 * time.Millisecond, MaxDelay: 200 * time.Millisecond, UpgradeTimeout: time.Second,
				// A stalled connection answers no ping.
				PingInterval: time.Second, PongTimeout: 5 * time.Second,
				// Longer than the quiet at the end lasts.
				StaleAfter: time.Minute,
			}},
			stream: name, calm: &k.calm,
		}
		if i/len(reactors)%2 == 0 {
			f.Policy.TimeToLive, f.Policy.Overlap = 3*time.Second, 300*time.Millisecond
		}
		if prepare != nil {
			prepare(i, f)
		}
		h, err := reactor.Register(reactors[i%len(reactors)], f)
		require.NoError(t, err)
		k.handles = append(k.handles, h)
	}
	k.settle()
	return k
}

// settle waits until every endpoint has its one connection, and the exchange knows
// of no other.
func (k *soaking) settle() {
	k.wait("all open", func() bool {
		for _, r := range k.reactors {
			for _, i := range r.Endpoints() {
				if i.State != endpoint.Open {
					return false
				}
			}
		}
		return k.exchange.Stats().Open == len(k.handles) && len(k.exchange.Connections()) == len(k.handles)
	}, k.standing)
}

// soakPatience is for a machine that has little time for a thousand handshakes.
const soakPatience = 2 * time.Minute

func (k *soaking) wait(what string, f func() bool, more ...func() string) {
	k.Helper()
	waitUpTo(k.T, soakPatience, what, f, more...)
}

// standing says how the endpoints stand.
func (k *soaking) standing() string {
	states := make(map[string]int)
	for _, r := range k.reactors {
		for _, i := range r.Endpoints() {
			states[i.State.String()]++
			if i.State != endpoint.Open && i.Loss != nil {
				states["lost by "+i.Loss.Summary()]++
			}
		}
	}
	return fmt.Sprintf("endpoints: %v; the exchange has %d connections, %d WebSockets", states, k.exchange.Stats().Open, len(k.exchange.Connections()))
}

// round breaks things for a while, and waits until all is open again.
func (k *soaking) round(length time.Duration) {
	k.calm.Store(false)
	k.faults += breakThings(k.T, k.exchange, k.random, len(k.handles), k.least, length)
	k.calm.Store(true)
	k.settle()
}

// notGrownSince waits until there are no more goroutines, descriptors and bytes than
// before, but for what a heap measured twice differs by.
func (k *soaking) notGrownSince(before footprint) (after footprint) {
	// The reactor and the exchange hand back what a connection held a moment
	// after it is gone.
	k.wait("no more goroutines, descriptors and bytes than before", func() bool {
		after = measure()
		return after.goroutines <= before.goroutines && after.descriptors <= before.descriptors &&
			after.heap <= before.heap+before.heap/50+1<<20
	}, func() string { return fmt.Sprintf("before %+v, after %+v", before, after) })
	k.Logf("before %+v, after %+v", before, after)
	return after
}

// quieten ends the flow of data: then both sides can be compared to the message. It
// returns what is known of the endpoints when they agree. A connection that is lost
// just now subscribes again by its path, so this asks again.
func (k *soaking) quieten() (all []soakedInfo) {
	difference := ""
	k.wait("both sides to agree", func() bool {
		conns := k.exchange.Connections()
		subscribed := make(map[string]bool)
		for _, c := range conns {
			for _, name := range c.Streams {
				subscribed[name] = true
			}
		}
		if len(subscribed) > 0 {
			difference = fmt.Sprintf("%d streams are still subscribed", len(subscribed))
			for _, r := range k.reactors {
				require.NoError(k, reactor.Each(r, func(_ reactor.Info, p endpoint.Protocol) {
					// Not connected: the next round asks the next connection.
					if f := p.(*soaked); subscribed[f.stream] && f.asked == 0 &&
						f.Conn().WriteString(`{"method":"UNSUBSCRIBE","params":["`+f.stream+`"],"id":1}`) == nil {
						f.asked++
					}
				}))
			}
			time.Sleep(50 * time.Millisecond)
			return false
		}
		all = k.snapshot()
		difference = disagreement(all, conns)
		return difference == ""
	}, func() string { return difference })
	return all
}

// soakedTotals are sums over the endpoints.
type soakedTotals struct{ opens, losses, messages, handled, trades, onCurrent int64 }

// total checks what each endpoint says of itself, and adds up.
func (k *soaking) total(all []soakedInfo) (n soakedTotals) {
	require.Len(k, all, len(k.handles))
	for _, e := range all {
		require.Empty(k, e.gap, "%s: a connection brings its numbers without a gap", e.path)
		require.Equal(k, e.Info.Opens, e.opens, "%s: opens", e.path)
		require.Equal(k, e.Info.Losses, e.losses, "%s: losses", e.path)
		require.Equal(k, e.Info.Messages, e.trades+e.answers, "%s: the reactor counts what the handler saw", e.path)
		if !e.renews {
			require.Equal(k, int64(e.Conn), e.losses+1, "%s: each connection but the last was lost once", e.path)
		}
		n.opens, n.losses, n.messages, n.trades = n.opens+e.opens, n.losses+e.losses, n.messages+e.Info.Messages, n.trades+e.trades
		n.handled, n.onCurrent = n.handled+e.trades+e.answers, n.onCurrent+int64(e.onCurrent)
	}
	st := k.exchange.Stats()
	require.Positive(k, k.faults)
	require.GreaterOrEqual(k, n.losses, int64(k.faults/4))
	require.LessOrEqual(k, n.opens, int64(st.Upgrades))
	require.LessOrEqual(k, n.trades, int64(st.Sent))
	return n
}

// end deregisters all.
func (k *soaking) end() {
	for i, h := range k.handles {
		require.NoError(k, reactor.Deregister(k.reactors[i%len(k.reactors)], h))
	}
	k.wait("all gone", func() bool {
		for _, r := range k.reactors {
			if len(r.Endpoints()) > 0 {
				return false
			}
		}
		return k.exchange.Stats().Open == 0
	})
}

func soak(t *testing.T, w world, endpoints int, length time.Duration) {
	s := w.exchange(t, exchange.Config{Rate: 10})
	k := newSoaking(t, s, []*reactor.Reactor{w.reactor(t)}, endpoints, nil)
	k.round(length / 4) // fills the pools and the buffers on both sides
	before := measure()
	k.round(length)
	k.notGrownSince(before)
	n := k.total(k.quieten())
	st := s.Stats()
	t.Logf("%d faults; reactor: %d opens, %d losses, %d messages (handlers: %d); exchange: %d upgrades, %d messages sent, of which %d reached a handler, the rest were under way on connections that broke",
		k.faults, n.opens, n.losses, n.messages, n.handled, st.Upgrades, st.Sent, n.trades)
	k.end()
}

// breakThings injects faults for a while and returns how many met a connection. It
// breaks nothing while there are fewer than least connections.
func breakThings(t *testing.T, s *exchange.Server, random *rand.Rand, endpoints, least int, length time.Duration) (faults int) {
	kinds := []exchange.Kind{
		exchange.Close, exchange.FIN, exchange.RST, exchange.Stall, exchange.Split, exchange.Garbage,
		exchange.BadOpcode, exchange.BadUTF8, exchange.BadOversize, exchange.BadUnfinished,
	}
	upgrades := []exchange.Fault{
		{Kind: exchange.Refuse, Code: 503}, {Kind: exchange.UpgradeGarbage}, {Kind: exchange.UpgradeDrop},
		{Kind: exchange.UpgradeHang}, {Kind: exchange.UpgradeAccept},
	}
	for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(time.Duration(random.IntN(int(20 * time.Millisecond)))) {
		conns := s.Connections()
		if len(conns) < max(least, 1) {
			continue
		}
		if random.IntN(4) == 0 {
			_, err := s.Inject(upgrades[random.IntN(len(upgrades))], exchange.Selector{Next: 1 + random.IntN(3)})
			require.NoError(t, err)
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

// snapshot reads all endpoints of each reactor at one moment, on the reactor.
func (k *soaking) snapshot() (all []soakedInfo) {
	for _, r := range k.reactors {
		require.NoError(k, reactor.Each(r, func(i reactor.Info, p endpoint.Protocol) {
			f := p.(*soaked)
			all = append(all, soakedInfo{
				i, r.Name(), "/ws/" + f.stream, f.Policy.TimeToLive > 0,
				f.opens, f.losses, f.trades, f.answers, f.asked, f.conns[f.current].count, f.gap,
			})
		}))
		k.sync(r) // messages of one goroutine are handled in order
	}
	return all
}

// sync waits until r has done what it was asked for.
func (k *soaking) sync(r *reactor.Reactor) {
	ctx, cancel := context.WithTimeout(context.Background(), soakPatience)
	defer cancel()
	require.NoError(k, r.Sync(ctx))
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
		if e.asked != 0 {
			return fmt.Sprintf("%s: an answer is still under way", e.path)
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
