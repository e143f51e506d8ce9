package reactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

func register(b *bench, f *fake) Handle[*fake] {
	h, err := Register(b.r, f)
	require.NoError(b.t, err)
	b.t.Cleanup(f.cleanUp)
	b.poll()
	return h
}

func TestALifeFromRegisterToReconnect(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	h := register(b, f)
	require.Equal(t, endpoint.Resolving, b.state(h.ID()))
	b.setUp()
	require.Equal(t, endpoint.Open, b.state(h.ID()))
	f.send(t, "hello")
	b.poll()
	require.Equal(t, "hello", string(f.got))
	require.Empty(t, f.losses)

	f.hangUp()
	b.poll()
	require.Len(t, f.losses, 1)
	require.ErrorIs(t, f.losses[0], io.EOF)
	require.Equal(t, endpoint.Open, f.losses[0].Phase)
	require.Equal(t, uint32(1), f.losses[0].Conn)
	require.Equal(t, endpoint.Backoff, b.state(h.ID()))
	require.Empty(t, b.tasks, "not before the back-off is over")

	b.advance(100 * time.Millisecond)
	require.Len(t, b.tasks, 1)
	b.setUp()
	require.Equal(t, endpoint.Open, b.state(h.ID()))
	f.send(t, " again")
	b.poll()
	require.Equal(t, "hello again", string(f.got))
	i, err := b.r.Lookup(h.ID())
	require.NoError(t, err)
	require.Equal(t, int64(1), i.Reconnects())
	require.Equal(t, int64(11), i.Messages)
	require.Equal(t, int64(1), i.Losses)
	require.Equal(t, f.losses[0], i.Loss)

	var states []string
	for _, e := range b.events {
		states = append(states, e.State.String())
	}
	require.Equal(t, "resolving open backoff resolving open", strings.Join(states, " "))
}

func TestAFrameAndTheEndInOneGo(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	register(b, f)
	b.setUp()
	f.send(t, "0123456789abcdefghij") // more than one read's worth
	f.hangUp()
	b.poll()
	require.Equal(t, "0123456789abcdefghij", string(f.got))
	require.Len(t, f.losses, 1)
}

func TestEveryStateOfTheSetUpHasADeadline(t *testing.T) {
	for _, state := range []endpoint.State{endpoint.Resolving, endpoint.Connecting, endpoint.Securing, endpoint.Upgrading} {
		t.Run(state.String(), func(t *testing.T) {
			b := newBench(t)
			var ended error
			f := &fake{
				policy: endpoint.Policy{
					ResolveTimeout: time.Second, ConnectTimeout: 2 * time.Second,
					SecureTimeout: 3 * time.Second, UpgradeTimeout: 4 * time.Second,
				},
				connect: func(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
					for s := endpoint.Connecting; s <= state; s++ {
						via.Enter(s)
					}
					<-ctx.Done()
					ended = context.Cause(ctx)
					return nil, ctx.Err()
				},
			}
			h := register(b, f)
			stuck := make(chan struct{})
			task := b.tasks[0]
			b.tasks = nil
			go func() { task(); close(stuck) }()
			for b.state(h.ID()) != state {
				b.poll()
			}
			limit := f.policy.Timeout(state)
			b.advance(limit - 1)
			require.Empty(t, f.losses)
			b.advance(1)
			require.Len(t, f.losses, 1)
			var late *endpoint.DeadlineError
			require.ErrorAs(t, f.losses[0], &late)
			require.Equal(t, endpoint.DeadlineError{State: state, After: limit}, *late)
			require.True(t, late.Timeout())
			require.Equal(t, state, f.losses[0].Phase)
			<-stuck
			require.ErrorAs(t, ended, &late, "the set-up is told why")
			b.poll()
			require.Len(t, f.losses, 1, "its late outcome is no second loss")
		})
	}
}

func TestAConnectionThatComesTooLateIsDiscarded(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	inner := &fake{}
	f.connect = func(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
		return inner.Connect(ctx, via) // obeys no deadline
	}
	register(b, f)
	t.Cleanup(inner.cleanUp)
	b.advance(5 * time.Second)
	require.Len(t, f.losses, 1)
	b.setUp()
	require.True(t, eventually(func() bool { b.poll(); return inner.discarded.Load() == 1 }))
	require.Nil(t, f.conn)
}

func TestBackOffGrowsAndStartsOverAfterAHealthyConnection(t *testing.T) {
	b := newBench(t)
	f := &fake{connect: func(context.Context, *endpoint.Connector) (endpoint.Hot, error) { return nil, errRefused }}
	register(b, f)
	var most time.Duration
	for n := 1; n <= 12; n++ {
		b.setUp()
		require.Len(t, f.losses, n)
		require.ErrorIs(t, f.losses[n-1], errRefused)
		require.Equal(t, n, f.losses[n-1].Attempt)
		delay := b.events[len(b.events)-1].Delay
		bound := min(100*time.Millisecond<<(n-1), 30*time.Second)
		require.Less(t, delay, bound)
		most = max(most, delay)
		b.advance(max(delay, 1))
	}
	require.Greater(t, most, time.Second)

	f.connect = nil
	b.setUp()
	require.NotNil(t, f.conn)
	b.advance(9 * time.Second)
	f.send(t, "x")
	b.poll()
	f.hangUp()
	b.poll()
	require.Equal(t, 13, f.losses[12].Attempt, "nine seconds are not healthy")
	b.advance(30 * time.Second)
	b.setUp()
	b.advance(11 * time.Second)
	f.send(t, "x")
	b.poll()
	f.hangUp()
	b.poll()
	require.Equal(t, 1, f.losses[13].Attempt, "eleven seconds with data are")
}

func TestAHundredEndpointsAreSetUpSideBySide(t *testing.T) {
	const n = 100
	b := newBench(t)
	fakes := make([]*fake, n)
	for i := range fakes {
		fakes[i] = &fake{}
		register(b, fakes[i])
	}
	require.Len(t, b.tasks, n, "nobody waits for another")
	b.setUp()
	for _, f := range fakes {
		require.NotNil(t, f.conn)
		f.hangUp()
	}
	b.events = nil
	b.poll()
	delays := map[string]time.Duration{}
	for _, e := range b.events {
		require.Equal(t, endpoint.Backoff, e.State)
		delays[e.Name] = e.Delay
	}
	require.Len(t, delays, n)
	b.events = nil
	start := b.clock.Now()
	for range 100 {
		b.advance(time.Millisecond)
	}
	require.Len(t, b.tasks, n, "all of them within the first bound of 100 ms")
	last := time.Duration(-1)
	for _, e := range b.events {
		require.Equal(t, endpoint.Resolving, e.State)
		require.GreaterOrEqual(t, delays[e.Name], last, "in the order of their delays")
		last = delays[e.Name]
		began := time.Duration(e.At - start)
		require.GreaterOrEqual(t, began, last)
		require.LessOrEqual(t, began, last+time.Millisecond)
	}
	b.setUp()
	for _, f := range fakes {
		require.NotNil(t, f.conn)
	}
}

func TestStopAndMaxAttemptsGiveUp(t *testing.T) {
	refuse := func(context.Context, *endpoint.Connector) (endpoint.Hot, error) { return nil, errRefused }
	b := newBench(t)
	stop := &fake{connect: refuse, answer: endpoint.Stop}
	three := &fake{connect: refuse, policy: endpoint.Policy{MaxAttempts: 3}}
	h1, h2 := register(b, stop), register(b, three)
	for range 10 {
		b.setUp()
		b.advance(time.Minute)
	}
	require.Len(t, stop.losses, 1)
	require.Len(t, three.losses, 3)
	require.Equal(t, endpoint.Failed, b.state(h1.ID()))
	require.Equal(t, endpoint.Failed, b.state(h2.ID()))
	require.Empty(t, b.tasks)
}

func TestAPanicIsolatesItsEndpoint(t *testing.T) {
	b := newBench(t)
	bad := &fake{onByte: func(*fake, byte) error { panic("boom") }}
	good := &fake{}
	hb := register(b, bad)
	hg := register(b, good)
	b.setUp()
	bad.send(t, "x")
	good.send(t, "fine")
	b.poll()
	require.Equal(t, "fine", string(good.got))
	require.Equal(t, endpoint.Open, b.state(hg.ID()))
	require.Equal(t, endpoint.Failed, b.state(hb.ID()))
	require.Len(t, bad.losses, 1)
	var p *endpoint.PanicError
	require.ErrorAs(t, bad.losses[0], &p)
	require.Equal(t, "boom", p.Value)
	require.Contains(t, string(p.Stack), "TestAPanicIsolatesItsEndpoint")
	require.Equal(t, endpoint.User, bad.losses[0].Phase)
	b.advance(time.Hour)
	require.Empty(t, b.tasks, "a failed endpoint is not reconnected")
}

func TestAPanicInConnectIsALoss(t *testing.T) {
	b := newBench(t)
	f := &fake{connect: func(context.Context, *endpoint.Connector) (endpoint.Hot, error) { panic(errRefused) }}
	h := register(b, f)
	b.setUp()
	require.Len(t, f.losses, 1)
	require.ErrorIs(t, f.losses[0], errRefused)
	require.Equal(t, endpoint.Failed, b.state(h.ID()))
}

func TestCrashLetsThePanicThrough(t *testing.T) {
	b := newBench(t, func(c *Config) { c.OnPanic = Crash })
	f := &fake{onByte: func(f *fake, _ byte) error { f.onByte = nil; panic("boom") }}
	register(b, f)
	b.setUp()
	f.send(t, "x")
	require.PanicsWithValue(t, "boom", func() { b.r.Poll() })
}

func TestAnErrorOfTheUsersOwn(t *testing.T) {
	b := newBench(t)
	mine := errors.New("sequence gap")
	f := &fake{onByte: func(*fake, byte) error { return endpoint.ByUser(mine) }}
	register(b, f)
	b.setUp()
	f.send(t, "x")
	b.poll()
	require.Len(t, f.losses, 1)
	require.Equal(t, endpoint.User, f.losses[0].Phase)
	require.ErrorIs(t, f.losses[0], mine)
	require.Equal(t, "endpoint: connection 1 ended by its endpoint: sequence gap", f.losses[0].Error())
}

func TestBytesQueuedAreSentWhenWritableAndCountedWhenLost(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	h := register(b, f)
	b.setUp()
	require.NoError(t, Dispatch(b.r, h, func(f *fake, c *fakeHot) { c.out = append(c.out, "order"...) }))
	b.poll()
	b.poll()
	buf := make([]byte, 16)
	n := readAll(t, f.peers[0], buf)
	require.Equal(t, "order", string(buf[:n]))
	require.Empty(t, f.conn.out)

	f.conn.out = make([]byte, 77)
	f.hangUp()
	b.r.markReady(f.conn.at.(*conn))
	b.poll()
	require.Equal(t, 77, f.losses[0].Unsent)
	require.ErrorContains(t, f.losses[0], "77 accepted bytes never reached the kernel")
}

func TestTimersOfAConnection(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	register(b, f)
	b.setUp()
	now := b.clock.Now()
	f.conn.at.SetTimer(now + 50)
	f.conn.at.SetTimer(now + 20) // moves it
	b.advance(19)
	require.Empty(t, f.conn.timers)
	b.advance(1)
	b.advance(100)
	require.Equal(t, []int64{now + 20}, f.conn.timers)
	f.conn.at.SetTimer(now + 200)
	f.conn.at.SetTimer(0)
	b.advance(200)
	require.Len(t, f.conn.timers, 1)
}

// ticker is a stream without a descriptor: a message each 10 ns.
type ticker struct {
	fake
	reads []int64
}

func (f *ticker) Connect(context.Context, *endpoint.Connector) (endpoint.Hot, error) {
	return &tickerHot{f: f}, nil
}

type tickerHot struct {
	fakeHot
	f    *ticker
	next int64
}

func (h *tickerHot) OnAttach(at endpoint.Attachment) error {
	h.at, h.next = at, at.Now()+10
	return nil
}
func (h *tickerHot) OnDetach() {}
func (h *tickerHot) Discard()  {}
func (h *tickerHot) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(int64) int64 { return h.next }}
}
func (h *tickerHot) OnReady() (bool, error) {
	now := h.at.Now()
	if now < h.next {
		return false, stream.ErrWouldBlock
	}
	h.f.reads = append(h.f.reads, now)
	h.next += 10
	return false, nil
}

func TestAStreamWithoutADescriptorIsServedWithTheTimers(t *testing.T) {
	b := newBench(t)
	f := &ticker{}
	_, err := Register(b.r, f)
	require.NoError(t, err)
	b.poll()
	b.setUp()
	start := b.clock.Now()
	b.advance(10)
	b.advance(5)
	b.advance(5)
	b.advance(30) // three are due: one a turn
	var got []string
	for _, at := range f.reads {
		got = append(got, fmt.Sprint(at-start))
	}
	require.Equal(t, "10 20 50 50 50", strings.Join(got, " "))
}

func TestASourceThatNothingCanWatchIsALoss(t *testing.T) {
	b := newBench(t)
	f := &fake{}
	f.connect = func(context.Context, *endpoint.Connector) (endpoint.Hot, error) {
		return &fakeHot{f: f, fd: -1}, nil
	}
	register(b, f)
	b.setUp()
	require.Len(t, f.losses, 1)
	require.ErrorContains(t, f.losses[0], "neither a descriptor nor Source.Due")
}
