package reactor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
)

// renewable keeps each of its connections apart.
type renewable struct {
	fake
	hots     []*renewableHot
	again    time.Duration
	asked    int
	promoted []uint32
	refuse   error // of the next set-ups
}

func (f *renewable) OnExpire() time.Duration { f.asked++; return f.again }

func (f *renewable) Connect(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
	if f.refuse != nil {
		return nil, f.refuse
	}
	hot, err := f.fake.Connect(ctx, via)
	if err != nil {
		return nil, err
	}
	h := &renewableHot{fakeHot: hot.(*fakeHot), f: f, id: via.ID}
	h.closeStay = true
	f.hots = append(f.hots, h)
	return h, nil
}

type renewableHot struct {
	*fakeHot
	f  *renewable
	id uint32
}

func (h *renewableHot) OnAttach(at endpoint.Attachment) error {
	h.at = at
	if !at.Next() {
		h.f.conn = h.fakeHot
	}
	return nil
}
func (h *renewableHot) OnPromote() { h.f.promoted = append(h.f.promoted, h.id); h.f.conn = h.fakeHot }
func (h *renewableHot) OnDetach() {
	if h.f.conn == h.fakeHot {
		h.f.conn = nil
	}
}

func renewing(t *testing.T) (*bench, *renewable, ID) {
	b := newBench(t)
	f := &renewable{}
	f.policy = endpoint.Policy{TimeToLive: time.Minute, Overlap: 5 * time.Second, HealthyAfter: time.Second}
	h, err := Register(b.r, f)
	require.NoError(t, err)
	t.Cleanup(f.cleanUp)
	b.poll()
	b.setUp()
	return b, f, h.ID()
}

func TestARenewalMakesBeforeItBreaks(t *testing.T) {
	b, f, id := renewing(t)
	b.advance(time.Minute - 1)
	require.Empty(t, b.tasks)
	b.advance(1)
	require.Len(t, b.tasks, 1, "the next connection is being made")
	require.False(t, f.hots[0].closed)
	b.setUp()
	require.Len(t, f.hots, 2)
	require.Same(t, f.hots[0].fakeHot, f.conn, "the old one still carries the endpoint")
	f.onByte = nil
	send(t, f.peers[0], "old ")
	b.poll()
	send(t, f.peers[1], "new ")
	b.poll()
	require.Equal(t, "old new ", string(f.got), "both deliver")
	b.advance(5*time.Second - 1)
	require.Empty(t, f.promoted)
	b.advance(1)
	require.Equal(t, []uint32{2}, f.promoted)
	require.Same(t, f.hots[1].fakeHot, f.conn)
	require.True(t, f.hots[0].closed)
	send(t, f.peers[0], "last")
	b.poll()
	require.Equal(t, "old new last", string(f.got), "the old one is heard to its end")
	require.Equal(t, endpoint.Open, b.state(id))
	b.advance(5 * time.Second) // its peer does not answer the close
	require.Empty(t, f.losses, "being replaced is no loss")
	require.True(t, eventually(func() bool { return f.discarded.Load() == 1 }))
	i, err := b.r.Lookup(id)
	require.NoError(t, err)
	require.Equal(t, uint32(2), i.Conn)
	// And so on, from the opening of the new one.
	b.advance(50*time.Second - 1)
	require.Empty(t, b.tasks)
	b.advance(time.Second)
	require.Len(t, b.tasks, 1)
}

func send(t testing.TB, fd int, s string) {
	(&fake{peers: []int{fd}}).send(t, s)
}

func TestReadyEndsTheOverlapEarly(t *testing.T) {
	b, f, _ := renewing(t)
	f.conn.at.Ready() // on the current one it means nothing
	b.advance(time.Minute)
	b.setUp()
	f.hots[1].at.Ready()
	b.poll()
	require.Equal(t, []uint32{2}, f.promoted)
	require.True(t, f.hots[0].closed)
}

func TestAnEndpointMayPutARenewalOff(t *testing.T) {
	b, f, _ := renewing(t)
	f.again = 10 * time.Second
	b.advance(time.Minute)
	require.Equal(t, 1, f.asked)
	require.Empty(t, b.tasks)
	f.again = 0
	b.advance(10 * time.Second)
	require.Equal(t, 2, f.asked)
	require.Len(t, b.tasks, 1)
}

func TestAFailedRenewalIsTriedAgainAndHarmsNothing(t *testing.T) {
	b, f, id := renewing(t)
	f.refuse = errRefused
	b.advance(time.Minute)
	for n := 1; n <= 4; n++ {
		b.setUp()
		require.Len(t, f.losses, n)
		require.True(t, f.losses[n-1].Renewal)
		require.Equal(t, n, f.losses[n-1].Attempt)
		require.Equal(t, endpoint.Open, b.state(id))
		b.advance(time.Second)
		require.Len(t, b.tasks, 1)
	}
	require.Equal(t, 1, f.asked, "a retry does not ask again")
	f.answer = endpoint.Stop
	b.setUp()
	b.advance(30 * time.Second)
	require.Empty(t, b.tasks, "given up until the next is due")
	require.Equal(t, endpoint.Open, b.state(id))
	f.refuse, f.answer = nil, endpoint.Reconnect
	b.advance(31 * time.Second)
	b.setUp()
	b.advance(5 * time.Second)
	require.NotEmpty(t, f.promoted)
}

func TestTheLossOfTheOldConnectionDuringARenewal(t *testing.T) {
	t.Run("while the next is open", func(t *testing.T) {
		b, f, id := renewing(t)
		b.advance(time.Minute)
		b.setUp()
		closePeer(f, 0)
		b.poll()
		require.Equal(t, []uint32{2}, f.promoted, "it takes over at once")
		require.Equal(t, endpoint.Open, b.state(id))
		require.Len(t, f.losses, 1)
		require.False(t, f.losses[0].Renewal)
		require.ErrorIs(t, f.losses[0], io.EOF)
	})
	t.Run("while the next is being set up", func(t *testing.T) {
		b, f, id := renewing(t)
		b.advance(time.Minute)
		closePeer(f, 0)
		b.poll()
		require.Equal(t, endpoint.Resolving, b.state(id))
		require.Len(t, b.tasks, 1, "its set-up simply goes on")
		b.setUp()
		require.Equal(t, endpoint.Open, b.state(id))
		require.Same(t, f.hots[1].fakeHot, f.conn)
	})
}

func TestAConnectionThatOpensAndIsLostBeforeItTakesOverIsCounted(t *testing.T) {
	b, f, id := renewing(t)
	b.advance(time.Minute)
	b.setUp()
	closePeer(f, 1)
	b.poll()
	require.Len(t, f.losses, 1)
	require.True(t, f.losses[0].Renewal)
	i, err := b.r.Lookup(id)
	require.NoError(t, err)
	require.Equal(t, endpoint.Open, i.State)
	require.Equal(t, uint32(2), i.Conn, "the youngest that was begun")
	require.EqualValues(t, 2, i.Opens)
	require.EqualValues(t, 1, i.Losses)
}

func closePeer(f *renewable, i int) {
	g := &fake{peers: []int{f.peers[i]}}
	g.hangUp()
	f.peers = append(f.peers[:i], f.peers[i+1:]...)
}

func TestDeregisterDuringARenewalEndsAll(t *testing.T) {
	b, f, id := renewing(t)
	b.advance(time.Minute)
	b.setUp()
	require.NoError(t, Deregister(b.r, Handle[*renewable]{id}))
	b.poll()
	require.True(t, f.hots[0].closed)
	require.True(t, f.hots[1].closed)
	b.advance(5 * time.Second)
	_, err := b.r.Lookup(id)
	require.ErrorIs(t, err, ErrStale)
	require.True(t, eventually(func() bool { return f.discarded.Load() == 2 }))
}

func TestAStaleFeedIsALoss(t *testing.T) {
	b := newBench(t)
	f := &fake{policy: endpoint.Policy{StaleAfter: 3 * time.Second}}
	register(b, f)
	b.setUp()
	b.advance(2 * time.Second)
	f.send(t, "x")
	b.poll()
	b.advance(2 * time.Second)
	require.Empty(t, f.losses)
	b.advance(time.Second)
	require.Len(t, f.losses, 1)
	require.ErrorIs(t, f.losses[0], endpoint.ErrStaleFeed)
	require.Equal(t, endpoint.Open, f.losses[0].Phase)
}

func TestRetryAfterIsObeyedUpToTheCap(t *testing.T) {
	refusal := &ws.UpgradeError{StatusCode: 429, Header: http.Header{"Retry-After": {"60"}}, Err: ws.ErrRefused}
	b := newBench(t)
	f := &fake{connect: func(context.Context, *endpoint.Connector) (endpoint.Hot, error) { return nil, refusal }}
	h := register(b, f)
	b.setUp()
	require.Equal(t, endpoint.Backoff, b.state(h.ID()))
	b.advance(time.Minute - 1)
	require.Empty(t, b.tasks, "not before it may")
	b.advance(101 * time.Millisecond)
	require.Len(t, b.tasks, 1)
	refusal.Header.Set("Retry-After", "601")
	b.setUp()
	require.Equal(t, endpoint.Failed, b.state(h.ID()))
	var banned *endpoint.RetryAfterError
	require.ErrorAs(t, f.losses[1], &banned)
	require.Equal(t, 601*time.Second, banned.After)
	require.Equal(t, 10*time.Minute, banned.Cap)
	require.Equal(t, 429, f.losses[1].Code)
}

// hosted is a fake with a host.
type hosted struct{ fake }

func (*hosted) EndpointHost() string { return "venue" }

func TestTriesToOneHostAreLimited(t *testing.T) {
	limiter, err := endpoint.NewHostLimiter(10, 5)
	require.NoError(t, err)
	b := newBench(t, func(c *Config) { c.Seams.Limiter = limiter })
	for range 15 {
		f := &hosted{}
		_, err := Register(b.r, f)
		require.NoError(t, err)
		t.Cleanup(f.cleanUp)
	}
	b.poll()
	require.Len(t, b.tasks, 10, "the burst")
	for n := 11; n <= 15; n++ {
		b.advance(200*time.Millisecond - 1)
		require.Len(t, b.tasks, n-1)
		b.advance(1)
		require.Len(t, b.tasks, n, "then one each 200 ms")
	}
	b.setUp()
}

func TestCallWaitsForTheAnswer(t *testing.T) {
	r, err := New(Config{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	f := &fake{}
	h, err := Register(r, f)
	require.NoError(t, err)
	require.ErrorIs(t, Call(ctx, r, h, func(*fake, *fakeHot) error { return errRefused }), errRefused)
	require.NoError(t, Call(ctx, r, h, func(p *fake, _ *fakeHot) error { require.Same(t, f, p); return nil }))
	var p *endpoint.PanicError
	other := &fake{}
	defer other.cleanUp()
	g, err := Register(r, other)
	require.NoError(t, err)
	require.ErrorAs(t, Call(ctx, r, g, func(*fake, *fakeHot) error { panic("boom") }), &p)
	over, end := context.WithCancelCause(ctx)
	enough := errors.New("enough")
	end(enough)
	err = Call(over, r, h, func(*fake, *fakeHot) error { return nil })
	require.True(t, err == nil || errors.Is(err, enough), err)
	cancel()
	require.NoError(t, <-done)
	err = Call(context.Background(), r, h, func(*fake, *fakeHot) error { return nil })
	require.True(t, errors.Is(err, ErrStale) || errors.Is(err, ErrClosed), err)
	f.cleanUp()
}
