package stream

import (
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTCPReadWrite(t *testing.T) {
	a, b := pair(t, nil)
	p := make([]byte, 16)

	n, err := a.Read(p)
	require.Zero(t, n)
	require.Equal(t, ErrWouldBlock, err)
	n, err = a.Read(nil)
	require.Zero(t, n)
	require.NoError(t, err)

	n, err = b.Write([]byte("hello"))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	n, err = a.Read(p[:2])
	require.NoError(t, err)
	require.Equal(t, "he", string(p[:n]))
	n, err = a.Read(p)
	require.NoError(t, err)
	require.Equal(t, "llo", string(p[:n]))

	require.False(t, a.Buffered())
	require.Equal(t, a.FD(), a.Source().FD)
	require.Nil(t, a.Source().Due)
	require.Equal(t, DefaultQueueBound, a.Room())
	require.False(t, a.RemoteAddr().IsValid(), "a socketpair has no address")
}

func TestTCPEnds(t *testing.T) {
	hello := []byte("hello")
	// Each case: what the peer does, what the stream then reads, which error
	// ends reading, and which a later write meets.
	for name, c := range map[string]struct {
		peer  func(t *testing.T, s *TCP, peer *net.TCPConn)
		data  string
		read  error
		write error
	}{
		"fin": {
			peer: func(t *testing.T, s *TCP, peer *net.TCPConn) { require.NoError(t, peer.CloseWrite()) },
			read: io.EOF,
		},
		"data and fin": {
			peer: func(t *testing.T, s *TCP, peer *net.TCPConn) {
				_, err := peer.Write(hello)
				require.NoError(t, err)
				require.NoError(t, peer.Close())
				settled(t, s.FD())
			},
			data: "hello", read: io.EOF,
		},
		"fin, then a write, then its reset": {
			peer: func(t *testing.T, s *TCP, peer *net.TCPConn) {
				require.NoError(t, peer.Close())
				settled(t, s.FD())
				_, err := s.Write(hello)
				require.NoError(t, err)
				hungUp(t, s.FD())
			},
			read: io.EOF, write: syscall.EPIPE,
		},
		"reset": {
			peer: func(t *testing.T, s *TCP, peer *net.TCPConn) { reset(t, peer); settled(t, s.FD()) },
			read: syscall.ECONNRESET, write: syscall.ECONNRESET,
		},
		"data, then reset": {
			peer: func(t *testing.T, s *TCP, peer *net.TCPConn) {
				_, err := peer.Write(hello)
				require.NoError(t, err)
				require.NoError(t, s.Wait(testCtx(t), false))
				reset(t, peer)
				hungUp(t, s.FD())
			},
			data: "hello", read: syscall.ECONNRESET, write: syscall.ECONNRESET,
		},
		"data, then reset, met by a write first": {
			peer: func(t *testing.T, s *TCP, peer *net.TCPConn) {
				_, err := peer.Write(hello)
				require.NoError(t, err)
				require.NoError(t, s.Wait(testCtx(t), false))
				reset(t, peer)
				hungUp(t, s.FD())
				_, err = s.Write(hello)
				require.ErrorIs(t, err, syscall.ECONNRESET)
			},
			data: "hello", read: syscall.ECONNRESET, write: syscall.ECONNRESET,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, peer := connect(t, nil)
			c.peer(t, s, peer)
			data, err := readAll(t, s)
			require.Equal(t, c.data, string(data))
			require.ErrorIs(t, err, c.read)
			_, again := s.Read(make([]byte, 1))
			require.Equal(t, err, again, "errors are final")
			if c.write != nil {
				n, err := s.Write(hello)
				require.Zero(t, n)
				require.ErrorIs(t, err, c.write)
				require.ErrorContains(t, err, s.RemoteAddr().String())
				require.Equal(t, err, s.Flush())
				require.Zero(t, s.Room())
			}
		})
	}
}

// hungUp waits for POLLHUP: both directions are down.
func hungUp(t *testing.T, fd int) {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 10_000)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestTCPHalfClose(t *testing.T) {
	s, peer := connect(t, nil)
	require.NoError(t, peer.CloseWrite())
	_, err := readAll(t, s)
	require.Equal(t, io.EOF, err)
	_, err = s.Write([]byte("still here"))
	require.NoError(t, err)
	p := make([]byte, 10)
	_, err = io.ReadFull(peer, p)
	require.NoError(t, err)
	require.Equal(t, "still here", string(p))
}

func TestTCPFailedConnect(t *testing.T) {
	addr := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	l := listen(t)
	addr.Port = l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	for _, write := range []bool{false, true} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		s, err := NewTCP(fd, nil)
		require.NoError(t, err)
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: addr.Port}); err != nil {
			require.Equal(t, unix.EINPROGRESS, err)
		} else {
			require.NoError(t, s.Wait(testCtx(t), true))
		}
		require.NoError(t, s.Wait(testCtx(t), write))
		if write {
			_, err = s.Write([]byte("x"))
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		}
		_, err = s.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NoError(t, s.Close())
	}
}

func TestTCPClose(t *testing.T) {
	a, b := pair(t, &Options{QueueBound: 8 << 20})
	big := pattern(4<<20, 0)
	_, err := a.Write(big)
	require.NoError(t, err)
	queued := a.Queued()
	require.Positive(t, queued)
	fd := a.FD()
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	_, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	require.Equal(t, unix.EBADF, err)
	require.Equal(t, queued, a.Queued(), "what never reached the kernel")
	require.Equal(t, -1, a.Source().FD)
	require.Zero(t, a.Room())
	_, err = a.Read(make([]byte, 1))
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = a.Write(big)
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = a.WriteControl(big)
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, a.Flush(), net.ErrClosed)
	require.ErrorIs(t, a.Wait(testCtx(t), false), net.ErrClosed)
	got, err := readAll(t, b)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, len(big)-queued, len(got))
}

func TestTCPBackPressure(t *testing.T) {
	const bound = 10_000
	a, b := pair(t, &Options{QueueBound: bound})
	var want []byte
	write := func(n int) error {
		m := pattern(n, byte(len(want)))
		k, err := a.Write(m)
		if err == nil {
			require.Equal(t, n, k)
			want = append(want, m...)
			return nil
		}
		require.Zero(t, k)
		return err
	}
	require.Equal(t, ErrTooLarge, write(bound+1))
	for a.Queued() == 0 {
		require.NoError(t, write(3000))
	}
	for a.Room() >= 3000 {
		require.NoError(t, write(3000))
	}
	require.Equal(t, ErrBackPressured, write(3000))
	require.NoError(t, write(a.Room()))
	require.Equal(t, bound, a.Queued())
	require.Equal(t, ErrBackPressured, write(1))
	require.Equal(t, ErrWouldBlock, a.Flush())

	// The reserve is for control messages, and is itself bounded.
	pong := pattern(ControlReserve, 1)
	_, err := a.WriteControl(pong)
	require.NoError(t, err)
	want = append(want, pong...)
	_, err = a.WriteControl([]byte{1})
	require.Equal(t, ErrBackPressured, err)
	require.Zero(t, a.Room())
	require.Equal(t, bound+ControlReserve, a.Queued())
	_, err = a.WriteControl(make([]byte, bound+ControlReserve+1))
	require.Equal(t, ErrTooLarge, err)

	var got []byte
	p := make([]byte, 3777)
	for len(got) < len(want) {
		n, err := b.Read(p)
		got = append(got, p[:n]...)
		if err != nil {
			require.Equal(t, ErrWouldBlock, err)
			if err := a.Flush(); err != nil {
				require.Equal(t, ErrWouldBlock, err)
			}
		}
	}
	require.True(t, string(want) == string(got))
	require.NoError(t, a.Flush())
	require.Zero(t, a.Queued())
	require.Equal(t, bound, a.Room())
}

func TestTCPLargeMessagesBothWays(t *testing.T) {
	s, peer := connect(t, &Options{SendBuffer: 64 << 10, RecvBuffer: 64 << 10})
	swap(t, s, peer)
}

func TestTCPAllocates(t *testing.T) {
	a, b := pair(t, nil)
	m, p := pattern(200, 0), make([]byte, 1024)
	require.Zero(t, testing.AllocsPerRun(500, func() {
		if n, err := a.Write(m); n != len(m) || err != nil {
			panic(err)
		}
		if n, err := b.Read(p); n != len(m) || err != nil {
			panic(err)
		}
		if _, err := b.Read(p); err != ErrWouldBlock {
			panic(err)
		}
	}))
	full := make([]byte, 1<<20)
	for a.Queued() == 0 {
		_, err := a.Write(full)
		require.NoError(t, err)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := a.Write(full); err != ErrBackPressured {
			panic(err)
		}
		if err := a.Flush(); err != ErrWouldBlock {
			panic(err)
		}
	}))
}

func TestNewTCPRefuses(t *testing.T) {
	_, err := NewTCP(-1, nil)
	require.ErrorIs(t, err, syscall.EBADF)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	_, err = NewTCP(fd, nil)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	_, err = NewTCP(fd, &Options{QueueBound: -1})
	require.ErrorContains(t, err, "QueueBound -1")
}
