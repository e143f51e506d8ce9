package control

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/stream"
)

// silent is an endpoint whose connections stand and bring nothing.
type silent struct {
	name   string
	losses []*endpoint.LossError
}

func (s *silent) EndpointName() string { return s.name }
func (s *silent) Connect(context.Context, *endpoint.Connector) (endpoint.Hot, error) {
	return &silentHot{}, nil
}
func (s *silent) OnLoss(e *endpoint.LossError) endpoint.Action {
	s.losses = append(s.losses, e)
	return endpoint.Reconnect
}

type silentHot struct{}

func (*silentHot) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(now int64) int64 { return now + int64(time.Hour) }}
}
func (*silentHot) OnReady() (bool, error) { return false, stream.ErrWouldBlock }
func (*silentHot) OnWritable() error      { return nil }
func (*silentHot) OnTimer(int64) error    { return nil }
func (*silentHot) Close(int64) error      { return errors.New("closed") }

// bench is a server of reactors under manual clocks that the test polls.
type bench struct {
	t        *testing.T
	server   *Server
	reactors []*reactor.Reactor
	clock    *clock.Manual

	mu     sync.Mutex
	events []Event
}

func newBench(t *testing.T, change func(*Config), names ...string) *bench {
	b := &bench{t: t, clock: clock.NewManual(int64(time.Hour))}
	for _, name := range names {
		r, err := reactor.New(reactor.Config{Name: name, Seams: endpoint.Seams{Clock: b.clock}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, r.Close()) })
		b.reactors = append(b.reactors, r)
	}
	cfg := Config{
		Dir: filepath.Join(t.TempDir(), "boomnet"), Reactors: b.reactors, Timeout: time.Minute,
		Observer: func(e Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		},
	}
	if change != nil {
		change(&cfg)
	}
	s, err := Listen(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	b.server = s
	return b
}

// during polls the reactors until f has returned.
func (b *bench) during(f func()) {
	b.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f()
	}()
	b.until(func() bool {
		select {
		case <-ended:
			return true
		default:
			return false
		}
	})
}

// until polls the reactors until something is so.
func (b *bench) until(so func() bool) {
	b.t.Helper()
	for limit := time.Now().Add(30 * time.Second); !so(); {
		for _, r := range b.reactors {
			_, err := r.Poll()
			if err != nil {
				require.ErrorIs(b.t, err, reactor.ErrClosed)
			}
		}
		require.True(b.t, time.Now().Before(limit), "it takes too long")
		time.Sleep(10 * time.Microsecond)
	}
}

// asked waits, without polling, until a request has reached the first reactor: it has
// mail then.
func (b *bench) asked() {
	b.t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for ours, waiting := 0, 0; waiting == ours; time.Sleep(10 * time.Millisecond) {
		ours++ // the message of this look
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Microsecond)
		d, err := b.reactors[0].Dump(ctx)
		cancel()
		require.NoError(b.t, err)
		waiting = d.MailWait
		require.True(b.t, time.Now().Before(limit), "it takes too long")
	}
}

// open registers an endpoint with a reactor and waits until it is open.
func (b *bench) open(r *reactor.Reactor, name string) *silent {
	b.t.Helper()
	s := &silent{name: name}
	h, err := reactor.Register(r, s)
	require.NoError(b.t, err)
	b.until(func() bool {
		i, err := r.Lookup(h.ID())
		return err == nil && i.State == endpoint.Open
	})
	return s
}

func (b *bench) dial() *Client {
	b.t.Helper()
	c, err := Dial(context.Background(), b.server.Path())
	require.NoError(b.t, err)
	b.t.Cleanup(func() { c.Close() })
	return c
}

// last is the last event.
func (b *bench) last() Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	require.NotEmpty(b.t, b.events)
	return b.events[len(b.events)-1]
}

func requireCode(t *testing.T, err error, want Code, text string) {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Code)
	require.Contains(t, e.Text, text)
}

func TestHello(t *testing.T) {
	b := newBench(t, nil, "md", "orders")
	h := b.dial().Hello()
	require.Equal(t, Version, h.Version)
	require.Equal(t, os.Getpid(), h.PID)
	require.Equal(t, "control.test", h.Program)
	require.Equal(t, []string{"md", "orders"}, h.Reactors)
	require.WithinDuration(t, time.Now(), h.Started, time.Minute)
}

func TestIdleOfALiveReactor(t *testing.T) {
	b := newBench(t, nil, "md", "orders")
	c := b.dial()
	b.during(func() {
		done, err := c.SetIdle(t.Context(), "md", idle.Park(50*time.Microsecond))
		require.NoError(t, err)
		require.Equal(t, []string{"md"}, done)
		require.Equal(t, idle.Park(50*time.Microsecond), b.reactors[0].Idle(), "it is so when the answer comes")
	})
	require.Equal(t, idle.Backoff, b.reactors[1].Idle())
	e := b.last()
	require.Equal(t, Event{
		Time: e.Time, UID: os.Geteuid(), PID: os.Getpid(), Command: "control.test",
		Do: "idle", Reactor: "md", Idle: "park(50µs)", Reactors: []string{"md"},
	}, e)

	_, err := c.SetIdle(t.Context(), "mdx", idle.Spin)
	requireCode(t, err, NotFound, `control: no such reactor: "mdx": want "md" or "orders"`)
	require.Error(t, b.last().Err)
	_, err = c.SetIdle(t.Context(), "", idle.Spin)
	requireCode(t, err, BadRequest, `needs "reactor"`)
}

func TestResetOverTheSocket(t *testing.T) {
	b := newBench(t, nil, "md", "orders")
	b.clock.Advance(time.Minute)
	c := b.dial()
	b.during(func() {
		done, err := c.ResetHistograms(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, []string{"md", "orders"}, done)
		done, err = c.ResetHistograms(t.Context(), "orders")
		require.NoError(t, err)
		require.Equal(t, []string{"orders"}, done)
		d, err := c.Dump(t.Context(), "")
		require.NoError(t, err)
		require.Zero(t, d.Reactors[0].HistogramsFor)
	})
}

func TestDropOverTheSocket(t *testing.T) {
	b := newBench(t, nil, "md", "orders")
	trades, gateway := b.open(b.reactors[0], "btcusdt@trade"), b.open(b.reactors[1], "gateway")
	one, two := b.open(b.reactors[0], "twin"), b.open(b.reactors[1], "twin")
	c := b.dial()
	b.during(func() {
		n, err := c.Drop(t.Context(), "", "btcusdt@trade")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	require.Len(t, trades.losses, 1)
	var dropped *endpoint.DroppedError
	require.ErrorAs(t, trades.losses[0], &dropped)
	require.Equal(t, b.last().Who(), dropped.Why)
	require.Regexp(t, `^uid \d+, pid \d+ \(control\.test\)$`, dropped.Why)
	require.Equal(t, 1, b.last().Dropped)
	require.Empty(t, gateway.losses)
	b.during(func() {
		_, err := c.Drop(t.Context(), "", "btcusdt@trade")
		requireCode(t, err, NotFound, `endpoint "btcusdt@trade" is in state backoff`)
		_, err = c.Drop(t.Context(), "orders", "btcusdt@trade")
		requireCode(t, err, NotFound, `reactor: no such endpoint: "btcusdt@trade"`)
		_, err = c.Drop(t.Context(), "", "gatway")
		requireCode(t, err, NotFound, `did you mean "gateway"?`)
		n, err := c.Drop(t.Context(), "orders", "twin")
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	require.Empty(t, one.losses)
	require.Len(t, two.losses, 1)
	b.clock.Advance(time.Second) // past the back-off
	b.until(func() bool { return b.reactors[1].Endpoints()[1].State == endpoint.Open })
	b.during(func() {
		n, err := c.Drop(t.Context(), "", "twin")
		require.NoError(t, err)
		require.Equal(t, 2, n)
	})
}

func TestDumpOverTheSocket(t *testing.T) {
	b := newBench(t, nil, "md", "orders")
	b.open(b.reactors[0], "btcusdt@trade")
	c := b.dial()
	b.during(func() {
		d, err := c.Dump(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, os.Getpid(), d.PID)
		require.Equal(t, "control.test", d.Program)
		require.Positive(t, d.GOMAXPROCS)
		require.Len(t, d.Reactors, 2)
		require.Equal(t, "md", d.Reactors[0].Name)
		require.Equal(t, "btcusdt@trade", d.Reactors[0].Endpoints[0].Name)
		require.Equal(t, "open", d.Reactors[0].Endpoints[0].State)
		require.Empty(t, d.Reactors[1].Endpoints)
		text, err := json.Marshal(d)
		require.NoError(t, err)
		require.Contains(t, string(text), `"endpoints":[]`)

		d, err = c.Dump(t.Context(), "orders")
		require.NoError(t, err)
		require.Len(t, d.Reactors, 1)
		_, err = c.Dump(t.Context(), "none")
		requireCode(t, err, NotFound, "no such reactor")
	})
}

// Reactors that do not turn are shown as what they are, and cost their time once.
func TestStuckReactors(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeout = 50 * time.Millisecond }, "a", "b", "c")
	c := b.dial() // and nobody polls
	d, err := c.Dump(t.Context(), "")
	require.NoError(t, err)
	for _, r := range d.Reactors {
		require.NotNil(t, r.Stuck)
		require.False(t, r.Stuck.Driven)
	}
	_, err = c.SetIdle(t.Context(), "a", idle.Spin)
	requireCode(t, err, Stuck, "has not turned for")
	requireCode(t, err, Stuck, "; it is done when the reactor turns again")
	require.Empty(t, b.last().Reactors)
	b.until(func() bool { return b.reactors[0].Idle() == idle.Spin })

	// One of three turns.
	b.reactors = b.reactors[:1]
	b.during(func() {
		done, err := c.ResetHistograms(t.Context(), "")
		requireCode(t, err, Stuck, `"b" has not turned`)
		requireCode(t, err, Stuck, `"c" has not turned`)
		require.Equal(t, []string{"a"}, done)
		require.Equal(t, []string{"a"}, err.(*Error).Reactors)
	})
}

func TestReactorsThatComeAndGo(t *testing.T) {
	var now atomic.Pointer[[]*reactor.Reactor]
	now.Store(new([]*reactor.Reactor))
	b := newBench(t, nil, "md", "orders")
	s, err := Listen(Config{Dir: t.TempDir() + "/other", Find: func() []*reactor.Reactor { return *now.Load() }})
	require.NoError(t, err)
	defer s.Close()
	c, err := Dial(t.Context(), s.Path())
	require.NoError(t, err)
	defer c.Close()
	require.Empty(t, c.Hello().Reactors)
	_, err = c.Dump(t.Context(), "")
	requireCode(t, err, NotFound, "the process has none")
	now.Store(&b.reactors)
	require.NoError(t, b.reactors[1].Close())
	b.during(func() {
		d, err := c.Dump(t.Context(), "")
		require.NoError(t, err)
		require.Len(t, d.Reactors, 1, "the one that has ended is no failure")
		_, err = c.Dump(t.Context(), "orders")
		requireCode(t, err, Failed, "reactor: closed")
		done, err := c.ResetHistograms(t.Context(), "")
		require.NoError(t, err)
		require.Equal(t, []string{"md"}, done)
	})
}

func TestConfigIsChecked(t *testing.T) {
	r := []*reactor.Reactor{nil}
	for _, c := range []struct {
		cfg Config
		err string
	}{
		{Config{}, "neither Reactors nor Find is set"},
		{Config{Reactors: r, Timeout: -1}, "Timeout -1ns is negative"},
		{Config{Reactors: r, IOTimeout: -1}, "IOTimeout -1ns is negative"},
		{Config{Reactors: r, IdleTimeout: -1}, "IdleTimeout -1ns is negative"},
		{Config{Reactors: r, MaxConns: -1}, "MaxConns -1 is negative"},
	} {
		_, err := Listen(c.cfg)
		require.ErrorContains(t, err, c.err)
	}
}
