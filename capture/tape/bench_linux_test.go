package tape

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// drained has a goroutine take what is recorded, as a writer of files does, until the
// function returned is called.
func drained(r *Recorder) (stop func()) {
	var ended atomic.Bool
	done := make(chan struct{})
	page := make([]byte, 1<<20)
	go func() {
		defer close(done)
		for {
			last := ended.Load()
			n := r.Drain(1000, last, func(rec *Record) { copy(page, rec.Data) })
			if n == 0 && last {
				return
			}
			if n == 0 {
				time.Sleep(200 * time.Microsecond)
			}
		}
	}()
	return func() {
		ended.Store(true)
		<-done
	}
}

// pair is a stream over a socket pair, and the other end.
func pair(t testing.TB) (*stream.TCP, int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	for _, fd := range fds {
		require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20))
	}
	s, err := stream.NewTCP(fds[0], nil)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		unix.Close(fds[1])
	})
	return s, fds[1]
}

// attachedConn is a connection on a reactor's goroutine: the caller's.
func attachedConn(t testing.TB, r *Recorder) *Conn {
	_, err := r.Use("bench", clock.Monotonic{}, nil)
	require.NoError(t, err)
	r.Turn(clock.Nano())
	c := r.Connect(0, "bench", 1, 0, endpoint.Seams{})
	c.Attach()
	return c
}

// A turn that reads, asks the clock and answers costs the reactor's goroutine no
// allocation, whether there is room in the ring or not.
func TestRecordingAllocatesNothing(t *testing.T) {
	for _, full := range []bool{false, true} {
		t.Run(fmt.Sprintf("full=%v", full), func(t *testing.T) {
			r := newRecorder(t, Config{})
			c := attachedConn(t, r)
			tcp, peer := pair(t)
			s := c.wrap(tcp)
			for full && r.put(&Record{Kind: KindTurn}) {
			}
			in, out, back := make([]byte, 4096), make([]byte, 500), make([]byte, 4096)
			const runs = 200
			got := testing.AllocsPerRun(runs, func() {
				r.Turn(clock.Nano())
				r.Park(clock.Nano())
				_, _ = unix.Write(peer, out)
				_, _ = s.Read(in)
				c.Now()
				c.Now()
				_, _ = s.Write(out)
				_, _ = s.WriteControl(out[:10])
				_, _ = s.Read(in) // nothing is there
				_ = s.Flush()
				r.Mark()
				c.Writable()
				_, _ = unix.Read(peer, back)
			})
			require.Zero(t, got)
			require.Equal(t, full, r.Lost() > 0)
			if !full {
				m := drain(r)
				require.Equal(t, []Kind{KindRead, KindClock, KindWrite, KindControl, KindWritable}, kindsOf(m[len(m)-5:]))
			}
		})
	}
}

// BenchmarkRecordedRead is a write into a socket and a read from it, and a look at
// the clock as a protocol takes after a read: plain and recorded. What a recorded
// one takes more is the price.
func BenchmarkRecordedRead(b *testing.B) {
	for _, size := range []int{256, 4 << 10, 64 << 10} {
		for _, recording := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/recorded=%v", size, recording), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				tcp, peer := pair(b)
				s, now := stream.Stream(tcp), clock.Clock(clock.Monotonic{})
				turn := func() {}
				if recording {
					r := newRecorder(b, Config{Ring: DefaultRing})
					c := attachedConn(b, r)
					s, now = c.wrap(tcp), c
					turn = func() { r.Turn(clock.Nano()) }
					defer func() { b.ReportMetric(float64(r.Lost()), "lost") }()
					defer drained(r)()
				}
				p, in := make([]byte, size), make([]byte, size)
				b.SetBytes(int64(size))
				for b.Loop() {
					turn()
					if _, err := unix.Write(peer, p); err != nil {
						b.Fatal(err)
					}
					for n := 0; n < size; {
						k, err := s.Read(in)
						if err != nil {
							b.Fatal(err)
						}
						n += k
						now.Now()
					}
				}
			})
		}
	}
}

// still is a stream whose reads cost nothing.
type still struct {
	stream.Unqueued
	n int
}

func (s *still) Read(p []byte) (int, error)         { return s.n, nil }
func (s *still) Write(p []byte) (int, error)        { return len(p), nil }
func (s *still) WriteControl(p []byte) (int, error) { return len(p), nil }
func (s *still) Source() stream.Source              { return stream.Source{FD: -1} }
func (s *still) Close() error                       { return nil }

// BenchmarkRecord is what recording a read takes by itself: two calls of the stream,
// the clock, the copy. The drainer runs on the same goroutine, in the time that is
// not counted.
func BenchmarkRecord(b *testing.B) {
	for _, size := range []int{0, 256, 4 << 10, 64 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			r := newRecorder(b, Config{Ring: DefaultRing})
			c := attachedConn(b, r)
			s := c.wrap(&still{n: size})
			in := make([]byte, max(size, 1))
			batch := DefaultRing / 2 / (size + 2*HeaderSize)
			b.SetBytes(int64(size))
			b.ResetTimer()
			for done := 0; done < b.N; {
				b.StopTimer()
				r.Drain(1<<30, false, func(*Record) {})
				n := min(batch, b.N-done)
				b.StartTimer()
				for range n {
					if _, err := s.Read(in); err != nil {
						b.Fatal(err)
					}
					c.Now()
				}
				done += n
			}
			require.Zero(b, r.Lost())
		})
	}
}
