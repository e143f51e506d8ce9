package reactor

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// waiting are the strategies that wait in system-call state, where they can be had.
func waiting() (out []idle.Strategy) {
	for _, s := range []idle.Strategy{idle.SpinWait, idle.Exclusive} {
		if s.Check() == nil {
			out = append(out, s)
		}
	}
	return out
}

// allow has the process be one in which c.Idle may run: with a processor to spare
// where it waits, also on a machine of one core.
func allow(t *testing.T, c *Config) {
	if n := runtime.GOMAXPROCS(0); c.Idle.Waits() && n < 2 {
		runtime.GOMAXPROCS(2)
		t.Cleanup(func() { runtime.GOMAXPROCS(n) })
	}
	if c.Idle == idle.Exclusive {
		c.OnPanic = Crash
		before := debug.SetGCPercent(-1)
		t.Cleanup(func() { debug.SetGCPercent(before) })
	}
}

// eachWaiting runs f on every selector and waiting strategy; none in a build without.
func eachWaiting(t *testing.T, f func(t *testing.T, c Config)) {
	for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
		for _, s := range waiting() {
			t.Run(sel.String()+"/"+s.String(), func(t *testing.T) {
				c := Config{Selector: sel, Idle: s}
				allow(t, &c)
				f(t, c)
			})
		}
	}
}

// start runs a reactor for the length of the test.
func start(t *testing.T, c Config) *Reactor {
	r, err := New(c)
	require.NoError(t, err)
	done := make(chan error)
	go func() { done <- r.Run(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, <-done)
	})
	return r
}

func open(t *testing.T, r *Reactor, f endpoint.Protocol) ID {
	h, err := Register(r, f)
	require.NoError(t, err)
	require.True(t, eventually(func() bool { i, _ := r.Lookup(h.ID()); return i.State == endpoint.Open }))
	return h.ID()
}

func TestAWaitThatCannotBeHadIsRefused(t *testing.T) {
	for _, s := range []idle.Strategy{idle.SpinWait, idle.Exclusive} {
		err := s.Check()
		if err == nil {
			continue
		}
		c := Config{Idle: s}
		allow(t, &c)
		_, got := New(c)
		require.ErrorContains(t, got, err.Error())
		require.ErrorIs(t, got, idle.ErrBuildTag)
	}
}

func TestExclusiveIsRefusedWhereItMustNotRun(t *testing.T) {
	if err := idle.Exclusive.Check(); err != nil {
		t.Skip(err)
	}
	_, err := New(Config{Idle: idle.Exclusive})
	require.ErrorIs(t, err, ErrExclusive)
	require.ErrorContains(t, err, "OnPanic")
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	_, err = New(Config{Idle: idle.Exclusive, OnPanic: Crash})
	require.ErrorIs(t, err, ErrExclusive)
	require.ErrorContains(t, err, "garbage collector")
	debug.SetGCPercent(-1)
	r, err := New(Config{Idle: idle.Exclusive, OnPanic: Crash})
	require.NoError(t, err)
	defer r.Close()
	require.Equal(t, idle.Exclusive, r.Idle())
	require.NoError(t, r.IdleFallback())
}

// within requires that f once takes less than limit: on a busy machine not always.
func within(t *testing.T, limit time.Duration, what string, f func()) {
	for range 200 {
		time.Sleep(time.Millisecond) // the reactor waits by then
		begin := time.Now()
		f()
		if time.Since(begin) < limit {
			return
		}
	}
	require.Fail(t, "it always costs more than "+limit.String(), what)
}

func TestNothingCostsAWholeWait(t *testing.T) {
	eachWaiting(t, func(t *testing.T, c Config) {
		r := start(t, c)
		var mail, read, fired atomic.Int64
		until := func(n *atomic.Int64, want int64) {
			for n.Load() < want {
				runtime.Gosched()
			}
		}
		post := func() {
			want := mail.Load() + 1
			require.NoError(t, Each(r, func(Info, endpoint.Protocol) { mail.Add(1) }))
			until(&mail, want)
		}
		f := &fake{onByte: func(*fake, byte) error { read.Add(1); return nil }}
		t.Cleanup(f.cleanUp)
		open(t, r, f)
		within(t, idle.MaxWait/2, "mail", post)
		within(t, idle.MaxWait/2, "input", func() {
			want := read.Load() + 1
			f.send(t, "x")
			until(&read, want)
		})

		clockwork := &timed{fired: &fired}
		open(t, r, clockwork)
		within(t, idle.MaxWait*4/5, "a timer after 1 ms", func() {
			want := fired.Load() + 1
			clockwork.arm.Store(true)
			post() // the next read sets the timer
			until(&fired, want)
		})

		// A word of a ring.
		var word uint64
		added := make(chan struct{})
		require.NoError(t, r.post(mailOf(func() {
			r.watch(&word)
			close(added)
		})))
		<-added
		within(t, idle.MaxWait/2, "a word", func() {
			turns := r.Stats().Turns
			atomic.AddUint64(&word, 1)
			for r.Stats().Turns == turns {
				runtime.Gosched()
			}
		})
	})
}

func mailOf(f func()) mail { return mail{kind: mailCall, call: f} }

// timed sets a timer for 1 ms when it is armed.
type timed struct {
	fake
	arm   atomic.Bool
	fired *atomic.Int64
}

type timedHot struct {
	fakeHot
	f *timed
}

func (f *timed) Connect(context.Context, *endpoint.Connector) (endpoint.Hot, error) {
	return &timedHot{f: f}, nil
}
func (h *timedHot) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(now int64) int64 { return now + int64(100*time.Microsecond) }}
}
func (h *timedHot) OnAttach(at endpoint.Attachment) error { h.at = at; return nil }
func (h *timedHot) OnDetach()                             {}
func (h *timedHot) Discard()                              {}
func (h *timedHot) OnReady() (bool, error) {
	if h.f.arm.CompareAndSwap(true, false) {
		h.at.SetTimer(h.at.Now() + int64(time.Millisecond))
	}
	return false, nil
}
func (h *timedHot) OnTimer(int64) error { h.f.fired.Add(1); return nil }

// busy always has work.
type busy struct{ fake }

type busyHot struct{ fakeHot }

func (f *busy) Connect(context.Context, *endpoint.Connector) (endpoint.Hot, error) {
	return &busyHot{}, nil
}
func (h *busyHot) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(now int64) int64 { return now }}
}
func (h *busyHot) OnAttach(endpoint.Attachment) error { return nil }
func (h *busyHot) OnDetach()                          {}
func (h *busyHot) Discard()                           {}
func (h *busyHot) OnReady() (bool, error)             { return true, nil }

// The world stops and is collected while a reactor waits, and while it never does.
func TestTheWorldStopsBesideAWaitingReactor(t *testing.T) {
	eachWaiting(t, func(t *testing.T, c Config) {
		r := start(t, c)
		stop := func() {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			runtime.GC()
			runtime.Stack(make([]byte, 1<<16), true)
		}
		for range 20 {
			stop()
		}
		turns := r.Stats().Turns
		open(t, r, &busy{})
		require.True(t, eventually(func() bool { return r.Stats().Turns > turns+1000 }))
		for range 20 {
			stop()
		}
	})
}

// What belongs to the life of an endpoint may block, exclusive or not.
func TestTheLifeOfAnEndpointMayBlock(t *testing.T) {
	eachWaiting(t, func(t *testing.T, c Config) {
		var mu sync.Mutex
		block := func() {
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(time.Millisecond)
		}
		stop := make(chan struct{})
		var contender sync.WaitGroup
		contender.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					block()
				}
			}
		})
		c.Seams.Observer = func(endpoint.Event) { block() }
		r := start(t, c)
		f := &blocking{block: block}
		t.Cleanup(f.cleanUp)
		id := open(t, r, f)
		for n := range int64(3) {
			require.NoError(t, r.post(mailOf(f.hangUp))) // the connectors' order with it is the reactor's
			require.True(t, eventually(func() bool { i, _ := r.Lookup(id); return i.Opens == n+2 }))
		}
		require.NoError(t, Deregister(r, Handle[*blocking]{id}))
		require.True(t, eventually(func() bool { _, err := r.Lookup(id); return err == ErrStale }))
		close(stop)
		contender.Wait()
	})
}

// blocking blocks when it is told of a loss.
type blocking struct {
	fake
	block func()
}

func (f *blocking) OnLoss(*endpoint.LossError) endpoint.Action {
	f.block()
	return endpoint.Reconnect
}

func TestAWaitingTurnAllocatesNothing(t *testing.T) {
	eachWaiting(t, func(t *testing.T, c Config) {
		r, err := New(c)
		require.NoError(t, err)
		defer r.Close()
		r.waits = true
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := r.turn(time.Microsecond); err != nil {
				t.Error(err)
			}
		}))
	})
}
