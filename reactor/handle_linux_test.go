package reactor

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

func readAll(t testing.TB, fd int, p []byte) int {
	n, err := unix.Read(fd, p)
	require.NoError(t, err)
	return n
}

func TestHandlesGoStale(t *testing.T) {
	b := newBench(t)
	require.ErrorIs(t, Deregister(b.r, Handle[*fake]{}), ErrStale, "the zero handle")
	f := &fake{}
	h := register(b, f)
	b.setUp()
	require.NoError(t, Deregister(b.r, h))
	b.poll()
	require.Len(t, f.losses, 1, "the end of an open connection is told")
	require.ErrorIs(t, Dispatch(b.r, h, func(*fake, *fakeHot) {}), ErrStale)
	require.ErrorIs(t, Deregister(b.r, h), ErrStale)
	g := &fake{}
	again := register(b, g)
	require.Equal(t, h.ID().Slot, again.ID().Slot, "the place is used again")
	require.NotEqual(t, h.ID(), again.ID())
	require.ErrorIs(t, Dispatch(b.r, h, func(*fake, *fakeHot) {}), ErrStale)
	require.NoError(t, Dispatch(b.r, again, func(*fake, *fakeHot) {}))
	require.True(t, eventually(func() bool { return f.discarded.Load() == 1 }))
}

// patience is how long what must happen may take on a machine that does other things.
const patience = 30 * time.Second

func eventually(f func() bool) bool {
	for limit := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if f() {
			return true
		}
		if !time.Now().Before(limit) {
			return false
		}
	}
}

func TestDeregisterDuringSetUpGivesItUp(t *testing.T) {
	b := newBench(t)
	var cause error
	f := &fake{connect: func(ctx context.Context, _ *endpoint.Connector) (endpoint.Hot, error) {
		<-ctx.Done()
		cause = context.Cause(ctx)
		return nil, cause
	}}
	h := register(b, f)
	require.NoError(t, Deregister(b.r, h))
	b.poll()
	require.Len(t, f.losses, 1)
	require.ErrorIs(t, f.losses[0], endpoint.ErrDeregistered)
	b.setUp()
	require.ErrorIs(t, cause, endpoint.ErrDeregistered)
}

func TestDispatchKeepsOrderAndGivesNilWithoutAConnection(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	h := register(b, f)
	var got []int
	for i := range 200 { // more than one turn takes
		require.NoError(t, Dispatch(b.r, h, func(_ *fake, c *fakeHot) {
			require.Nil(t, c)
			got = append(got, i)
		}))
	}
	b.poll()
	require.Len(t, got, 200)
	for i, v := range got {
		require.Equal(t, i, v)
	}
	b.setUp()
	called := false
	require.NoError(t, Dispatch(b.r, h, func(p *fake, c *fakeHot) { called = p == f && c != nil }))
	b.poll()
	require.True(t, called)
}

func TestDispatchToAnEndpointThatGoesMeanwhileIsCounted(t *testing.T) {
	b := newBench(t)
	h := register(b, &fake{})
	require.NoError(t, Deregister(b.r, h))
	require.NoError(t, Dispatch(b.r, h, func(*fake, *fakeHot) { t.Error("must not be called") }))
	b.poll()
	b.poll()
	require.Equal(t, int64(1), b.r.Stats().Undelivered)
}

func TestAPanicInDispatchEndsItsEndpointOnly(t *testing.T) {
	b := newBench(t)
	open, idle, other := &fake{}, &fake{}, &fake{}
	h, o := register(b, open), register(b, other)
	b.setUp()
	w := register(b, idle)
	require.NoError(t, Dispatch(b.r, h, func(*fake, *fakeHot) { panic("boom") }))
	require.NoError(t, Dispatch(b.r, w, func(*fake, *fakeHot) { panic("boom") }))
	b.poll()
	require.Equal(t, endpoint.Failed, b.state(h.ID()))
	require.Equal(t, endpoint.Failed, b.state(w.ID()))
	require.Equal(t, endpoint.Open, b.state(o.ID()))
}

func TestEachVisitsAllInOrder(t *testing.T) {
	b := newBench(t)
	for range 5 {
		register(b, &fake{})
	}
	var seen []uint32
	require.NoError(t, Each(b.r, func(i Info, p endpoint.Protocol) {
		require.IsType(t, &fake{}, p)
		seen = append(seen, i.ID.Slot)
	}))
	b.poll()
	require.Equal(t, []uint32{0, 1, 2, 3, 4}, seen)
	require.Len(t, b.r.Endpoints(), 5)
}

func TestLimitsAreNamed(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxEndpoints, c.Mailbox = 2, 4 })
	register(b, &fake{})
	h := register(b, &fake{})
	_, err := Register(b.r, &fake{})
	require.EqualError(t, err, "reactor: 2 endpoints are registered, MaxEndpoints is 2")
	for range 4 {
		require.NoError(t, Dispatch(b.r, h, func(*fake, *fakeHot) {}))
	}
	require.ErrorIs(t, Dispatch(b.r, h, func(*fake, *fakeHot) {}), ErrMailboxFull)
	for _, cfg := range []Config{{MaxEndpoints: -1}, {Mailbox: -1}, {Mailbox: 1 << 30}, {CloseTimeout: -1}, {Selector: 77}} {
		_, err := New(cfg)
		require.Error(t, err)
	}
	bad := &fake{policy: endpoint.Policy{MaxAttempts: -1}}
	_, err = Register(b.r, bad)
	require.ErrorContains(t, err, "MaxAttempts -1")
}

func TestACloseInOrderWaitsForThePeerButNotForEver(t *testing.T) {
	b := newBench(t)
	polite, stubborn := &fake{}, &fake{}
	hp, hs := register(b, polite), register(b, stubborn)
	b.setUp()
	polite.conn.closeStay, stubborn.conn.closeStay = true, true
	require.NoError(t, Deregister(b.r, hp))
	require.NoError(t, Deregister(b.r, hs))
	b.poll()
	require.Equal(t, endpoint.Closing, b.state(hp.ID()))
	polite.send(t, "last words")
	polite.hangUp()
	b.poll()
	require.Equal(t, "last words", string(polite.got), "data is delivered until the end")
	require.Len(t, polite.losses, 1)
	require.Equal(t, endpoint.Closing, polite.losses[0].Phase)
	_, err := b.r.Lookup(hp.ID())
	require.ErrorIs(t, err, ErrStale)
	b.advance(5 * time.Second)
	require.ErrorIs(t, stubborn.losses[0], endpoint.ErrCloseDeadline)
}

func TestAfterCloseEverythingIsRefused(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	h := register(b, f)
	b.setUp()
	require.NoError(t, b.r.Close())
	require.NoError(t, b.r.Close())
	require.Len(t, f.losses, 1)
	require.Equal(t, int32(1), f.discarded.Load())
	_, err := b.r.Poll()
	require.ErrorIs(t, err, ErrClosed)
	_, err = Register(b.r, &fake{})
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, Dispatch(b.r, h, func(*fake, *fakeHot) {}), ErrStale)
	require.ErrorIs(t, Each(b.r, func(Info, endpoint.Protocol) {}), ErrClosed)
	require.ErrorIs(t, b.r.Run(context.Background()), ErrClosed)
}

// TestRun drives real reactors, with every selector and idle strategy, and
// talks to them from another goroutine.
func TestRun(t *testing.T) {
	for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
		for _, strategy := range append(waiting(), idle.Backoff, idle.Yield, idle.Park(time.Second)) {
			t.Run(sel.String()+"/"+strategy.String(), func(t *testing.T) {
				cpu := firstCPU(t)
				cfg := Config{Selector: sel, Idle: strategy, CPU: affinity.Fixed(cpu)}
				allow(t, &cfg)
				r, err := New(cfg)
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() { done <- r.Run(ctx) }()
				var got atomic.Int64
				f := &fake{onByte: func(*fake, byte) error { got.Add(1); return nil }}
				h, err := Register(r, f)
				require.NoError(t, err)
				require.True(t, eventually(func() bool { i, _ := r.Lookup(h.ID()); return i.State == endpoint.Open }))
				_, err = r.Poll()
				require.ErrorIs(t, err, ErrRunning)
				onCPU := make(chan int, 1)
				within(t, idle.MaxPark/2, "a message ends a park", func() {
					require.NoError(t, Dispatch(r, h, func(f *fake, c *fakeHot) {
						here, err := affinity.Current()
						require.NoError(t, err)
						onCPU <- here
					}))
					require.Equal(t, cpu, <-onCPU)
				})
				f.send(t, "abc")
				require.True(t, eventually(func() bool { return got.Load() == 3 }))
				cancel()
				require.NoError(t, <-done)
				require.NoError(t, r.Close())
				f.cleanUp()
				require.Greater(t, r.Stats().Turns, int64(0))
			})
		}
	}
}

// Whoever posts mail and is not run before it is stored holds up what lies behind it:
// the end waits, so that no connection is left open there.
func TestClosingWaitsForMailThatWasHeldUp(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	t.Cleanup(f.cleanUp)
	hot, err := f.Connect(t.Context(), nil)
	require.NoError(t, err)
	q := b.r.mail
	require.True(t, atomic.CompareAndSwapUint64(&q.tail, 0, 1)) // as push takes its place
	require.NoError(t, b.r.post(mail{kind: mailOutcome, hot: hot}))
	go func() {
		<-b.r.done // the end has begun
		time.Sleep(20 * time.Millisecond)
		q.cells[0].item = mailOf(func() {})
		q.cells[0].seq.Store(1)
	}()
	require.NoError(t, b.r.Close())
	require.EqualValues(t, 1, f.discarded.Load())
	require.True(t, q.empty())
}

// TestRunEndsItsThread runs more reactors than threads may be left behind.
func TestRunEndsItsThread(t *testing.T) {
	leak.Check(t)
	for range 3 * leak.ThreadSlack {
		r, err := New(Config{CPU: affinity.Fixed(firstCPU(t))})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		require.NoError(t, Each(r, func(Info, endpoint.Protocol) {}))
		cancel()
		require.NoError(t, <-done)
	}
}

func firstCPU(t testing.TB) int {
	mask, err := affinity.Available()
	require.NoError(t, err)
	return mask.CPUs()[0]
}

func TestRunOnACPUThatIsNotThere(t *testing.T) {
	r, err := New(Config{Name: "feed", CPU: affinity.Fixed(4095)})
	require.NoError(t, err)
	err = r.Run(context.Background())
	require.ErrorContains(t, err, "feed")
	require.ErrorContains(t, err, "4095")
	require.NoError(t, r.Close())
}

func TestASteadyTurnAllocatesNothing(t *testing.T) {
	for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
		b := newBench(t, func(c *Config) { c.Selector = sel })
		f := &fake{onByte: func(*fake, byte) error { return nil }}
		register(b, f)
		b.setUp()
		one := []byte("12345678")
		got := testing.AllocsPerRun(200, func() {
			unix.Write(f.peers[0], one)
			b.r.Poll()
		})
		require.Zero(t, got)
		i := b.r.Endpoints()[0]
		require.Equal(t, int64(8*201), i.Messages)
		require.Zero(t, testing.AllocsPerRun(200, func() { b.r.Poll() }), "an idle turn")
	}
}

func BenchmarkIdleTurn(b *testing.B) {
	for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
		b.Run(sel.String(), func(b *testing.B) {
			r, err := New(Config{Selector: sel})
			require.NoError(b, err)
			defer r.Close()
			f := &fake{}
			defer f.cleanUp()
			h, err := Register(r, f)
			require.NoError(b, err)
			for i, _ := r.Lookup(h.ID()); i.State != endpoint.Open; i, _ = r.Lookup(h.ID()) {
				r.Poll()
			}
			for b.Loop() {
				r.Poll()
			}
		})
	}
}
