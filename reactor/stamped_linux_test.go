package reactor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stats"
)

// stampedHot is a fakeHot that takes each byte for how long it was under way.
type stampedHot struct {
	*fakeHot
	on     bool
	record func(int64)
}

func (h *stampedHot) Stamped() bool             { return h.on }
func (h *stampedHot) RecordAge(rec func(int64)) { h.record = rec }
func (h *stampedHot) OnReady() (more bool, err error) {
	before := len(h.f.got)
	more, err = h.fakeHot.OnReady()
	for _, b := range h.f.got[before:] {
		h.record(int64(b))
	}
	return more, err
}

// stampedFake is an endpoint whose connections are stamped, if on.
func stampedFake(on bool) *fake {
	f := new(fake)
	f.connect = func(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
		plain := fake{}
		hot, err := plain.Connect(ctx, via)
		if err != nil {
			return nil, err
		}
		f.peers = append(f.peers, plain.peers...)
		inner := hot.(*fakeHot)
		inner.f = f
		return &stampedHot{fakeHot: inner, on: on}, nil
	}
	return f
}

func TestWireToHandler(t *testing.T) {
	b := newBench(t)
	one, two, plain, off := stampedFake(true), stampedFake(true), new(fake), stampedFake(false)
	var handles []Handle[*fake]
	for _, f := range []*fake{one, two, plain, off} {
		defer f.cleanUp()
		h, err := Register(b.r, f)
		require.NoError(t, err)
		handles = append(handles, h)
	}
	ages := func(i int) *stats.Histogram {
		info, err := b.r.Lookup(handles[i].ID())
		require.NoError(t, err)
		return info.WireToHandler
	}
	b.poll()
	require.Nil(t, ages(0), "no connection yet")
	b.setUp()
	require.Nil(t, ages(2), "it knows no stamps")
	require.Nil(t, ages(3), "it has none")
	one.send(t, "\x05\x07")
	two.send(t, "\x09")
	plain.send(t, "\x01")
	b.poll()
	require.EqualValues(t, 2, ages(0).Snapshot().Count())
	require.EqualValues(t, 5, ages(0).Snapshot().Min())
	require.EqualValues(t, 9, ages(1).Snapshot().Max())
	all := b.r.WireToHandler().Snapshot()
	require.EqualValues(t, 3, all.Count())
	require.EqualValues(t, 5, all.Min())
	require.EqualValues(t, 9, all.Max())

	// It outlives the connection, and is a named cell of both blocks.
	one.hangUp()
	b.poll()
	b.advance(time.Minute)
	b.setUp()
	one.send(t, "\x03")
	b.poll()
	require.EqualValues(t, 3, ages(0).Snapshot().Count())
	info, err := b.r.Lookup(handles[0].ID())
	require.NoError(t, err)
	for _, block := range []*stats.Block{info.Block, b.r.Block()} {
		found := int64(0)
		block.Each(func(d stats.Desc, v stats.Value) {
			if d.Name == "wire_to_handler" {
				require.Equal(t, "ns", d.Unit)
				found = v.Histogram.Count()
			}
		})
		require.Positive(t, found)
	}
}

// panicking is a Hot that breaks when it is asked about stamps.
type panicking struct{ *fakeHot }

func (panicking) Stamped() bool         { panic("oops") }
func (panicking) RecordAge(func(int64)) {}

func TestAPanicBehindTheSetUpLeavesNothingOpen(t *testing.T) {
	b := newBench(t)
	f := new(fake)
	f.connect = func(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		f.peers = append(f.peers, fds[1])
		return panicking{&fakeHot{f: f, fd: fds[0]}}, nil
	}
	defer f.cleanUp()
	_, err := Register(b.r, f)
	require.NoError(t, err)
	b.poll()
	b.setUp()
	require.Len(t, f.losses, 1)
	_, isPanic := errors.AsType[*endpoint.PanicError](f.losses[0])
	require.True(t, isPanic, "%v", f.losses[0])
	require.EqualValues(t, 1, f.discarded.Load())
}

func TestBusyPollIsForEpoll(t *testing.T) {
	poll := selector.BusyPoll{Time: 50 * time.Microsecond, Budget: 8}
	_, err := New(Config{Selector: selector.Direct, BusyPoll: poll})
	require.EqualError(t, err, "reactor: BusyPoll is for epoll, the selector is direct")
	_, err = New(Config{BusyPoll: selector.BusyPoll{Budget: 1 << 20}})
	require.ErrorIs(t, err, unix.EINVAL)
	r, err := New(Config{BusyPoll: poll})
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, r.Close())
}
