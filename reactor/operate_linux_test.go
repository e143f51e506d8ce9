package reactor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// namedFake is a fake with a name.
type namedFake struct {
	*fake
	name string
}

func (f *namedFake) EndpointName() string { return f.name }

func registerNamed(b *bench, name string) *fake {
	f := &namedFake{&fake{}, name}
	_, err := Register(b.r, f)
	require.NoError(b.t, err)
	b.t.Cleanup(f.cleanUp)
	b.poll()
	return f.fake
}

func TestSetIdleIsDoneInTheTurn(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Idle = idle.Yield })
	require.Equal(t, idle.Yield, b.r.Idle())
	require.NoError(t, b.r.SetIdle(idle.Park(time.Millisecond)))
	require.Equal(t, idle.Yield, b.r.Idle(), "not before the turn")
	b.poll()
	require.Equal(t, idle.Park(time.Millisecond), b.r.Idle())
	require.Equal(t, "park(1ms)", b.r.counts.idle.Value(), "other processes see it")
	require.Equal(t, time.Millisecond, b.r.idler.Idle(0), "Run would park so")
	require.NoError(t, b.r.Close())
	require.ErrorIs(t, b.r.SetIdle(idle.Spin), ErrClosed)
}

// What New refuses SetIdle refuses, too.
func TestSetIdleRefusesWhatCannotBeHad(t *testing.T) {
	b := newBench(t, func(c *Config) { c.OnPanic = Isolate })
	require.Error(t, b.r.SetIdle(idle.Exclusive))
	b.poll()
	require.Equal(t, idle.Backoff, b.r.Idle())
}

// A reactor that has parked for a second is woken, and does not park any more.
func TestSetIdleWakesAReactorThatParks(t *testing.T) {
	r, err := New(Config{Name: "parks", Idle: idle.Park(idle.MaxPark)})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	require.True(t, eventually(func() bool { return r.parked.Load() }))
	require.NoError(t, r.SetIdle(idle.Yield))
	// Parks of a second would be this many turns only long after the patience is over.
	turns := r.Stats().Turns
	require.True(t, eventually(func() bool { return r.Stats().Turns > turns+int64(2*patience/idle.MaxPark) }))
	require.Equal(t, idle.Yield, r.Idle())
	require.NoError(t, r.SetIdle(idle.Park(idle.MaxPark)))
	require.True(t, eventually(func() bool { return r.parked.Load() }), "and back")
	require.NoError(t, r.Close())
	require.NoError(t, <-ended)
}

func TestResetHistograms(t *testing.T) {
	b := newBench(t)
	f := stampedFake(true)
	h, err := Register(b.r, f)
	require.NoError(t, err)
	t.Cleanup(f.cleanUp)
	b.poll()
	b.setUp()
	f.send(t, "abc")
	b.poll()
	i, err := b.r.Lookup(h.ID())
	require.NoError(t, err)
	require.EqualValues(t, 3, i.WireToHandler.Snapshot().Count())
	require.EqualValues(t, 3, b.r.WireToHandler().Snapshot().Count())

	b.advance(time.Minute)
	require.NoError(t, b.r.ResetHistograms())
	b.poll()
	for _, s := range []interface {
		Count() int64
		Max() int64
	}{i.WireToHandler.Snapshot(), b.r.WireToHandler().Snapshot()} {
		require.Zero(t, s.Count())
		require.Zero(t, s.Max())
	}
	i, err = b.r.Lookup(h.ID())
	require.NoError(t, err)
	require.EqualValues(t, 3, i.Messages, "counters go on")
	f.send(t, "d")
	b.poll()
	require.EqualValues(t, 1, b.r.WireToHandler().Snapshot().Count())
	require.EqualValues(t, 'd', b.r.WireToHandler().Snapshot().Min())
}

func TestDropLosesTheConnectionAndGoesOnByPolicy(t *testing.T) {
	b := newBench(t)
	f, other := registerNamed(b, "md"), registerNamed(b, "orders")
	b.setUp()
	n, err := b.r.Drop("md", "uid 7 wants it")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Empty(t, f.losses, "not before the turn")
	b.poll()
	require.Len(t, f.losses, 1)
	var dropped *endpoint.DroppedError
	require.ErrorAs(t, f.losses[0], &dropped)
	require.Equal(t, "uid 7 wants it", dropped.Why)
	require.EqualError(t, f.losses[0], "endpoint: connection 1 lost while open: endpoint: dropped on request: uid 7 wants it")
	require.Equal(t, endpoint.Open, f.losses[0].Phase)
	require.Equal(t, "open: dropped on request: uid 7 wants it", f.losses[0].Summary())
	require.Empty(t, other.losses)
	require.True(t, eventually(func() bool { return f.discarded.Load() == 1 }))

	_, err = b.r.Drop("md", "")
	require.ErrorIs(t, err, ErrNoConnection)
	require.EqualError(t, err, `reactor: no connection to drop: endpoint "md" is in state backoff`)

	b.advance(100 * time.Millisecond)
	require.Len(t, b.tasks, 1)
	n, err = b.r.Drop("md", "") // a set-up that is under way
	require.NoError(t, err)
	require.Equal(t, 1, n)
	b.poll()
	require.Len(t, f.losses, 2)
	require.Equal(t, endpoint.Resolving, f.losses[1].Phase)
	require.EqualError(t, errors.Unwrap(f.losses[1]), "endpoint: dropped on request")
}

func TestDropObeysTheEndpoint(t *testing.T) {
	b := newBench(t)
	f := registerNamed(b, "md")
	f.answer = endpoint.Stop
	b.setUp()
	_, err := b.r.Drop("md", "")
	require.NoError(t, err)
	b.poll()
	require.Equal(t, endpoint.Failed, b.r.Endpoints()[0].State)
	_, err = b.r.Drop("md", "")
	require.ErrorIs(t, err, ErrNoConnection)
}

func TestDropOfANameThatSeveralHave(t *testing.T) {
	b := newBench(t)
	one, two := registerNamed(b, "md"), registerNamed(b, "md")
	b.setUp()
	one.hangUp()
	b.poll() // one is in back-off
	three := registerNamed(b, "md")
	n, err := b.r.Drop("md", "")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	b.poll()
	require.Len(t, one.losses, 1)
	require.Len(t, two.losses, 1)
	require.Len(t, three.losses, 1)
}

func TestDropOfNobody(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"btcusdt@trade", "ethusdt@trade", "BTCUSDT@book", "gateway"} {
		registerNamed(b, name)
	}
	for _, c := range []struct{ name, err string }{
		{"btcusdt@trad", `reactor: no such endpoint: "btcusdt@trad": did you mean "btcusdt@trade" or "ethusdt@trade"?`},
		{"btcusdt", `reactor: no such endpoint: "btcusdt": did you mean "BTCUSDT@book" or "btcusdt@trade"?`},
		{"gatway", `reactor: no such endpoint: "gatway": did you mean "gateway"?`},
		{"zzz", `reactor: no such endpoint: "zzz"`},
		{"", `reactor: no such endpoint: ""`},
	} {
		n, err := b.r.Drop(c.name, "")
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrNoEndpoint)
		require.EqualError(t, err, c.err)
	}
	require.NoError(t, b.r.Close())
	_, err := b.r.Drop("gateway", "")
	require.ErrorIs(t, err, ErrClosed)
}

// With a next connection under way the endpoint is not without one.
func TestDropDuringARenewal(t *testing.T) {
	b := newBench(t)
	f := &namedFake{&fake{policy: endpoint.Policy{TimeToLive: time.Minute, Overlap: 10 * time.Second}}, "md"}
	_, err := Register(b.r, f)
	require.NoError(t, err)
	t.Cleanup(f.cleanUp)
	b.poll()
	b.setUp()
	b.advance(time.Minute)
	b.setUp() // both are open
	n, err := b.r.Drop("md", "")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	b.poll()
	require.Len(t, f.losses, 1)
	require.EqualValues(t, 1, f.losses[0].Conn)
	i := b.r.Endpoints()[0]
	require.Equal(t, endpoint.Open, i.State)
	require.EqualValues(t, 2, i.Conn)
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "axc", 1},
		{"abc", "ac", 1}, {"ac", "abc", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2},
	} {
		require.Equal(t, c.want, distance(c.a, c.b), "%q %q", c.a, c.b)
	}
}

func TestSync(t *testing.T) {
	b := newBench(t)
	synced := make(chan error, 1)
	go func() { synced <- b.r.Sync(context.Background()) }()
	require.True(t, eventually(func() bool { _, _ = b.r.Poll(); return len(synced) == 1 }))
	require.NoError(t, <-synced)

	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	require.ErrorIs(t, b.r.Sync(ctx), why, "an end that is no deadline is no sign of anything")

	go func() { synced <- b.r.Sync(context.Background()) }()
	require.True(t, eventually(func() bool { return b.r.mail.length() > 0 }))
	require.NoError(t, b.r.Close())
	require.Contains(t, []error{nil, ErrClosed}, <-synced)
	require.ErrorIs(t, b.r.Sync(context.Background()), ErrClosed)
}

// A mailbox that is full is waited for as well.
func TestSyncWaitsForRoom(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Mailbox = 2 })
	for b.r.post(mail{kind: mailCall, call: func() {}}) == nil {
	}
	synced := make(chan error, 1)
	go func() { synced <- b.r.Sync(context.Background()) }()
	require.True(t, eventually(func() bool { _, _ = b.r.Poll(); return len(synced) == 1 }))
	require.NoError(t, <-synced)
}
