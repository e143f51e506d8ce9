package stream

import (
	"errors"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/unprivileged"
)

// requireRefused asserts that err says which option was refused, and why.
func requireRefused(t testing.TB, err error, name string, errno syscall.Errno) *OptionError {
	var o *OptionError
	require.ErrorAs(t, err, &o)
	require.Equal(t, name, o.Name)
	require.ErrorIs(t, o, errno)
	require.NotEmpty(t, o.Value)
	return o
}

// What the kernel grants is read back from the socket.
func TestTuningOptions(t *testing.T) {
	var hooked bool
	s, _ := connect(t, &Options{
		NotSentLowWater: 16 << 10, TOS: 46 << 2, Priority: 5,
		IncomingCPU: affinity.Fixed(runtime.NumCPU() + 7), // no packet comes in there
		BusyPoll:    49_001 * time.Nanosecond, QuickAck: true,
		Control: func(_, _ string, fd int) error {
			cpu, err := IncomingCPU(fd)
			hooked = cpu == runtime.NumCPU()+7
			return err
		},
	})
	require.True(t, hooked, "before a packet has come it is what was set")
	require.Equal(t, 16<<10, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT))
	require.Equal(t, 46<<2, sockopt(t, s, unix.IPPROTO_IP, unix.IP_TOS))
	require.Equal(t, 5, sockopt(t, s, unix.SOL_SOCKET, unix.SO_PRIORITY), "not what TOS makes of it")
	require.Equal(t, 50, sockopt(t, s, unix.SOL_SOCKET, unix.SO_BUSY_POLL), "rounded up")

	s, _ = connect(t, nil)
	require.Zero(t, sockopt(t, s, unix.IPPROTO_IP, unix.IP_TOS))
	require.Zero(t, sockopt(t, s, unix.SOL_SOCKET, unix.SO_PRIORITY))
}

// Options that only privileged threads may set: what they do where that is one,
// and what the kernel says to others.
func TestTuningOptionsThatNeedPrivilege(t *testing.T) {
	l := listen(t)
	for _, c := range []struct {
		name string
		o    Options
		opt  int // SOL_SOCKET; 0: it cannot be read
		want int
	}{
		{"SO_PREFER_BUSY_POLL", Options{PreferBusyPoll: true}, unix.SO_PREFER_BUSY_POLL, 1},
		{"SO_BUSY_POLL_BUDGET", Options{BusyPollBudget: 64}, 0, 0},
		{"SO_PRIORITY", Options{Priority: 7}, unix.SO_PRIORITY, 7},
		{"SO_MARK", Options{Mark: 0xfedcba98}, unix.SO_MARK, -0x01234568},
	} {
		t.Run(c.name, func(t *testing.T) {
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			defer unix.Close(fd)
			err = unprivileged.Run(func() error { return c.o.apply("tcp4", "127.0.0.1:1", fd) })
			requireRefused(t, err, c.name, syscall.EPERM)
			require.ErrorContains(t, err, "it needs CAP_NET_ADMIN")

			s, err := c.o.Dial(testCtx(t), "tcp://"+l.Addr().String())
			if errors.Is(err, syscall.EPERM) {
				t.Skipf("these tests run without the privilege: %v", err)
			}
			require.NoError(t, err)
			defer s.Close()
			if c.opt != 0 {
				require.Equal(t, c.want, sockopt(t, s, unix.SOL_SOCKET, c.opt))
			}
		})
	}
	t.Run("the others do not", func(t *testing.T) {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		o := Options{
			Interface: "lo", UserTimeout: time.Second, RecvBuffer: 20_000, SendBuffer: 20_000, QuickAck: true,
			NotSentLowWater: 1 << 14, TOS: 0xb8, Priority: 6, IncomingCPU: affinity.Fixed(1), Timestamps: TimestampsSoftware,
		}
		require.NoError(t, unprivileged.Run(func() error { return o.apply("tcp4", "127.0.0.1:1", fd) }))
	})
}

func TestTuningOptionsRefused(t *testing.T) {
	target := "tcp://" + listen(t).Addr().String()
	for name, c := range map[string]struct {
		o     Options
		value string
	}{
		"TCP_NOTSENT_LOWAT":   {Options{NotSentLowWater: -1}, "-1"},
		"SO_BUSY_POLL":        {Options{BusyPoll: -5 * time.Microsecond}, "-5"},
		"SO_BUSY_POLL_BUDGET": {Options{BusyPollBudget: -1}, "-1"},
		"IP_TOS":              {Options{TOS: 46<<2 | 1}, "0xb9"},
		"SO_PRIORITY":         {Options{Priority: -1}, "-1"},
	} {
		_, err := c.o.Dial(testCtx(t), target)
		failedIn(t, Connecting, err)
		require.Equal(t, c.value, requireRefused(t, err, name, syscall.EINVAL).Value)
	}
	_, err := (&Options{BusyPoll: 10 * time.Hour}).Dial(testCtx(t), target)
	requireRefused(t, err, "SO_BUSY_POLL", syscall.EINVAL)

	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	_, err = NewTCP(fds[0], &Options{QuickAck: true})
	requireRefused(t, err, "TCP_QUICKACK", syscall.EOPNOTSUPP)
	require.NoError(t, unix.SetNonblock(fds[0], true), "the descriptor stays the caller's")

	_, err = IncomingCPU(-1)
	require.ErrorIs(t, err, syscall.EBADF)
}

// The peer sees the mark in the header of the SYN, which the kernel keeps for it.
func TestTOSIsOnThePackets(t *testing.T) {
	for _, c := range []struct {
		network, addr          string
		level, recv, pkt, kind int
	}{
		{"tcp4", "127.0.0.1:0", unix.IPPROTO_IP, unix.IP_RECVTOS, unix.IP_PKTOPTIONS, unix.IP_TOS},
		{"tcp6", "[::1]:0", unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, unix.IPV6_2292PKTOPTIONS, unix.IPV6_TCLASS},
	} {
		t.Run(c.network, func(t *testing.T) {
			var config net.ListenConfig
			config.SetMultipathTCP(false) // it knows no such option
			l, err := config.Listen(testCtx(t), c.network, c.addr)
			if err != nil {
				t.Skipf("this machine has no loopback of the kind: %v", err)
			}
			defer l.Close()
			control(t, l.(*net.TCPListener), func(fd int) {
				require.NoError(t, unix.SetsockoptInt(fd, c.level, c.recv, 1))
			})
			s, err := (&Options{TOS: 0xb8}).Dial(testCtx(t), "tcp://"+l.Addr().String())
			require.NoError(t, err)
			defer s.Close()
			require.Equal(t, 0xb8, sockopt(t, s, c.level, c.kind))
			peer, err := l.(*net.TCPListener).AcceptTCP()
			require.NoError(t, err)
			defer peer.Close()
			control(t, peer, func(fd int) {
				b := make([]byte, 256)
				size := uint32(len(b))
				_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(c.level), uintptr(c.pkt),
					uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&size)), 0)
				require.Zero(t, errno)
				messages, err := unix.ParseSocketControlMessage(b[:size])
				require.NoError(t, err)
				for _, m := range messages {
					if int(m.Header.Type) == c.kind {
						require.EqualValues(t, 0xb8, m.Data[0])
						return
					}
				}
				t.Errorf("no message of type %d in %v", c.kind, messages)
			})
		})
	}
}

// control calls f with the descriptor of one of Go's own sockets.
func control(t testing.TB, c syscall.Conn, f func(fd int)) {
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { f(int(fd)) }))
}

// exchange sends a message each way, n times, and returns how many packets the
// stream's side has sent without data: acknowledgements.
func exchange(t testing.TB, s *TCP, peer net.Conn, n int) int {
	count := func() int {
		info, err := unix.GetsockoptTCPInfo(s.FD(), unix.IPPROTO_TCP, unix.TCP_INFO)
		require.NoError(t, err)
		return int(info.Segs_out - info.Data_segs_out)
	}
	before, p := count(), make([]byte, 64)
	for range n {
		_, err := s.Write([]byte("ask"))
		require.NoError(t, err)
		_, err = peer.Read(p)
		require.NoError(t, err)
		_, err = peer.Write([]byte("answer"))
		require.NoError(t, err)
		_, err = readSome(t, s, p)
		require.NoError(t, err)
	}
	return count() - before
}

func TestQuickAck(t *testing.T) {
	quick := func(s *TCP) bool { return sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_QUICKACK) != 0 }

	// In an exchange of questions and answers the kernel turns to acknowledging
	// with the next question.
	s, peer := connect(t, nil)
	require.Eventually(t, func() bool {
		exchange(t, s, peer, 10)
		return !quick(s)
	}, 10*time.Second, time.Millisecond)

	const rounds = 50
	s, peer = connect(t, &Options{QuickAck: true})
	for range 5 {
		require.GreaterOrEqual(t, exchange(t, s, peer, rounds), rounds, "an acknowledgement for each answer")
		require.True(t, quick(s), "it is set again after each read")
	}
}

// Packets of loopback are processed on the CPU of the thread that sends them.
func TestIncomingCPU(t *testing.T) {
	s, peer := connect(t, &Options{IncomingCPU: affinity.Fixed(runtime.NumCPU() + 7)})
	cpu, err := IncomingCPU(s.FD())
	require.NoError(t, err)
	require.Less(t, cpu, runtime.NumCPU(), "packets overwrite what was set")

	allowed, err := affinity.Available()
	require.NoError(t, err)
	for _, want := range allowed.CPUs() {
		sent := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			err := affinity.Pin(want)
			if err == nil {
				control(t, peer, func(fd int) { _, err = unix.Write(fd, []byte("x")) })
			}
			sent <- err
		}()
		require.NoError(t, <-sent)
		_, err := readSome(t, s, make([]byte, 8))
		require.NoError(t, err)
		got, err := IncomingCPU(s.FD())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// Beyond the low-water mark bytes wait in the stream's queue, not in the kernel.
func TestNotSentLowWater(t *testing.T) {
	unsent := func(o *Options) int {
		s, _ := connect(t, o) // the peer does not read
		m := pattern(16<<10, 0)
		for s.Queued() == 0 {
			_, err := s.Write(m)
			require.NoError(t, err)
		}
		n, err := unix.IoctlGetInt(s.FD(), unix.SIOCOUTQNSD)
		require.NoError(t, err)
		return n
	}
	const bound = 128 << 10 // the mark, and a packet on its way to the NIC
	require.LessOrEqual(t, unsent(&Options{NotSentLowWater: 16 << 10}), bound)
	require.Greater(t, unsent(&Options{}), bound)
}
