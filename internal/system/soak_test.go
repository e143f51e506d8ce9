package system

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
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
// with a seed, and then looks whether everything is as it was before: all
// endpoints open, every connection without a gap, the counters in agreement with
// each other and with the exchange, and not a goroutine, a descriptor or memory
// more.
func TestManyEndpointsUnderRandomFaults(t *testing.T) {
	endpoints, length := soakSize(t)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			w := world{secure: secure}
			s := w.exchange(t, exchange.Config{Rate: 10})
			r := w.reactor(t)
			all := make([]*trades, endpoints)
			handles := make([]reactor.Handle[*trades], endpoints)
			for i := range all {
				f := newTrades(s, fmt.Sprintf("/ws/sym%dusdt@trade", i))
				f.Policy = endpoint.Policy{
					FirstDelay: 10 * time.Millisecond, MaxDelay: 200 * time.Millisecond,
					UpgradeTimeout: time.Second, StaleAfter: 5 * time.Second,
					PingInterval: time.Second, PongTimeout: 5 * time.Second,
				}
				if i%2 == 0 {
					f.Policy.TimeToLive, f.Policy.Overlap = 3*time.Second, 300*time.Millisecond
				}
				h, err := reactor.Register(r, f)
				require.NoError(t, err)
				all[i], handles[i] = f, h
			}
			open := func() bool {
				for _, i := range r.Endpoints() {
					if i.State != endpoint.Open {
						return false
					}
				}
				return true
			}
			waitFor(t, "all open", open)
			before := measure()

			random := rand.New(rand.NewPCG(7, 11))
			kinds := []exchange.Kind{
				exchange.Close, exchange.FIN, exchange.RST, exchange.Stall, exchange.Split, exchange.Garbage,
				exchange.BadOpcode, exchange.BadUTF8, exchange.BadOversize, exchange.BadUnfinished,
			}
			upgrades := []exchange.Fault{
				{Kind: exchange.Refuse, Code: 503}, {Kind: exchange.UpgradeGarbage}, {Kind: exchange.UpgradeDrop},
				{Kind: exchange.UpgradeHang}, {Kind: exchange.UpgradeAccept},
			}
			faults := 0
			for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(time.Duration(random.IntN(int(20 * time.Millisecond)))) {
				if random.IntN(4) == 0 {
					_, err := s.Inject(upgrades[random.IntN(len(upgrades))], exchange.Selector{Next: 1 + random.IntN(3)})
					require.NoError(t, err)
				}
				for range 1 + random.IntN(endpoints/20+1) {
					conns := s.Connections()
					if len(conns) == 0 {
						continue
					}
					kind := kinds[random.IntN(len(kinds))]
					n, err := s.Inject(exchange.Fault{Kind: kind, For: time.Millisecond}, exchange.Selector{ID: conns[random.IntN(len(conns))].ID})
					require.NoError(t, err)
					faults += n
				}
			}

			// Faults that still wait for an upgrade go first; then everybody must
			// be open and up to date.
			waitFor(t, "all open and up to date", func() bool {
				if !open() {
					return false
				}
				streams := s.Stats().Streams
				for i, f := range all {
					f.mu.Lock()
					last := f.last
					f.mu.Unlock()
					if last+20 < streams[fmt.Sprintf("sym%dusdt@trade", i)].Last {
						return false
					}
				}
				return true
			})
			var opens, losses, messages, counted int64
			for i, f := range all {
				info, err := r.Lookup(handles[i].ID())
				require.NoError(t, err)
				opens, losses, messages = opens+info.Opens, losses+info.Losses, messages+info.Messages
				f.mu.Lock()
				counted += int64(f.total)
				if f.Policy.TimeToLive == 0 {
					require.Zero(t, f.gaps, "endpoint %d: a connection brings its numbers without a gap", i)
					require.Equal(t, int64(info.Conn), info.Losses+1, "endpoint %d: each connection but the last was lost once", i)
					require.Len(t, f.losses, int(info.Losses))
					require.Equal(t, int64(f.opens), info.Opens)
				}
				f.mu.Unlock()
			}
			st := s.Stats()
			t.Logf("%d faults; %d opens, %d losses, %d messages; exchange: %d upgrades, %d messages", faults, opens, losses, messages, st.Upgrades, st.Messages)
			require.Positive(t, faults)
			require.GreaterOrEqual(t, losses, int64(faults/4))
			require.InDelta(t, messages, counted, float64(endpoints), "the reactor counts what the handlers saw")
			require.LessOrEqual(t, opens-int64(endpoints)/2-int64(endpoints), int64(st.Upgrades))

			// What this test has kept of the losses is no leak of anybody's.
			for _, f := range all {
				f.mu.Lock()
				f.losses = nil
				f.mu.Unlock()
			}
			// Renewals come and go: wait for a moment with as few connections.
			var after footprint
			waitFor(t, "as few goroutines, descriptors and bytes as before", func() bool {
				after = measure()
				return after.goroutines <= before.goroutines+endpoints/10 && after.descriptors <= before.descriptors+endpoints/10 &&
					after.heap <= before.heap+before.heap/4+4<<20
			})
			t.Logf("before %+v, after %+v", before, after)
			for _, h := range handles {
				require.NoError(t, reactor.Deregister(r, h))
			}
			waitFor(t, "all gone", func() bool { return len(r.Endpoints()) == 0 })
		})
	}
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
