package reactor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stats"
)

// published is a reactor that counts in a file, and a reader of it.
type published struct {
	*bench
	file *stats.File
	view *stats.View
}

func newPublished(t testing.TB) *published {
	dir, err := os.MkdirTemp("/dev/shm", "boomnet-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	file, err := stats.Create(stats.FileConfig{Dir: dir, MaxSize: 2 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	view, err := stats.Attach(file.Path())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, view.Close()) })
	return &published{file: file, view: view, bench: newBench(t, func(c *Config) {
		c.Name, c.CPU, c.Counters = "feed", affinity.Fixed(1), file
	})}
}

// read returns the blocks of a kind, and each one's cells by name.
func (p *published) read(kind string) (names []string, cells map[string]stats.Value) {
	list, err := p.view.Blocks()
	require.NoError(p.t, err)
	for _, b := range list {
		if b.Kind != kind {
			continue
		}
		found := make(map[string]stats.Value)
		for i := range b.Cells {
			var v stats.Value
			err := b.Cells[i].Read(&v)
			if errors.Is(err, stats.ErrFreed) {
				found = nil // it has gone since Blocks
				break
			}
			require.NoError(p.t, err)
			found[b.Cells[i].Desc().Name] = v
		}
		if found != nil {
			names, cells = append(names, b.Parent+"/"+b.Name), found
		}
	}
	return names, cells
}

// flush has the reactor publish what idle turns have left.
func (p *published) flush() {
	for range publishEvery {
		_, err := p.r.Poll()
		require.NoError(p.t, err)
	}
}

func TestCountersOfAReactorAreInItsFile(t *testing.T) {
	p := newPublished(t)
	f := &fake{onByte: func(*fake, byte) error { p.clock.Advance(5 * time.Millisecond); return nil }}
	defer f.cleanUp()
	h, err := Register(p.r, f)
	require.NoError(t, err)
	p.poll()
	p.setUp()
	f.send(t, "abc")
	p.poll()
	p.advance(time.Hour) // between two turns: not the reactor's
	f.send(t, "d")
	p.poll()
	p.flush()

	names, reactor := p.read(stats.ReactorBlock)
	require.Equal(t, []string{"/feed"}, names)
	require.Equal(t, "backoff", reactor["idle"].Text)
	require.Equal(t, "epoll", reactor["selector"].Text)
	require.EqualValues(t, 1, reactor["cpu"].Int)
	require.EqualValues(t, 20*time.Millisecond, reactor["busy"].Int)
	require.EqualValues(t, 15*time.Millisecond, reactor["longest_turn"].Int)
	require.Equal(t, 20*time.Millisecond, p.r.Stats().Busy)
	require.Equal(t, 15*time.Millisecond, p.r.Stats().LongestTurn)
	require.Equal(t, p.r.Stats().Turns, reactor["turns"].Int)
	require.Positive(t, reactor["mail"].Int)

	names, end := p.read(stats.EndpointBlock)
	require.Equal(t, []string{"feed/*reactor.fake#0"}, names)
	require.EqualValues(t, 4, end["messages"].Int)
	require.EqualValues(t, endpoint.Open, end["state"].Int)
	require.NotNil(t, end["receive_to_handler"].Histogram)

	// A loss, and another connection.
	f.hangUp()
	p.poll()
	p.advance(time.Minute)
	p.setUp()
	_, end = p.read(stats.EndpointBlock)
	require.EqualValues(t, 1, end["losses"].Int)
	require.EqualValues(t, 1, end["reconnects"].Int)
	require.Equal(t, "open: EOF", end["last_loss"].Text)
	_, reactor = p.read(stats.ReactorBlock)
	require.Len(t, reactor["errors"].Errors, 1)
	require.Equal(t, "open: EOF", reactor["errors"].Errors[0].Text)

	// It goes with the endpoint, and what the process knows of it stays.
	info, err := p.r.Lookup(h.ID())
	require.NoError(t, err)
	require.NoError(t, Deregister(p.r, h))
	p.poll()
	require.Eventually(t, func() bool { names, _ := p.read(stats.EndpointBlock); return names == nil }, 10*time.Second, time.Millisecond)
	left := make(map[string]stats.Value)
	info.Block.Each(func(d stats.Desc, v stats.Value) { left[d.Name] = v })
	require.EqualValues(t, 4, left["messages"].Int)
	_, reactor = p.read(stats.ReactorBlock)
	require.Len(t, reactor["errors"].Errors, 1, "an orderly end is no error")

	require.NoError(t, p.r.Close())
	names, _ = p.read(stats.ReactorBlock)
	require.Empty(t, names)
	require.Equal(t, 20*time.Millisecond, p.r.Stats().Busy, "as it ended")
	require.NoError(t, p.file.Err())
}

// sender is a Hot that says what it has moved.
type sender struct {
	*fakeHot
	traffic endpoint.Traffic
	record  func(int64)
}

func (s *sender) Traffic() endpoint.Traffic      { return s.traffic }
func (s *sender) RecordDelay(record func(int64)) { s.record = record }

func TestTrafficIsCountedOverAllConnections(t *testing.T) {
	p := newPublished(t)
	var hots []*sender
	f := new(fake)
	f.connect = func(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
		plain := fake{}
		hot, err := plain.Connect(ctx, via)
		if err != nil {
			return nil, err
		}
		f.peers = append(f.peers, plain.peers...)
		s := &sender{fakeHot: hot.(*fakeHot)}
		s.fakeHot.f = f
		hots = append(hots, s)
		return s, nil
	}
	defer f.cleanUp()
	_, err := Register(p.r, f)
	require.NoError(t, err)
	p.poll()
	p.setUp()
	for n := range int64(2) {
		s := hots[n]
		s.record(100)
		s.traffic = endpoint.Traffic{Reads: 1, Sent: 2, BytesSent: 30, Refused: 4}
		s.out = make([]byte, 100<<n)
		f.send(t, "x")
		_, err := p.r.Poll()
		require.NoError(t, err)
		_, end := p.read(stats.EndpointBlock)
		require.EqualValues(t, 100<<n, end["queue_high_water"].Int)
		p.poll() // it is sent
		s.traffic.Sent++
		f.hangUp()
		p.poll()
		p.advance(time.Minute)
		p.setUp()
	}
	_, end := p.read(stats.EndpointBlock)
	for name, want := range map[string]int64{"reads": 2, "sent": 6, "bytes_sent": 60, "refused": 8, "queue": 0, "queue_high_water": 200} {
		require.Equal(t, want, end[name].Int, name)
	}
	require.EqualValues(t, 2, end["receive_to_handler"].Histogram.Count())
}

func TestResetOfWhatIsMeasured(t *testing.T) {
	p := newPublished(t)
	f := &fake{onByte: func(*fake, byte) error { p.clock.Advance(time.Millisecond); return nil }}
	defer f.cleanUp()
	h, err := Register(p.r, f)
	require.NoError(t, err)
	p.poll()
	p.setUp()
	f.send(t, "abc")
	p.poll()
	p.r.counts.age.Record(7)
	s := p.r.slotOf(h.ID())
	s.cells.delay.Record(5)
	s.cells.stamped().Record(6)
	s.cells.queue(900)
	s.cells.queue(10)

	p.r.counts.reset()
	s.cells.reset()
	p.flush()
	_, reactor := p.read(stats.ReactorBlock)
	require.Zero(t, reactor["longest_turn"].Int)
	require.Zero(t, reactor["wire_to_handler"].Histogram.Count())
	require.EqualValues(t, 3*time.Millisecond, reactor["busy"].Int, "counters go on")
	_, end := p.read(stats.EndpointBlock)
	require.Zero(t, end["wire_to_handler"].Histogram.Count())
	require.Zero(t, end["receive_to_handler"].Histogram.Count())
	require.EqualValues(t, 10, end["queue_high_water"].Int)
	require.EqualValues(t, 3, end["messages"].Int)

	f.send(t, "d")
	p.poll()
	require.Equal(t, time.Millisecond, p.r.Stats().LongestTurn)
}

func TestAFullFileCostsOnlyTheReader(t *testing.T) {
	p := newPublished(t) // of 2 MiB
	f := new(fake)
	defer f.cleanUp()
	for range 200 {
		_, err := Register(p.r, &fake{connect: func(context.Context, *endpoint.Connector) (endpoint.Hot, error) { return nil, errRefused }})
		require.NoError(t, err)
		p.poll()
	}
	require.ErrorIs(t, p.file.Err(), stats.ErrFull)
	require.ErrorContains(t, p.file.Err(), "MaxSize is 2097152")
	names, _ := p.read(stats.EndpointBlock)
	require.Less(t, len(names), 200)
	_, process := p.read(stats.ProcessBlock)
	require.Positive(t, process["unpublished"].Int)
	_, err := Register(p.r, f)
	require.NoError(t, err)
	p.poll()
	p.setUp()
	f.send(t, "abc")
	p.poll()
	list := p.r.Endpoints()
	require.EqualValues(t, 3, list[len(list)-1].Messages)
}

func TestDistinct(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 9443}, Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		loss endpoint.LossError
		want string
	}{
		{endpoint.LossError{Phase: endpoint.Connecting, Err: refused}, "connecting: dial tcp N: connection refused"},
		{endpoint.LossError{Phase: endpoint.Open, Code: 1006, Err: io.EOF}, "open 1006: EOF"},
		{endpoint.LossError{Phase: endpoint.User, Err: errors.New("order 4711 of v2 at [2001:db8::1]:443 after 3.5s")}, "user: order N of v2 at N after Ns"},
		{endpoint.LossError{Phase: endpoint.Open, Err: errors.New("at 0xc000a1 [x] [12] 7")}, "open: at N [x] [N] N"},
		{endpoint.LossError{Phase: endpoint.Open, Err: errors.New("IPv6 TLS1.3 key_2 12:")}, "open: IPv6 TLS1.N key_2 N:"},
		{endpoint.LossError{Phase: endpoint.Open, Err: errors.New("")}, "open: "},
	} {
		require.Equal(t, c.want, distinct(&c.loss))
	}
	require.True(t, deliberate(&endpoint.LossError{Phase: endpoint.Resolving, Err: fmt.Errorf("x: %w", endpoint.ErrDeregistered)}))
	require.True(t, deliberate(&endpoint.LossError{Phase: endpoint.Closing, Code: 1000, Err: &ws.CloseError{Code: 1000}}))
	require.False(t, deliberate(&endpoint.LossError{Phase: endpoint.Open, Code: 1000, Err: &ws.CloseError{Code: 1000}}))
}
