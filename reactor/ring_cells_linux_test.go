package reactor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/ring"
	"github.com/boomnet-go/boomnet/stats"
)

// later has the reactor publish what is older than maxRingAge.
func (p *published) later() {
	p.poll()
	p.advance(maxRingAge)
	p.turn()
}

// ring returns the integer cells of the only ring that there is.
func (p *published) ring() map[string]int64 {
	names, cells := p.read(stats.RingBlock)
	require.Len(p.t, names, 1)
	out := make(map[string]int64)
	for name, v := range cells {
		out[name] = v.Int
	}
	return out
}

// left waits until n rings are shown: the housekeeper frees their blocks.
func (p *published) left(n int) {
	require.Eventually(p.t, func() bool {
		list, err := p.view.Blocks()
		require.NoError(p.t, err)
		rings := 0
		for _, b := range list {
			if b.Kind == stats.RingBlock {
				rings++
			}
		}
		return rings == n
	}, 10*time.Second, time.Millisecond)
}

func TestCountersOfALinkAreInTheFile(t *testing.T) {
	p := newPublished(t)
	from := newBench(t, named("venue"))
	s := linked(t, from.r, p.r, LinkConfig{Capacity: 8}, func(*order) {})
	names, _ := p.read(stats.RingBlock)
	require.Equal(t, []string{"feed/venue→feed order"}, names)
	for range 11 {
		s.Offer(order{})
	}
	want := map[string]int64{"offered": 11, "refused": 3, "handled": 8, "dropped": 0, "depth": 0, "high_water": 8}
	p.later()
	require.Equal(t, want, p.ring())

	require.Equal(t, ring.Accepted, s.Offer(order{}))
	p.turn()
	require.Equal(t, want, p.ring(), "not yet")
	_, err := p.r.wait(0, time.Millisecond) // a park
	require.NoError(t, err)
	want["offered"], want["handled"] = 12, 9
	require.Equal(t, want, p.ring())

	s.Close()
	p.poll()
	p.left(0)
	linked(t, from.r, p.r, LinkConfig{}, func(*order) {})
	require.Zero(t, p.ring()["offered"], "another one begins anew")
	require.NoError(t, p.r.Close())
	p.left(0)
}

func TestCountersOfAnInboxThatPanics(t *testing.T) {
	p := newPublished(t)
	handle := func(v *int) {
		if *v == 2 {
			panic("a bug of the user's")
		}
	}
	box := inbox(t, p.r, 8, handle)
	names, _ := p.read(stats.RingBlock)
	require.Equal(t, []string{"feed/inbox→feed int"}, names)
	for i := range 9 {
		box.Post(i)
	}
	p.poll()
	require.Equal(t, ring.Closed, box.Post(0))
	p.later()
	require.Equal(t, map[string]int64{"offered": 10, "refused": 2, "handled": 2, "dropped": 6, "depth": 0, "high_water": 8}, p.ring(), "it stays")
	require.Equal(t, uint64(2), box.Info().Handled)

	inbox(t, p.r, 8, handle).Post(1)
	p.later()
	p.left(1)
	require.Equal(t, map[string]int64{"offered": 1, "refused": 0, "handled": 1, "dropped": 0, "depth": 0, "high_water": 1}, p.ring(), "the next one takes its place")
	require.NoError(t, p.r.Close())
	p.left(0)
}

func TestALinkThatIsRefusedLeavesNoCounters(t *testing.T) {
	p := newPublished(t)
	inbox(t, p.r, 8, func(*int) {})
	_, err := NewInbox(p.r, 8, func(*int) {})
	require.ErrorIs(t, err, ErrLinked)
	p.ring()
	from := newBench(t)
	require.NoError(t, from.r.Close())
	_, err = Link(from.r, p.r, LinkConfig{}, func(*order) {})
	require.ErrorIs(t, err, ErrClosed)
	p.poll()
	p.left(1)
	require.NoError(t, p.r.Close())
	_, err = NewInbox(p.r, 8, func(*order) {})
	require.ErrorIs(t, err, ErrClosed)
	p.left(0)
}

// In system-call state a reactor waits long: the cells are brought up to date when
// they are older than a millisecond, and until then the wait is no longer than that.
func TestCountersOfALinkWhileItWaits(t *testing.T) {
	if idle.SpinWait.Check() != nil {
		t.Skip("built without boomnet_wait")
	}
	p := newPublished(t)
	box := inbox(t, p.r, 8, func(*int) {})
	p.poll()
	box.Post(1)
	p.poll()
	p.r.ringsAt = p.r.now
	p.r.sample()
	begun := time.Now()
	_, err := p.r.spin(time.Hour)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(begun), maxRingAge)
	p.advance(maxRingAge)
	p.r.now = p.clock.Now()
	_, err = p.r.spin(0)
	require.NoError(t, err)
	require.EqualValues(t, 1, p.ring()["handled"])
}

func TestSendingWithCountersAllocatesNothing(t *testing.T) {
	p := newPublished(t)
	from := newBench(t)
	s := linked(t, from.r, p.r, LinkConfig{}, func(*order) {})
	p.poll()
	require.Zero(t, testing.AllocsPerRun(200, func() {
		s.Offer(order{})
		p.r.Poll()
		p.r.publishRings()
	}))
	require.EqualValues(t, 201, p.ring()["handled"])
}
