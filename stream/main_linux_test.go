package stream

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// testCtx bounds everything that waits in a test.
func testCtx(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// pair is two ends of a socketpair.
func pair(t testing.TB, o *Options) (a, b *TCP) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	a, err = NewTCP(fds[0], o)
	require.NoError(t, err)
	b, err = NewTCP(fds[1], o)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	})
	return a, b
}

func listen(t testing.TB) *net.TCPListener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.(*net.TCPListener)
}

// connect dials a loopback listener and returns both ends.
func connect(t testing.TB, o *Options) (*TCP, *net.TCPConn) {
	l := listen(t)
	s, err := o.Dial(testCtx(t), "tcp://"+l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	peer, err := l.AcceptTCP()
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	require.NoError(t, peer.SetDeadline(time.Now().Add(20*time.Second)))
	return s.(*TCP), peer
}

// waiting is what tests need of a stream.
type waiting interface {
	Stream
	Waiter
}

// readSome reads until something other than ErrWouldBlock comes.
func readSome(t testing.TB, s waiting, p []byte) (int, error) {
	for ctx := testCtx(t); ; {
		n, err := s.Read(p)
		require.True(t, n > 0 != (err != nil), "n %d, err %v", n, err)
		if err != ErrWouldBlock {
			return n, err
		}
		require.NoError(t, s.Wait(ctx, false))
	}
}

// readAll reads until an error.
func readAll(t testing.TB, s waiting) ([]byte, error) {
	var all []byte
	p := make([]byte, 1000)
	for {
		n, err := readSome(t, s, p)
		all = append(all, p[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// inShortTime dials with little time, and with more until it got as far as it should.
func inShortTime(t testing.TB, o *Options, url string, far func(error) bool) (err error) {
	for d := 30 * time.Millisecond; d < 10*time.Second; d *= 2 {
		ctx, cancel := context.WithTimeout(testCtx(t), d)
		_, err = o.Dial(ctx, url)
		cancel()
		if require.Error(t, err); far(err) {
			break
		}
	}
	return err
}

// blackHole is a loopback address that does not answer: its accept queue is full.
func blackHole(t testing.TB) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	addr := addrPort(name).String()
	for range 8 {
		conn, err := net.DialTimeout("tcp", addr, 150*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the accept queue does not fill")
	return ""
}

// refusing is a loopback address where nobody listens.
func refusing(t testing.TB) string {
	l := listen(t)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	return addr
}

// swap sends and receives many messages of 1 MiB at the same time, with a peer
// that does the same, and expects back-pressure on the way.
func swap(t *testing.T, s waiting, peer io.ReadWriter) {
	const messages, size = 6, 1 << 20
	peerDone := make(chan error, 2)
	go func() {
		for i := range messages {
			if _, err := peer.Write(pattern(size, byte(i))); err != nil {
				peerDone <- err
				return
			}
		}
		peerDone <- nil
	}()
	var got [messages][]byte
	start := make(chan struct{}) // the peer begins to read under back-pressure
	go func() {
		<-start
		for i := range messages {
			got[i] = make([]byte, size)
			if _, err := io.ReadFull(peer, got[i]); err != nil {
				peerDone <- err
				return
			}
		}
		peerDone <- nil
	}()

	ctx, p := testCtx(t), make([]byte, 64<<10)
	var in []byte
	written, pressed := 0, 0
	for written < messages || len(in) < messages*size || s.Queued() > 0 {
		if written < messages {
			m := pattern(size, byte(100+written))
			n, err := s.Write(m)
			switch err {
			case nil:
				require.Equal(t, size, n)
				written++
			case ErrBackPressured:
				require.Zero(t, n)
				require.Less(t, s.Room(), size)
				if pressed++; pressed == 1 {
					close(start)
				}
			default:
				require.NoError(t, err)
			}
		}
		n, err := s.Read(p)
		in = append(in, p[:n]...)
		if err != nil {
			require.Equal(t, ErrWouldBlock, err)
			if s.Queued() > 0 {
				require.NoError(t, s.Wait(ctx, true))
			} else if written == messages {
				require.NoError(t, s.Wait(ctx, false))
			}
		}
		if err := s.Flush(); err != ErrWouldBlock {
			require.NoError(t, err)
			require.Zero(t, s.Queued())
		}
	}
	require.NoError(t, <-peerDone)
	require.NoError(t, <-peerDone)
	require.Positive(t, pressed)
	for i := range messages {
		require.True(t, string(pattern(size, byte(i))) == string(in[i*size:(i+1)*size]), "message %d in", i)
		require.True(t, string(pattern(size, byte(100+i))) == string(got[i]), "message %d out", i)
	}
}

// reset ends a connection with RST.
func reset(t testing.TB, c net.Conn) {
	require.NoError(t, c.(*net.TCPConn).SetLinger(0))
	require.NoError(t, c.Close())
}

// settled waits until the socket has seen a hang-up, without reading.
func settled(t testing.TB, fd int) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for {
		n, err := unix.Poll(fds, 10_000)
		if err == syscall.EINTR {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, n)
		return
	}
}
