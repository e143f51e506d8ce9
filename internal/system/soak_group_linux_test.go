package system

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/ring"
	"github.com/boomnet-go/boomnet/stats"
)

// TestGroupOfReactorsUnderFaults does what TestManyEndpointsUnderRandomFaults does,
// on two reactors of a group that count in a file, and sends each trade over a link
// to the other reactor. Besides what is asked there:
//
//   - the other reactor has seen the same trades of each endpoint, by their numbers;
//   - the counters, as another process reads them, say of each endpoint what its
//     handler counted, and of the links that nothing is lost: offered = refused +
//     handled;
//   - over the whole time heap and resident memory do not grow, nor threads;
//   - at the end there are no more goroutines and descriptors than at the start.
//
// It is short by default. `make soak-group` runs it in full: a thousand endpoints
// for ten minutes, half of them over TCP and half over TLS.
func TestGroupOfReactorsUnderFaults(t *testing.T) {
	endpoints, length := soakSize(t)
	for _, secure := range []bool{false, true} {
		atStart := measure()
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) { soakGroup(t, world{secure: secure}, endpoints, length) })
		if t.Failed() {
			return
		}
		var atEnd footprint
		waitFor(t, "no more goroutines and descriptors than at the start", func() bool {
			atEnd = measure()
			return atEnd.goroutines <= atStart.goroutines && atEnd.descriptors <= atStart.descriptors
		}, func() string { return fmt.Sprintf("at the start %+v, at the end %+v", atStart, atEnd) })
	}
}

// relayed is a trade of an endpoint, for the other reactor.
type relayed struct {
	endpoint int32
	conn     uint32
	seq      uint64
}

// side is one of the two reactors. All but r is touched on its goroutine only.
type side struct {
	r       *reactor.Reactor
	out     *reactor.Sender[relayed] // to the other one
	pending []relayed                // what that had no room for, from next on
	next    int
	most    int         // pending at one time
	heard   []sequences // by endpoint, of the other one
}

// send sends m, when there is room for it: nothing may be lost.
func (s *side) send(m relayed) {
	if s.flush(); s.left() > 0 || s.out.Offer(m) != ring.Accepted {
		s.pending = append(s.pending, m)
		s.most = max(s.most, s.left())
	}
}

func (s *side) flush() {
	for s.left() > 0 && s.out.Offer(s.pending[s.next]) == ring.Accepted {
		s.next++
	}
	if 2*s.next >= len(s.pending) { // memory of a backlog that is over would count as growth
		s.pending, s.next = append([]relayed(nil), s.pending[s.next:]...), 0
	}
}

func (s *side) left() int { return len(s.pending) - s.next }

func (s *side) hear(m *relayed) {
	h := &s.heard[m.endpoint]
	if _, known := h.conns[m.conn]; !known {
		h.begin(m.conn)
	}
	h.got(m.conn, m.seq)
	s.flush() // it may be that no trade of our own comes to do it
}

func soakGroup(t *testing.T, w world, endpoints int, length time.Duration) {
	dir, err := os.MkdirTemp("/dev/shm", "boomnet-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	file, err := stats.Create(stats.FileConfig{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	s := w.exchange(t, exchange.Config{Rate: 10})
	g := w.group(t, file, "left", "right")

	sides := []*side{{r: g.Reactor(0)}, {r: g.Reactor(1)}}
	for i, from := range sides {
		to := sides[1-i]
		to.heard = make([]sequences, endpoints)
		// One that wakes and one that does not; small, so that there is not always room.
		from.out, err = reactor.Link(from.r, to.r, reactor.LinkConfig{Capacity: 256, Wake: i == 0}, to.hear)
		require.NoError(t, err)
	}
	k := newSoaking(t, s, []*reactor.Reactor{sides[0].r, sides[1].r}, endpoints, func(i int, f *soaked) {
		from := sides[i%2]
		f.Policy.TimeToLive *= time.Duration(max(endpoints/200, 1)) // so many renewals a second, however many there are
		f.relay = func(conn uint32, seq uint64) { from.send(relayed{int32(i), conn, seq}) }
	})

	k.least = endpoints * 4 / 5 // so that there are messages, too
	k.round(length / 4)
	before := measure()
	watched := watch(length)
	k.round(length)
	grown := watched()
	after := k.notGrownSince(before)
	if length >= soakTrend {
		grown.check(t)
	}

	all := k.quieten()
	n := k.total(all)
	k.sameOnTheOtherSide(sides, all)
	require.NoError(t, file.Err())
	view, err := stats.Attach(file.Path())
	require.NoError(t, err)
	defer view.Close()
	c := k.sameInTheFile(view, all, n)
	st := s.Stats()
	t.Logf("soak: %d endpoints on 2 reactors for %v, tls %t: good\n"+
		"  faults      %d; %d losses, %d opens (exchange: %d)\n"+
		"  messages    exchange sent %d, the counters file says that %d were received: %d trades, %d answers; the other %d were under way on connections that broke\n"+
		"  standing    on the %d connections at the end the exchange sent %d trades, %d were received\n"+
		"  links       offered %d = handled %d + refused %d + dropped %d; highest backlog %d, %d waited for room\n"+
		"  memory      heap %.1f MiB, live %s; resident %s\n"+
		"  goroutines  %d before, %d after; descriptors %d and %d; threads %s",
		endpoints, length, w.secure,
		k.faults, c.endpoint["losses"], c.endpoint["opens"], st.Upgrades,
		st.Sent, c.endpoint["messages"], n.trades, n.messages-n.trades, int64(st.Sent)-n.trades,
		endpoints, k.sentOnStanding(), n.onCurrent,
		c.ring["offered"], c.ring["handled"], c.ring["refused"], c.ring["dropped"], c.ring["high_water"], max(sides[0].most, sides[1].most),
		float64(after.heap)/(1<<20), grown.heap.inMiB(), grown.resident.inMiB(),
		before.goroutines, after.goroutines, before.descriptors, after.descriptors, grown.threads)
	k.end()
}

// group runs a group of reactors for the length of the test.
func (w world) group(t *testing.T, file *stats.File, names ...string) *reactor.Group {
	limiter, err := endpoint.NewHostLimiter(1_000_000, 1_000_000)
	require.NoError(t, err)
	var cfg reactor.GroupConfig
	for _, name := range names {
		cfg.Reactors = append(cfg.Reactors, reactor.Config{
			Name: name, Selector: w.sel, Counters: file, Seams: endpoint.Seams{Limiter: limiter},
		})
	}
	g, err := reactor.NewGroup(cfg)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- g.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, g.Close())
		require.NoError(t, <-done)
	})
	return g
}

// sameOnTheOtherSide compares what each endpoint received with what came over the
// link, when nothing is under way any more.
func (k *soaking) sameOnTheOtherSide(sides []*side, all []soakedInfo) {
	on := func(s *side, f func()) {
		require.NoError(k, reactor.Dispatch(s.r, k.handleOn(s.r), func(*soaked, *ws.Conn) { f() }))
		k.sync(s.r)
	}
	k.wait("the links to be empty", func() bool {
		left := 0
		for _, s := range sides {
			on(s, func() { s.flush(); left += s.left() })
			left += int(s.out.Info().Waiting)
		}
		return left == 0
	})
	trades := make(map[string]int64)
	for _, e := range all {
		trades[e.path] = e.trades
	}
	for i, s := range sides {
		on(s, func() {}) // what it wrote can be read now: it writes nothing more
		for e := 1 - i; e < len(s.heard); e += 2 {
			path := fmt.Sprintf("/ws/sym%dusdt@trade", e)
			require.Empty(k, s.heard[e].gap, "%s: over the link", path)
			require.Equal(k, trades[path], s.heard[e].trades, "%s: over the link", path)
		}
	}
}

// soakedCells are sums of the cells of a kind of block, by name; of a high-water mark
// it is the highest.
type soakedCells struct{ endpoint, ring map[string]int64 }

// sameInTheFile compares what the file says with what the endpoints say.
func (k *soaking) sameInTheFile(view *stats.View, all []soakedInfo, n soakedTotals) (c soakedCells) {
	// What a reactor counts of its rings is there when it has parked.
	k.wait("the links' counters", func() bool {
		c = k.readFile(view, all)
		return c.ring["handled"] == n.trades && c.ring["depth"] == 0
	}, func() string { return fmt.Sprintf("%d trades, links: %v", n.trades, c.ring) })
	require.Equal(k, c.ring["offered"], c.ring["handled"]+c.ring["refused"]+c.ring["dropped"])
	require.Zero(k, c.ring["dropped"])
	for name, want := range map[string]int64{"messages": n.messages, "opens": n.opens, "losses": n.losses} {
		require.Equal(k, want, c.endpoint[name], name)
	}
	return c
}

func (k *soaking) readFile(view *stats.View, all []soakedInfo) soakedCells {
	c := soakedCells{make(map[string]int64), make(map[string]int64)}
	messages := make(map[string]int64)
	blocks, err := view.Blocks()
	require.NoError(k, err)
	for _, b := range blocks {
		for i := range b.Cells {
			var v stats.Value
			require.NoError(k, b.Cells[i].Read(&v))
			switch name := b.Cells[i].Desc().Name; b.Kind {
			case stats.EndpointBlock:
				c.endpoint[name] += v.Int
				if name == "messages" {
					messages[b.Parent+"/"+b.Name] = v.Int
				}
			case stats.RingBlock:
				if name == "high_water" {
					c.ring[name] = max(c.ring[name], v.Int)
				} else {
					c.ring[name] += v.Int
				}
			}
		}
	}
	require.Len(k, messages, len(all))
	for _, e := range all {
		require.Equal(k, e.Info.Messages, messages[e.reactor+"/"+e.Name], e.path)
	}
	return c
}

// handleOn is the handle of an endpoint on r.
func (k *soaking) handleOn(r *reactor.Reactor) reactor.Handle[*soaked] {
	return k.handles[slices.Index(k.reactors, r)]
}

// sentOnStanding is how many trades the exchange has sent on the connections that
// stand.
func (k *soaking) sentOnStanding() (n uint64) {
	for _, c := range k.exchange.Connections() {
		n += c.Messages
	}
	return n
}

// soakTrend is from which length on it is checked that nothing grows.
const soakTrend = 30 * time.Second

// growth is how something developed over a soak.
type growth struct {
	first, last float64 // as a line through all samples says
	most        float64
}

// growthOf lays the line by Theil and Sen through samples of equal distance: its
// slope is the median of the slopes between any two, which a few that are far off
// do not move.
func growthOf(samples []float64) growth {
	var slopes []float64
	for i := range samples {
		for j := range i {
			slopes = append(slopes, (samples[i]-samples[j])/float64(i-j))
		}
	}
	median := func(list []float64) float64 {
		if len(list) == 0 {
			return 0
		}
		slices.SortFunc(list, cmp.Compare[float64])
		return list[len(list)/2]
	}
	slope := median(slopes)
	at := make([]float64, len(samples))
	for i, v := range samples {
		at[i] = v - slope*float64(i)
	}
	first := median(at)
	return growth{first, first + slope*float64(max(len(samples)-1, 0)), slices.Max(append(samples, 0))}
}

func (g growth) inMiB() string {
	return fmt.Sprintf("%.1f → %.1f MiB (most %.1f)", g.first/(1<<20), g.last/(1<<20), g.most/(1<<20))
}

func (g growth) String() string {
	return fmt.Sprintf("%.0f → %.0f (most %.0f)", g.first, g.last, g.most)
}

// trends are what is watched over a soak.
type trends struct{ heap, resident, threads growth }

// check fails when something grew by more than it varies while things break: a TLS
// handshake under way holds memory. notGrownSince is the exact one.
func (g trends) check(t *testing.T) {
	require.LessOrEqual(t, g.heap.last, 1.1*g.heap.first+2<<20, "live heap: %s", g.heap.inMiB())
	require.LessOrEqual(t, g.resident.last, 1.1*g.resident.first+8<<20, "resident memory: %s", g.resident.inMiB())
	require.LessOrEqual(t, g.threads.last, g.threads.first+16, "threads: %s", g.threads)
}

// watch takes samples until the function that it returns is called.
func watch(length time.Duration) (end func() trends) {
	var heap, resident, threads []float64
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(max(length/60, 50*time.Millisecond))
		defer tick.Stop()
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			runtime.GC() // live is what the last collection has marked
			metrics.Read(live)
			heap = append(heap, float64(live[0].Value.Uint64()))
			resident = append(resident, residentBytes())
			list, _ := os.ReadDir("/proc/self/task")
			threads = append(threads, float64(len(list)))
		}
	}()
	return func() trends {
		close(quit)
		<-done
		return trends{growthOf(heap), growthOf(resident), growthOf(threads)}
	}
}

// residentBytes is how much of the process is in memory.
func residentBytes() float64 {
	text, _ := os.ReadFile("/proc/self/statm")
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(string(fields[1]))
	return float64(pages * os.Getpagesize())
}

func TestGrowthOf(t *testing.T) {
	flat := []float64{10, 11, 9, 10, 90, 10, 9, 11, 10, 10}
	require.Equal(t, growth{10, 10, 90}, growthOf(flat))
	var rising []float64
	for i := range 20 {
		rising = append(rising, 100+2*float64(i)+float64(i%3))
	}
	g := growthOf(rising)
	require.InDelta(t, 101, g.first, 1)
	require.InDelta(t, 139, g.last, 1)
	require.Equal(t, growth{}, growthOf(nil))
}
