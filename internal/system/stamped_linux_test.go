package system

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// stampedTCP is paired over a TCP connection, with the peer as a bare descriptor.
type stampedTCP struct {
	paired
	kernel int64 // of the last read
	late   bool  // one was stamped after it was read
}

func (f *stampedTCP) dial(ctx context.Context, _ string, o *stream.Options) (stream.Stream, error) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	if err := unix.Listen(l, 1); err != nil {
		return nil, err
	}
	a, err := unix.Getsockname(l)
	if err != nil {
		return nil, err
	}
	s, err := o.Dial(ctx, fmt.Sprintf("tcp://127.0.0.1:%d", a.(*unix.SockaddrInet4).Port))
	if err != nil {
		return nil, err
	}
	if f.peer, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC); err != nil {
		s.Close()
		return nil, err
	}
	go f.accept()
	return s, nil
}

func (f *stampedTCP) OnData(c *ws.Conn) error {
	f.kernel = c.KernelTime()
	f.late = f.late || f.kernel > c.Received()+int64(time.Millisecond)
	return f.paired.OnData(c)
}

func TestAStampedReadAllocatesNothingOnItsWayToTheHandler(t *testing.T) {
	f := new(stampedTCP)
	f.URL = "ws://pair"
	f.Options.Stream.Timestamps = stream.TimestampsSoftware
	r, err := reactor.New(reactor.Config{Seams: endpoint.Seams{Dial: f.dial}})
	require.NoError(t, err)
	defer r.Close()
	h, err := reactor.Register(r, f)
	require.NoError(t, err)
	defer func() { unix.Close(f.peer) }()
	waitFor(t, "the upgrade", func() bool {
		_, err := r.Poll()
		require.NoError(t, err)
		i, err := r.Lookup(h.ID())
		require.NoError(t, err)
		return i.State == endpoint.Open
	})
	m := append([]byte{0x81, 100}, make([]byte, 100)...)
	send := func() {
		want := f.messages + 1
		unix.Write(f.peer, m)
		for f.messages < want {
			r.Poll()
		}
	}
	waitFor(t, "a stamp", func() bool { // the kernel takes its time to begin
		send()
		return f.kernel != 0
	})
	info, err := r.Lookup(h.ID())
	require.NoError(t, err)
	before := info.WireToHandler.Snapshot().Count()
	const runs = 500
	require.Zero(t, testing.AllocsPerRun(runs, send))
	require.Equal(t, before+runs+1, info.WireToHandler.Snapshot().Count(), "one a read")
	require.Equal(t, before+runs+1, r.WireToHandler().Snapshot().Count())
	require.False(t, f.late, "a stamp is no later than its read")
	require.InDelta(t, clock.Nano(), f.kernel, float64(time.Minute))
}

// Against the exchange, plain and over TLS.
func TestWireToHandler(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s, r := w.exchange(t, exchange.Config{Rate: 500}), w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade")
		f.Options.Stream.Timestamps = stream.TimestampsSoftware
		h, err := reactor.Register(r, f)
		require.NoError(t, err)
		var ages *stats.Snapshot
		waitFor(t, "stamped reads", func() bool {
			i, err := r.Lookup(h.ID())
			require.NoError(t, err)
			if i.WireToHandler == nil {
				return false
			}
			ages = i.WireToHandler.Snapshot()
			return ages.Count() > 20
		})
		require.Positive(t, ages.Max())
		require.Less(t, ages.ValueAtQuantile(0.5), int64(patience))
	})
}
