package reactor

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

type order struct{ ID, Price int64 }

type report struct{ ID int64 }

func named(name string) func(*Config) { return func(c *Config) { c.Name = name } }

func linked[T any](t testing.TB, from, to *Reactor, cfg LinkConfig, handle func(*T)) *Sender[T] {
	s, err := Link(from, to, cfg, handle)
	require.NoError(t, err)
	return s
}

func inbox[T any](t testing.TB, to *Reactor, capacity int, handle func(*T)) *Inbox[T] {
	i, err := NewInbox(to, capacity, handle)
	require.NoError(t, err)
	return i
}

// turn is one turn of b's reactor.
func (b *bench) turn() int {
	work, err := b.r.Poll()
	require.NoError(b.t, err)
	return work
}

// Random bursts over two links and an inbox, with random turns: everything that was
// accepted is handled once, in the order of its way, no more than 64 a turn and way.
func TestMessagesKeepTheirOrder(t *testing.T) {
	a, b := newBench(t, named("a")), newBench(t, named("b"))
	var orders, reports, posts []int64
	handled := 0
	toB := linked(t, a.r, b.r, LinkConfig{Capacity: 256}, func(o *order) {
		require.Equal(t, o.ID, -o.Price)
		orders = append(orders, o.ID)
		handled++
	})
	toA := linked(t, b.r, a.r, LinkConfig{Capacity: 100, Wake: true}, func(r *report) { reports = append(reports, r.ID) })
	box := inbox(t, b.r, 50, func(v *int64) { posts = append(posts, *v) })
	require.Equal(t, 128, toA.Info().Capacity, "rounded up")
	require.Equal(t, 64, box.Info().Capacity)

	rng := rand.New(rand.NewPCG(3, 4))
	var sent, back, posted int64
	for range 2000 {
		switch rng.IntN(6) {
		case 0:
			for range rng.IntN(100) {
				if o, res := toB.Claim(); res == ring.Accepted {
					o.ID, o.Price = sent, -sent
					toB.Publish()
					sent++
				}
			}
		case 1:
			batch, _ := toB.ClaimBatch(rng.IntN(40) + 1)
			for i := range batch {
				batch[i] = order{sent, -sent}
				sent++
			}
			toB.PublishBatch(len(batch))
		case 2:
			for range rng.IntN(100) {
				if toA.Offer(report{back}) == ring.Accepted {
					back++
				}
			}
		case 3:
			for range rng.IntN(50) {
				if box.Post(posted) == ring.Accepted {
					posted++
				}
			}
		case 4:
			a.turn()
		case 5:
			before := handled
			b.turn()
			require.LessOrEqual(t, handled-before, maxInbound)
		}
	}
	a.poll()
	b.poll()
	for i, got := range map[*[]int64]int64{&orders: sent, &reports: back, &posts: posted} {
		require.Len(t, *i, int(got))
		for k, v := range *i {
			require.Equal(t, int64(k), v)
		}
	}
	require.Equal(t, []LinkInfo{
		{From: "a", To: "b", Message: "reactor.order", Capacity: 256, Sent: uint64(sent), Handled: uint64(sent), Refused: toB.Info().Refused, HighWater: toB.Info().HighWater},
		{To: "b", Message: "int64", Capacity: 64, Sent: uint64(posted), Handled: uint64(posted), Refused: box.Info().Refused, HighWater: box.Info().HighWater},
	}, b.r.Links())
	require.Positive(t, toB.Info().HighWater)
	require.Positive(t, box.Info().HighWater)
}

func TestAFullLinkAnswersBackPressured(t *testing.T) {
	a, b := newBench(t), newBench(t)
	s := linked(t, a.r, b.r, LinkConfig{Capacity: 4}, func(*order) {})
	box := inbox(t, b.r, 4, func(*order) {})
	for range 4 {
		require.Equal(t, ring.Accepted, s.Offer(order{}))
		require.Equal(t, ring.Accepted, box.Post(order{}))
	}
	require.Equal(t, ring.BackPressured, s.Offer(order{}))
	require.Equal(t, ring.BackPressured, box.Post(order{}))
	none, res := s.Claim()
	require.Nil(t, none)
	require.Equal(t, ring.BackPressured, res)
	require.Equal(t, uint64(4), s.Info().Waiting)
	b.poll()
	require.Equal(t, ring.Accepted, s.Offer(order{}))
	require.Equal(t, ring.Accepted, box.Post(order{}))
	require.Equal(t, uint64(2), s.Info().Refused)
	require.Equal(t, uint64(1), box.Info().Refused)
}

func TestOneLinkForEachMessage(t *testing.T) {
	a, b := newBench(t, named("feed")), newBench(t, named("strategy"))
	s := linked(t, a.r, b.r, LinkConfig{}, func(*order) {})
	linked(t, a.r, b.r, LinkConfig{}, func(*report) {})
	linked(t, b.r, a.r, LinkConfig{}, func(*order) {})
	linked(t, b.r, b.r, LinkConfig{}, func(*order) {})
	inbox(t, b.r, 0, func(*order) {})
	_, err := Link(a.r, b.r, LinkConfig{}, func(*order) {})
	require.EqualError(t, err, "reactor: linked already: link from feed to strategy for reactor.order")
	require.ErrorIs(t, err, ErrLinked)
	_, err = NewInbox(b.r, 0, func(*order) {})
	require.EqualError(t, err, "reactor: linked already: inbox of strategy for reactor.order")
	s.Close()
	_, err = Link(a.r, b.r, LinkConfig{}, func(*order) {})
	require.ErrorIs(t, err, ErrLinked, "its receiver has not seen the end yet")
	b.poll()
	linked(t, a.r, b.r, LinkConfig{}, func(*order) {})
	require.Len(t, b.r.Links(), 4, "the new one takes the place of the one that has ended")

	for _, err := range []error{
		second(Link[order](nil, b.r, LinkConfig{}, func(*order) {})),
		second(Link[order](a.r, nil, LinkConfig{}, func(*order) {})),
		second(Link[int](a.r, b.r, LinkConfig{}, nil)),
		second(NewInbox[int](nil, 0, func(*int) {})),
		second(NewInbox[int](b.r, 0, nil)),
	} {
		require.ErrorContains(t, err, "is nil")
	}
	require.ErrorIs(t, second(Link(a.r, b.r, LinkConfig{Capacity: -1}, func(*int) {})), ring.ErrCapacity)
	require.ErrorIs(t, second(NewInbox(b.r, ring.MaxCapacity+1, func(*int) {})), ring.ErrCapacity)
	full := newBench(t, func(c *Config) { c.Mailbox = 2 })
	inbox(t, full.r, 0, func(*int) {})
	inbox(t, full.r, 0, func(*string) {})
	require.ErrorIs(t, second(NewInbox(full.r, 0, func(*bool) {})), ErrMailboxFull)
	require.Len(t, full.r.Links(), 2)
}

func second[T any](_ T, err error) error { return err }

func TestALinkToItself(t *testing.T) {
	b := newBench(t)
	var got []int64
	var s *Sender[order]
	s = linked(t, b.r, b.r, LinkConfig{Wake: true}, func(o *order) {
		got = append(got, o.ID)
		if o.ID < 5 {
			s.Offer(order{ID: o.ID + 1})
		}
	})
	s.Offer(order{ID: 1})
	b.poll()
	require.Equal(t, []int64{1, 2, 3, 4, 5}, got)
}

func TestAClosedLinkIsDrained(t *testing.T) {
	a, b := newBench(t), newBench(t)
	n := 0
	s := linked(t, a.r, b.r, LinkConfig{}, func(*order) { n++ })
	box := inbox(t, b.r, 0, func(*order) { n++ })
	b.poll()
	watches := len(b.r.waiter.Words)
	for range 100 {
		s.Offer(order{})
		box.Post(order{})
	}
	s.Close()
	s.Close()
	box.Close()
	require.Equal(t, ring.Closed, s.Offer(order{}))
	require.Equal(t, ring.Closed, box.Post(order{}))
	b.poll()
	b.turn()
	require.Equal(t, 200, n)
	require.Empty(t, b.r.inbound)
	require.Zero(t, b.r.nap)
	require.Len(t, b.r.waiter.Words, watches-2)
	for _, i := range b.r.Links() {
		require.Equal(t, LinkInfo{From: i.From, To: "reactor", Message: "reactor.order", Capacity: 1024, Sent: 100, Handled: 100, Refused: 1, HighWater: 100}, i)
	}
}

// A reactor that ends handles what was sent before, while its connections still
// stand; the links out of it are drained by those who read them.
func TestAnEndIsInOrder(t *testing.T) {
	a, b, c := newBench(t, named("a")), newBench(t, named("b")), newBench(t, named("c"))
	var got []int64
	f := &fake{}
	h := register(b, f)
	b.setUp()
	var on *Sender[order]
	open := 0
	s := linked(t, a.r, b.r, LinkConfig{}, func(o *order) {
		if f.conn != nil && !f.conn.closed {
			open++
		}
		on.Offer(*o)
	})
	on = linked(t, b.r, c.r, LinkConfig{}, func(o *order) { got = append(got, o.ID) })
	back := linked(t, c.r, b.r, LinkConfig{}, func(*report) {})
	for i := range int64(200) { // more than a turn takes, and b has not seen the link yet
		s.Offer(order{ID: i})
	}
	require.NoError(t, b.r.Close())
	require.Equal(t, 200, open, "handled before the connection was closed")
	require.Equal(t, ring.Closed, s.Offer(order{}))
	require.Equal(t, ring.Closed, back.Offer(report{}))
	require.ErrorIs(t, s.Info().Err, ErrClosed)
	require.EqualError(t, s.Info().Err, "reactor: link from a to b for reactor.order has ended: reactor: closed")
	require.Zero(t, s.Info().Dropped)
	require.ErrorIs(t, second(Link(a.r, b.r, LinkConfig{}, func(*int) {})), ErrClosed)
	require.ErrorIs(t, second(Link(b.r, a.r, LinkConfig{}, func(*int) {})), ErrClosed)
	require.ErrorIs(t, second(NewInbox(b.r, 0, func(*int) {})), ErrClosed)
	a.poll()
	c.poll()
	c.turn()
	require.Len(t, got, 200)
	require.NoError(t, on.Info().Err, "its sender has ended it")
	require.Empty(t, c.r.inbound)
	_, err := b.r.Lookup(h.ID())
	require.ErrorIs(t, err, ErrStale)
}

// A handler that takes too long costs messages, which are counted, not the end.
func TestAnEndThatTakesTooLongDrops(t *testing.T) {
	a := newBench(t)
	b := newBench(t, func(c *Config) { c.CloseTimeout = time.Second })
	s := linked(t, a.r, b.r, LinkConfig{}, func(*order) { b.clock.Advance(10 * time.Millisecond) })
	for range 1000 {
		s.Offer(order{})
	}
	require.NoError(t, b.r.Close())
	i := s.Info()
	require.Equal(t, uint64(128), i.Handled, "two batches of 64 are over a second")
	require.Equal(t, uint64(1000-128), i.Dropped)
	require.Zero(t, i.Waiting)
}

func TestAPanicOfAHandlerEndsItsLink(t *testing.T) {
	var told []error
	a := newBench(t, named("a"))
	b := newBench(t, named("b"), func(c *Config) { c.Report = func(err error) { told = append(told, err) } })
	n := 0
	s := linked(t, a.r, b.r, LinkConfig{}, func(o *order) {
		if o.ID == 2 {
			panic("boom")
		}
		n++
	})
	box := inbox(t, b.r, 0, func(r *report) { panic("bang") })
	other := linked(t, a.r, b.r, LinkConfig{}, func(*report) { n++ })
	for i := range int64(5) {
		s.Offer(order{ID: i})
	}
	other.Offer(report{})
	box.Post(report{})
	b.poll()
	require.Equal(t, 3, n, "two orders, and the report behind them")
	require.Equal(t, ring.Closed, s.Offer(order{}))
	require.Equal(t, ring.Closed, box.Post(report{}))
	require.Equal(t, ring.Accepted, other.Offer(report{}))
	require.Equal(t, uint64(3), s.Info().Dropped, "the one that panicked and those behind it")
	require.Equal(t, uint64(2), s.Info().Handled)
	require.Equal(t, uint64(1), box.Info().Dropped)
	require.Len(t, told, 2)
	var link *LinkError
	require.ErrorAs(t, told[0], &link)
	require.Equal(t, "a", link.From)
	var panicked *endpoint.PanicError
	require.ErrorAs(t, s.Info().Err, &panicked)
	require.Equal(t, "boom", panicked.Value)
	require.ErrorContains(t, told[1], "reactor: inbox of b for reactor.report has ended: ")

	b.r.requestStop()
	require.ErrorContains(t, b.r.Run(context.Background()), "boom", "and Run says it at the end")
}

func TestCrashLetsAHandlersPanicThrough(t *testing.T) {
	b := newBench(t, func(c *Config) { c.OnPanic = Crash })
	box := inbox(t, b.r, 0, func(*order) { panic("boom") })
	box.Post(order{})
	require.PanicsWithValue(t, "boom", func() { _, _ = b.r.Poll() })
	_, ok := b.r.mail.pop()
	require.False(t, ok)
	box.queue.drop() // so that the reactor can end
}

// Messages that do not wake bound a park, those that do end it.
func TestParksAreBounded(t *testing.T) {
	a, b := newBench(t), newBench(t)
	_ = linked(t, a.r, b.r, LinkConfig{Wake: true}, func(*order) {})
	inbox(t, b.r, 0, func(*order) {})
	b.poll()
	require.Zero(t, b.r.nap)
	s := linked(t, a.r, b.r, LinkConfig{}, func(*report) {})
	b.poll()
	require.Equal(t, maxNap, b.r.nap)
	start := time.Now()
	n, err := b.r.wait(0, time.Hour)
	require.NoError(t, err)
	require.Zero(t, n)
	require.GreaterOrEqual(t, time.Since(start), maxNap, "it did park")
	s.Close()
	b.poll()
	require.Zero(t, b.r.nap)
}

// The turn that begins the end does not park: nothing may be left to end that.
func TestTheEndDoesNotPark(t *testing.T) {
	b := newBench(t)
	b.r.requestStop()
	parks := b.r.Stats().Parks
	_, err := b.r.turn(5 * time.Second)
	require.NoError(t, err)
	require.Equal(t, parks, b.r.Stats().Parks)
}

// A message ends a park that would last for an hour, and costs one write.
func TestAMessageEndsAPark(t *testing.T) {
	for name, send := range map[string]func(t *testing.T, a, b *Reactor, got *atomic.Int64) func(){
		"link": func(t *testing.T, a, b *Reactor, got *atomic.Int64) func() {
			s := linked(t, a, b, LinkConfig{Wake: true}, func(*order) { got.Add(1) })
			return func() { s.Offer(order{}) }
		},
		"batch": func(t *testing.T, a, b *Reactor, got *atomic.Int64) func() {
			s := linked(t, a, b, LinkConfig{Wake: true}, func(*order) { got.Add(1) })
			return func() {
				_, res := s.ClaimBatch(1)
				require.Equal(t, ring.Accepted, res)
				s.PublishBatch(1)
			}
		},
		"claim": func(t *testing.T, a, b *Reactor, got *atomic.Int64) func() {
			s := linked(t, a, b, LinkConfig{Wake: true}, func(*order) { got.Add(1) })
			return func() {
				_, res := s.Claim()
				require.Equal(t, ring.Accepted, res)
				s.Publish()
			}
		},
		"inbox": func(t *testing.T, _, b *Reactor, got *atomic.Int64) func() {
			i := inbox(t, b, 0, func(*order) { got.Add(1) })
			return func() { i.Post(order{}) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := newBench(t)
			b, err := New(Config{})
			require.NoError(t, err)
			var got atomic.Int64
			post := send(t, a.r, b, &got)
			done := make(chan error)
			go func() { // as Run does, which would not park for more than a second
				var err error
				for !b.stop.Load() && err == nil {
					_, err = b.turn(time.Hour)
				}
				done <- err
			}()
			for n := int64(1); n <= 20; n++ {
				require.True(t, eventually(b.parked.Load))
				post()
				require.True(t, eventually(func() bool { return got.Load() == n }))
			}
			b.requestStop()
			require.NoError(t, <-done)
			require.NoError(t, b.Close())
		})
	}
}

// While a reactor ends, others send to it: each message is handled, refused or
// counted as dropped.
func TestClosingWhileSending(t *testing.T) {
	for range 20 {
		a := newBench(t)
		b, err := New(Config{Idle: idle.Yield, CloseTimeout: time.Minute}) // which a busy machine may need
		require.NoError(t, err)
		var handled atomic.Uint64
		s := linked(t, a.r, b, LinkConfig{Capacity: 64}, func(*order) { handled.Add(1) })
		box := inbox(t, b, 64, func(*order) { handled.Add(1) })
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- b.Run(ctx) }()
		var wg sync.WaitGroup
		var accepted atomic.Uint64
		flood := func(send func() ring.Result) {
			wg.Go(func() {
				for {
					switch send() {
					case ring.Accepted:
						accepted.Add(1)
					case ring.BackPressured:
						runtime.Gosched() // b may be on the same core
					case ring.Closed:
						return
					}
				}
			})
		}
		flood(func() ring.Result { return s.Offer(order{}) })
		for range 3 {
			flood(func() ring.Result { return box.Post(order{}) })
		}
		require.True(t, eventually(func() bool { return handled.Load() > 100 }))
		cancel()
		require.NoError(t, <-done)
		wg.Wait()
		l, i := s.Info(), box.Info()
		require.Equal(t, accepted.Load(), l.Sent+i.Sent)
		require.Equal(t, handled.Load(), l.Handled+i.Handled)
		require.Equal(t, accepted.Load(), handled.Load()+l.Dropped+i.Dropped)
		require.LessOrEqual(t, l.Dropped, uint64(1), "one was between claim and publish")
		require.LessOrEqual(t, i.Dropped, uint64(3))
	}
}

// A poster whose thread is not run between taking its place and storing its message
// holds up those behind it; the end of the reactor waits for it.
func TestClosingWaitsForAPosterThatWasHeldUp(t *testing.T) {
	b := newBench(t)
	var got []int
	box := inbox(t, b.r, 8, func(v *int) { got = append(got, *v) })
	b.poll()
	q := box.queue
	require.True(t, atomic.CompareAndSwapUint64(&q.tail, 0, 1)) // as push takes its place
	require.Equal(t, ring.Accepted, box.Post(2))
	require.False(t, q.stored())
	go func() {
		eventually(box.closed.Load) // the end has begun
		time.Sleep(20 * time.Millisecond)
		q.cells[0].item = 1
		q.cells[0].seq.Store(1)
	}()
	b.r.Close()
	require.Equal(t, []int{1, 2}, got)
	require.True(t, q.stored())
	require.Zero(t, box.Info().Dropped)
}

func TestSendingAllocatesNothing(t *testing.T) {
	a, b := newBench(t), newBench(t)
	n := 0
	quiet := linked(t, a.r, b.r, LinkConfig{}, func(o *order) { n += int(o.ID) })
	wake := linked(t, a.r, b.r, LinkConfig{Wake: true}, func(o *report) { n += int(o.ID) })
	box := inbox(t, b.r, 0, func(v *int) { n += *v })
	b.poll()
	require.Zero(t, testing.AllocsPerRun(200, func() {
		o, _ := quiet.Claim()
		o.ID = 1
		quiet.Publish()
		wake.Offer(report{1})
		box.Post(1)
		b.r.Poll()
	}))
	require.Equal(t, 3*201, n)
}

func TestAnInboxManyPosters(t *testing.T) {
	const posters, each = 8, 5000
	b, err := New(Config{})
	require.NoError(t, err)
	type post struct{ who, n int }
	next := make([]int, posters)
	var bad, got atomic.Int64
	i := inbox(t, b, 64, func(p *post) {
		if next[p.who] != p.n {
			bad.Add(1)
		}
		next[p.who]++
		got.Add(1)
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- b.Run(ctx) }()
	var wg sync.WaitGroup
	for who := range posters {
		wg.Go(func() {
			for n := 0; n < each; {
				if i.Post(post{who, n}) == ring.Accepted {
					n++
				} else {
					time.Sleep(10 * time.Microsecond)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	require.NoError(t, <-done)
	require.Zero(t, bad.Load())
	require.Equal(t, int64(posters*each), got.Load(), "what was accepted before the end is handled")
}
