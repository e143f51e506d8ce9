package system

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// numbered sends numbered messages as fast as it may, as many as asked for and until
// one is refused, and checks that what comes back is the same numbers.
type numbered struct {
	endpoint.WebSocket
	size, count int
	buf         []byte

	next      atomic.Uint64 // to send
	refused   atomic.Int64
	writables atomic.Int64
	most      atomic.Int64 // bytes queued at one time
	back      atomic.Uint64
	wrong     atomic.Int64
	loss      atomic.Pointer[endpoint.LossError]
}

func (f *numbered) OnOpen(c *ws.Conn) error { return f.send(c) }

func (f *numbered) OnWritable(c *ws.Conn) error {
	f.writables.Add(1)
	return f.send(c)
}

func (f *numbered) send(c *ws.Conn) error {
	for f.next.Load() < uint64(f.count) || f.refused.Load() == 0 {
		binary.BigEndian.PutUint64(f.buf, f.next.Load())
		err := c.WriteBinary(f.buf)
		f.most.Store(max(f.most.Load(), int64(c.Queued())))
		if err == stream.ErrBackPressured {
			f.refused.Add(1)
			return nil // OnWritable follows
		}
		if err != nil {
			return err
		}
		f.next.Add(1)
	}
	return nil
}

func (f *numbered) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		if len(m.Payload) != f.size || binary.BigEndian.Uint64(m.Payload) != f.back.Load() {
			f.wrong.Add(1)
		}
		f.back.Add(1)
	}
	return c.Err()
}

func (f *numbered) OnLoss(e *endpoint.LossError) endpoint.Action {
	f.loss.Store(e)
	return endpoint.Stop
}

func newNumbered(s *exchange.Server, path string, size, count int) *numbered {
	f := &numbered{size: size, count: count, buf: make([]byte, size)}
	f.URL, f.Options = s.URL()+path, options(s)
	f.Options.Stream.QueueBound = 256 << 10
	f.Options.Stream.SendBuffer = 64 << 10
	return f
}

// TestASlowPeerIsBackPressureAndNothingIsLost sends more than the queue, the peer
// and the kernel's buffers hold, which they do in the end: nothing is read meanwhile.
func TestASlowPeerIsBackPressureAndNothingIsLost(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{})
		r := w.reactor(t)
		f := newNumbered(s, "/echo", 50_000, 400) // 20 MB each way, or more
		_, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitUpTo(t, 2*patience, "all of it to come back", func() bool {
			back := f.back.Load()
			return back >= 400 && back == f.next.Load() && f.writables.Load() > 0 || f.loss.Load() != nil
		})
		require.Nil(t, f.loss.Load())
		require.Zero(t, f.wrong.Load())
		require.Positive(t, f.refused.Load())
		require.Positive(t, f.writables.Load())
		bound := int64(256<<10 + stream.ControlReserve)
		if w.secure { // the bound is one of plain bytes; sealing adds 22 to each record
			bound += 22 * (256<<10/50_000 + 1) * (50_000/(16<<10) + 1)
		}
		require.LessOrEqual(t, f.most.Load(), bound)
	})
}

// TestAPeerThatNeverReadsIsBounded lets a peer take the upgrade and then read
// nothing: memory stays bounded, the others go on, and the end has a deadline.
func TestAPeerThatNeverReadsIsBounded(t *testing.T) {
	for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
		t.Run(sel.String(), func(t *testing.T) {
			w := world{sel: sel}
			s := w.exchange(t, exchange.Config{Rate: 4000})
			r := w.reactor(t)
			stuck := newNumbered(s, "", 50_000, 1<<30)
			stuck.URL = "ws://" + serve(t, func(c net.Conn, answer []byte, end <-chan struct{}) {
				c.Write(answer)
				<-end
			})
			stuck.Policy.CloseTimeout = 100 * time.Millisecond
			h, err := reactor.Register(r, stuck)
			require.NoError(t, err)
			good := newTrades(s, "/ws/btcusdt@trade")
			_, err = reactor.Register(r, good)
			require.NoError(t, err)
			waitFor(t, "back-pressure", func() bool { return stuck.refused.Load() > 0 })
			total, _, _, _ := good.seen()
			waitFor(t, "1000 trades beside it", func() bool { n, _, _, _ := good.seen(); return n > total+1000 })
			before := stuck.refused.Load()
			waitFor(t, "1000 more", func() bool { n, _, _, _ := good.seen(); return n > total+2000 })
			require.LessOrEqual(t, stuck.most.Load(), int64(256<<10+stream.ControlReserve))
			require.Equal(t, before, stuck.refused.Load(), "nobody asks while there is no room")
			_, gaps, _, _ := good.seen()
			require.Zero(t, gaps)
			require.NoError(t, reactor.Deregister(r, h))
			waitFor(t, "its end", func() bool { return stuck.loss.Load() != nil })
			require.Positive(t, stuck.loss.Load().Unsent)
			require.Equal(t, endpoint.Closing, stuck.loss.Load().Phase)
			require.ErrorIs(t, stuck.loss.Load(), endpoint.ErrCloseDeadline)
		})
	}
}

// TestAFrameAndTheEndOfFileInOneSegment has a server send its answer to the
// upgrade, two messages and FIN in one write.
func TestAFrameAndTheEndOfFileInOneSegment(t *testing.T) {
	for name, tc := range map[string]struct {
		bytes string
		total int
		err   error
	}{
		"whole frames, then FIN":       {"\x81\x07{\"t\":1}\x81\x07{\"t\":2}", 2, io.ErrUnexpectedEOF},
		"FIN inside a frame":           {"\x81\x07{\"t\":1}\x81\x07{\"t\"", 1, io.ErrUnexpectedEOF},
		"FIN inside a header":          {"\x81\x07{\"t\":1}\x81", 1, io.ErrUnexpectedEOF},
		"close frame and FIN":          {"\x81\x07{\"t\":1}\x88\x02\x03\xe8", 1, nil},
		"nothing at all after upgrade": {"", 0, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			w := world{}
			addr := oneShot(t, tc.bytes)
			r := w.reactor(t)
			f := &trades{WebSocket: endpoint.WebSocket{URL: "ws://" + addr}, stopped: true}
			h, err := reactor.Register(r, f)
			require.NoError(t, err)
			waitFor(t, "the end", func() bool { i, _ := r.Lookup(h.ID()); return i.State == endpoint.Failed })
			total, gaps, opens, losses := f.seen()
			require.Equal(t, tc.total, total, "what came before the end is delivered")
			require.Zero(t, gaps)
			require.Equal(t, 1, opens)
			require.Equal(t, 1, losses)
			require.Equal(t, endpoint.Open, f.loss(0).Phase)
			if tc.err != nil {
				require.ErrorIs(t, f.loss(0), tc.err)
				require.Equal(t, 1006, f.loss(0).Code)
			} else {
				var e *ws.CloseError
				require.ErrorAs(t, f.loss(0), &e)
				require.True(t, e.Clean && e.Remote)
			}
		})
	}
}

// oneShot is a server that answers one upgrade and more in one write, and
// hangs up.
func oneShot(t *testing.T, more string) string {
	return serve(t, func(c net.Conn, answer []byte, _ <-chan struct{}) {
		c.Write(append(answer, more...))
		c.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, c)
	})
}

// serve accepts one connection and an upgrade on it, and leaves the rest, the
// answer too, to f. end is closed at the end of the test.
func serve(t *testing.T, f func(c net.Conn, answer []byte, end <-chan struct{})) (addr string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done, end := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if answer, err := acceptUpgrade(c); err == nil {
			f(c, answer, end)
		}
	}()
	t.Cleanup(func() { l.Close(); close(end); <-done })
	return l.Addr().String()
}

var errNoKey = errors.New("no Sec-WebSocket-Key")
