package reactor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/machines"
	"github.com/boomnet-go/boomnet/reactor/ring"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

func newGroup(t testing.TB, cfg GroupConfig, names ...string) *Group {
	for _, name := range names {
		cfg.Reactors = append(cfg.Reactors, Config{Name: name})
	}
	g, err := NewGroup(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

// startGroup runs g; end ends it and returns Run's error.
func startGroup(g *Group) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// On r's goroutine f is called, and waited for.
func on(t testing.TB, r *Reactor, f func()) {
	called := make(chan struct{})
	require.NoError(t, r.post(mail{kind: mailCall, call: func() { f(); close(called) }}))
	select {
	case <-called:
	case <-r.done:
		t.Error("the reactor has ended")
	}
}

func TestGroupConfigsThatAreRefused(t *testing.T) {
	two := []Config{{}, {}}
	for want, cfg := range map[string]GroupConfig{
		"reactor: a group of no reactors":                                                          {},
		"reactor: OnFailure 3 is unknown":                                                          {Reactors: two, OnFailure: 3},
		"reactor: StopTimeout -1ns is negative":                                                    {Reactors: two, StopTimeout: -1},
		"reactor: MaxRestarts -1 is negative":                                                      {Reactors: two, MaxRestarts: -1},
		`reactor: two reactors of a group are named "reactor-1"`:                                   {Reactors: []Config{{Name: "reactor-1"}, {}}},
		"reactor: reactor-1 has failed: reactor: MaxEndpoints -1 is not between 1 and 1048576":     {Reactors: []Config{{}, {MaxEndpoints: -1}}},
		`reactor: StopOrder has "feed", which is no reactor of the group or there twice`:           {Reactors: two, StopOrder: []string{"feed"}},
		`reactor: StopOrder has "reactor-1", which is no reactor of the group or there twice`:      {Reactors: two, StopOrder: []string{"reactor-1", "reactor-1"}},
		"reactor: StopOrder has 1 names, the group 2 reactors":                                     {Reactors: two, StopOrder: []string{"reactor-1"}},
		"reactor: CPUs for 2 reactors: affinity: too few CPUs: 2 wanted, 1 remains (3); excluded ": {Reactors: two, Placement: affinity.Policy{Kind: affinity.KindSpread, Within: affinity.Of(3)}, Topology: affinity.Read(machines.EPYC())},
	} {
		_, err := NewGroup(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestGroupPlacesReactors(t *testing.T) {
	g, err := NewGroup(GroupConfig{
		Reactors:  []Config{{Name: "a"}, {Name: "b", CPU: affinity.Fixed(2)}, {Name: "c"}},
		Placement: affinity.Policy{Kind: affinity.KindPack, OnlyIsolated: true, AvoidSMT: true},
		Topology:  affinity.Read(machines.TwoSocketSMT()),
	})
	require.NoError(t, err)
	defer g.Close()
	var cpus []string
	for i := range g.Len() {
		cpus = append(cpus, g.Reactor(i).cfg.CPU.String())
	}
	require.Equal(t, []string{"cpu 3", "cpu 2", "cpu 4"}, cpus)
	require.False(t, g.Plan().Rest.Contains(2))
	require.False(t, g.Plan().Rest.Contains(3))
	require.Same(t, g.Reactor(1), g.Named("b"))
	require.Nil(t, g.Named("d"))
	require.Nil(t, newGroup(t, GroupConfig{}, "a").Plan())
}

// BySymbol is the same in all processes and for ever; a reactor more takes keys and
// moves none between the others.
func TestBySymbol(t *testing.T) {
	abc, cab := newGroup(t, GroupConfig{}, "a", "b", "c"), newGroup(t, GroupConfig{}, "c", "a", "b")
	more := newGroup(t, GroupConfig{}, "a", "b", "c", "d")
	var golden []string
	for _, s := range []string{"BTCUSDT", "ETHUSDT", "XRPUSDT", ""} {
		golden = append(golden, abc.BySymbol(s).Name())
	}
	require.Equal(t, []string{"b", "c", "b", "b"}, golden)
	share := map[string]int{}
	moved := 0
	const keys = 10_000
	for i := range keys {
		key := fmt.Sprintf("SYM%d", i)
		was, is := abc.BySymbol(key).Name(), more.BySymbol(key).Name()
		require.Equal(t, was, cab.BySymbol(key).Name())
		share[was]++
		if was != is {
			moved++
			require.Equal(t, "d", is)
		}
	}
	for name, n := range share {
		require.InDelta(t, keys/3, n, 300, name)
	}
	require.InDelta(t, keys/4, moved, 300)
}

func TestLeastLoaded(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "a", "b")
	for _, want := range []string{"a", "b", "a", "b"} {
		r := g.LeastLoaded()
		require.Equal(t, want, r.Name())
		_, err := Register(r, &fake{})
		require.NoError(t, err)
	}
	require.NoError(t, g.Named("a").Close())
	require.Equal(t, "b", g.LeastLoaded().Name(), "one that is closed takes none")
}

func TestNearCPU(t *testing.T) {
	g := newGroup(t, GroupConfig{Topology: affinity.Read(machines.EPYC()), Reactors: []Config{
		{Name: "unbound"},
		{Name: "0", CPU: affinity.Fixed(0)},
		{Name: "3", CPU: affinity.Fixed(3)}, // below one L3 with 0
		{Name: "60", CPU: affinity.Fixed(60)},
	}})
	for cpu, want := range map[int]string{3: "3", 67: "3", 64: "0", 1: "0", 12: "0", 63: "60", 127: "60", 20: "0", 4000: "unbound", -1: "unbound"} {
		require.Equal(t, want, g.NearCPU(cpu).Name(), cpu)
	}
	_, err := Register(g.Named("0"), &fake{})
	require.NoError(t, err)
	require.Equal(t, "3", g.NearCPU(1).Name(), "equally near, and fewer endpoints")
}

func TestProbeCPU(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	cpu, err := ProbeCPU(t.Context(), "tcp://"+l.Addr().String(), nil)
	require.NoError(t, err)
	available, err := affinity.Available()
	require.NoError(t, err)
	require.True(t, affinity.Local().Online().Contains(cpu), "CPU %d of %s", cpu, available)
	require.NoError(t, l.Close())
	_, err = ProbeCPU(t.Context(), "tcp://"+l.Addr().String(), nil)
	require.ErrorIs(t, err, unix.ECONNREFUSED)
}

// A feed, a strategy and a gateway: what the feed has sent when the group is told to
// end still becomes an order, and the order is handled.
func TestGroupEndsProducersFirst(t *testing.T) {
	g := newGroup(t, GroupConfig{StopOrder: []string{"feed", "strategy", "gateway"}}, "gateway", "feed", "strategy")
	feed, strategy, gateway := g.Named("feed"), g.Named("strategy"), g.Named("gateway")
	var sent, ordered, handled int64
	var acks atomic.Int64
	ack := linked(t, gateway, strategy, LinkConfig{Wake: true}, func(*report) { acks.Add(1) })
	orders := linked(t, strategy, gateway, LinkConfig{Wake: true}, func(o *order) {
		handled++
		ack.Offer(report{o.ID})
	})
	prices := linked(t, feed, strategy, LinkConfig{Wake: true}, func(p *int64) {
		if orders.Offer(order{ID: *p}) == ring.Accepted {
			ordered++
		}
	})
	end := startGroup(g)
	var burst func()
	burst = func() { // on the feed, until it ends
		for range 10 {
			if prices.Offer(sent) == ring.Accepted {
				sent++
			}
		}
		_ = feed.post(mail{kind: mailCall, call: burst})
	}
	require.True(t, eventually(func() bool { return feed.post(mail{kind: mailCall, call: burst}) == nil }))
	require.True(t, eventually(func() bool { return acks.Load() > 100 }))
	require.NoError(t, end())
	require.Positive(t, sent)
	require.Equal(t, sent, ordered+int64(orders.Info().Refused))
	require.Equal(t, ordered, handled)
	for _, i := range g.Links() {
		require.Zero(t, i.Dropped, i)
		require.Equal(t, i.Sent, i.Handled)
	}
	require.ErrorIs(t, g.Run(context.Background()), ErrClosed)
}

func TestGroupRunsOnce(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "a", "b")
	end := startGroup(g)
	on(t, g.Named("a"), func() {})
	require.ErrorIs(t, g.Run(context.Background()), ErrRunning)
	require.NoError(t, end())
	require.ErrorIs(t, g.Run(context.Background()), ErrClosed)
}

// A reactor whose CPU is not there ends the group before its producers begin.
func TestGroupThatCannotStart(t *testing.T) {
	var told []error
	g := newGroup(t, GroupConfig{
		Reactors: []Config{{Name: "feed"}, {Name: "gateway", CPU: affinity.Fixed(4095)}},
		Report:   func(err error) { told = append(told, err) },
	})
	begun := false
	require.NoError(t, g.Named("feed").post(mail{kind: mailCall, call: func() { begun = true }}))
	err := g.Run(context.Background())
	require.ErrorIs(t, err, affinity.ErrUnavailable)
	var failed *ReactorError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "gateway", failed.Name)
	require.Len(t, told, 1)
	require.False(t, begun)
	require.True(t, g.Named("gateway").closed.Load())
}

func TestGroupOfAReactorThatIsRunElsewhere(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "a", "b")
	g.Named("a").owner.Store(true)
	require.ErrorIs(t, g.Run(context.Background()), ErrRunning)
	g.Named("a").owner.Store(false)
	require.NoError(t, g.Named("a").Close())
}

func TestGroupThatNeverRuns(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "a", "b")
	s := linked(t, g.Named("a"), g.Named("b"), LinkConfig{}, func(*order) {})
	s.Offer(order{})
	require.NoError(t, g.Close())
	require.NoError(t, g.Close())
	require.Equal(t, uint64(1), s.Info().Handled)
	require.ErrorIs(t, g.Run(context.Background()), ErrClosed)

	g = newGroup(t, GroupConfig{}, "a", "b")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, g.Run(ctx), "its time is over before it begins")
	require.True(t, g.Named("b").closed.Load())
}

func TestGroupCloseEndsRun(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "a", "b")
	end := startGroup(g)
	on(t, g.Named("a"), func() {})
	require.NoError(t, g.Close())
	require.NoError(t, end())
}

func TestGroupEndsWhenAllHave(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "a", "b")
	done := make(chan error, 1)
	go func() { done <- g.Run(context.Background()) }()
	for _, name := range []string{"a", "b"} {
		on(t, g.Named(name), func() {})
		require.NoError(t, g.Named(name).Close())
	}
	require.NoError(t, <-done)
}

// broken is a selector that fails when told to.
type broken struct {
	selector.Selector
	fail atomic.Bool
}

var errBroken = errors.New("broken by the test")

func (b *broken) Wait(events []selector.Event, wait time.Duration) (int, error) {
	if b.fail.Load() {
		return 0, errBroken
	}
	return b.Selector.Wait(events, wait)
}

func breakable(r *Reactor) *broken {
	r.waking.Lock() // as renew does
	defer r.waking.Unlock()
	b := &broken{Selector: r.sel}
	r.sel = b
	return b
}

func TestGroupOnFailureStopAll(t *testing.T) {
	told := make(chan error, 9)
	g := newGroup(t, GroupConfig{Report: func(err error) { told <- err }}, "a", "b")
	sel := breakable(g.Named("a"))
	end := startGroup(g)
	on(t, g.Named("b"), func() {})
	sel.fail.Store(true)
	<-g.done
	err := end()
	require.EqualError(t, err, "reactor: a has failed: broken by the test")
	require.ErrorIs(t, err, errBroken)
	require.EqualError(t, <-told, err.Error())
	require.Empty(t, told)
	require.True(t, g.Named("b").closed.Load())
}

func TestGroupOnFailureGoOn(t *testing.T) {
	g := newGroup(t, GroupConfig{OnFailure: GoOn}, "a", "b")
	a, b := g.Named("a"), g.Named("b")
	sel := breakable(a)
	in := linked(t, b, a, LinkConfig{}, func(*order) {})
	n := 0
	out := linked(t, a, b, LinkConfig{Wake: true}, func(*order) { n++ })
	out.Offer(order{})
	end := startGroup(g)
	on(t, b, func() {})
	sel.fail.Store(true)
	<-a.done
	require.True(t, eventually(func() bool { return out.Info().Handled == 1 }), "what it had sent")
	on(t, b, func() { require.Equal(t, ring.Closed, in.Offer(order{})) })
	require.Equal(t, "b", g.LeastLoaded().Name())
	require.EqualError(t, end(), "reactor: a has failed: broken by the test")
	require.Equal(t, 1, n)
}

// With Restart handles, links, inboxes and messages survive; connections do not.
func TestGroupOnFailureRestart(t *testing.T) {
	var told atomic.Int64
	g := newGroup(t, GroupConfig{OnFailure: Restart, MaxRestarts: 2, Report: func(error) { told.Add(1) }}, "a", "b")
	a, b := g.Named("a"), g.Named("b")
	sel := breakable(a)
	var orders, posts atomic.Int64
	s := linked(t, b, a, LinkConfig{Wake: true}, func(*order) { orders.Add(1) })
	box := inbox(t, a, 0, func(*report) { posts.Add(1) })
	f := &fake{policy: endpoint.Policy{FirstDelay: time.Millisecond, MaxDelay: time.Millisecond}}
	h, err := Register(a, f)
	require.NoError(t, err)
	end := startGroup(g)
	for failures := int64(1); failures <= 2; failures++ {
		require.True(t, eventually(func() bool { i, err := a.Lookup(h.ID()); return err == nil && i.State == endpoint.Open }))
		sel.fail.Store(true)
		require.Equal(t, ring.Accepted, box.Post(report{}))
		on(t, b, func() { require.Equal(t, ring.Accepted, s.Offer(order{})) })
		require.True(t, eventually(func() bool { return told.Load() == failures }))
		require.True(t, eventually(func() bool { i, err := a.Lookup(h.ID()); return err == nil && i.Opens == failures+1 }))
		require.True(t, eventually(func() bool { return orders.Load() == failures && posts.Load() == failures }))
		i, err := a.Lookup(h.ID())
		require.NoError(t, err)
		require.ErrorIs(t, i.Loss, errBroken)
		on(t, a, func() { sel = breakable(a) })
	}
	sel.fail.Store(true)
	<-g.done
	err = end()
	require.Equal(t, 3, strings.Count(err.Error(), "broken by the test"), "twice it went on")
	require.Equal(t, int64(3), told.Load())
	f.cleanUp()
}

// A link whose handler panics is told of at once and at the end; the group goes on.
func TestGroupReportsAPanicOfAHandler(t *testing.T) {
	told := make(chan error, 1)
	g := newGroup(t, GroupConfig{Report: func(err error) { told <- err }}, "a", "b")
	s := linked(t, g.Named("a"), g.Named("b"), LinkConfig{Wake: true}, func(*order) { panic("boom") })
	end := startGroup(g)
	on(t, g.Named("a"), func() { s.Offer(order{}) })
	var link *LinkError
	require.ErrorAs(t, <-told, &link)
	require.Equal(t, "b", link.To)
	on(t, g.Named("b"), func() {})
	var failed *ReactorError
	err := end()
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "b", failed.Name)
	require.ErrorAs(t, err, &link)
}

// A handler that blocks costs the end its time, and is named.
func TestGroupWithAHandlerThatBlocks(t *testing.T) {
	g := newGroup(t, GroupConfig{
		Reactors:    []Config{{Name: "a", CloseTimeout: time.Millisecond}, {Name: "b", CloseTimeout: time.Millisecond}},
		StopTimeout: time.Millisecond,
	})
	release := make(chan struct{})
	stuck := make(chan struct{})
	require.NoError(t, g.Named("a").post(mail{kind: mailCall, call: func() { close(stuck); <-release }}))
	end := startGroup(g)
	<-stuck
	err := end()
	require.ErrorIs(t, err, ErrStuck)
	require.EqualError(t, err, "reactor: a has failed: reactor: has not ended in time, a handler blocks")
	require.True(t, g.Named("b").closed.Load(), "the other one has ended nevertheless")
	close(release)
	<-g.Named("a").done
}

// The thread of a reactor has its name, the goroutine its label, and it is not the
// process's first thread.
func TestThreadsHaveNames(t *testing.T) {
	g := newGroup(t, GroupConfig{}, "feed-of-many-symbols", "gateway")
	end := startGroup(g)
	for name, want := range map[string]string{"feed-of-many-symbols": "feed-of-many-sy\n", "gateway": "gateway\n"} {
		on(t, g.Named(name), func() {
			require.NotEqual(t, unix.Getpid(), unix.Gettid())
			comm, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/comm", unix.Gettid()))
			require.NoError(t, err)
			require.Equal(t, want, string(comm))
		})
	}
	var profile bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&profile, 1))
	require.Contains(t, profile.String(), `# labels: {"reactor":"feed-of-many-symbols"}`)
	require.Contains(t, profile.String(), `# labels: {"reactor":"gateway"}`)
	require.NoError(t, end())
	comm, err := os.ReadFile("/proc/self/comm")
	require.NoError(t, err)
	require.Contains(t, string(comm), "reactor.test", "the process keeps its name")
}
