package stream

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// answers is a resolver with one answer for everything.
type answers []string

func (a answers) LookupNetIP(_ context.Context, network, _ string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, s := range a {
		ip := netip.MustParseAddr(s)
		if network == "ip" || network == "ip4" == ip.Unmap().Is4() {
			out = append(out, ip)
		}
	}
	return out, nil
}

// failedIn asserts that err is a *DialError of that phase.
func failedIn(t testing.TB, phase Phase, err error) *DialError {
	var d *DialError
	require.ErrorAs(t, err, &d)
	require.Equal(t, phase, d.Phase, "%v", err)
	return d
}

func portOf(t testing.TB, addr string) string {
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	return port
}

func TestDial(t *testing.T) {
	l := listen(t)
	var phases []Phase
	o := &Options{OnPhase: func(p Phase) { phases = append(phases, p) }, Resolver: answers{"127.0.0.1"}}
	s, err := o.Dial(testCtx(t), "tcp://somewhere.test:"+portOf(t, l.Addr().String()))
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, []Phase{Resolving, Connecting}, phases)
	peer, err := l.Accept()
	require.NoError(t, err)
	defer peer.Close()
	require.Equal(t, peer.LocalAddr().String(), s.(Addressed).RemoteAddr().String())
	require.Equal(t, peer.RemoteAddr().String(), s.(Addressed).LocalAddr().String())
}

func TestDialBadTarget(t *testing.T) {
	_, err := new(Options).Dial(testCtx(t), "tcp://nowhere")
	failedIn(t, Resolving, err)
	require.ErrorIs(t, err, ErrTarget)
	require.Equal(t, "stream: resolving tcp://nowhere: stream: bad target: missing port in address", err.Error())
}

func TestDialDeadName(t *testing.T) {
	dead := &net.DNSError{Err: "no such host", Name: "dead.test", IsNotFound: true}
	o := &Options{Resolver: resolverFunc(func(context.Context) ([]netip.Addr, error) { return nil, dead })}
	_, err := o.Dial(testCtx(t), "tcp://dead.test:80")
	failedIn(t, Resolving, err)
	var d *net.DNSError
	require.ErrorAs(t, err, &d)

	_, err = (&Options{Resolver: answers{}}).Dial(testCtx(t), "tcp://empty.test:80")
	failedIn(t, Resolving, err)
	require.ErrorContains(t, err, "no address")

	o = &Options{Resolver: resolverFunc(func(ctx context.Context) ([]netip.Addr, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = o.Dial(ctx, "tcp://slow.test:80")
	failedIn(t, Resolving, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

type resolverFunc func(context.Context) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	return f(ctx)
}

func TestDialRefused(t *testing.T) {
	var none *Options
	addr := refusing(t)
	_, err := none.Dial(testCtx(t), "tcp://"+addr)
	d := failedIn(t, Connecting, err)
	require.Equal(t, addr, d.Addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestDialBlackHole(t *testing.T) {
	addr := blackHole(t)
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, enough)
	defer cancel()
	_, err := new(Options).Dial(ctx, "tcp://"+addr)
	failedIn(t, Connecting, err)
	require.ErrorIs(t, err, enough)
	require.ErrorContains(t, err, addr)
}

func TestDialFallsBack(t *testing.T) {
	l := listen(t) // 127.0.0.1
	port := portOf(t, l.Addr().String())
	accept := func(t *testing.T, s Stream) {
		require.Equal(t, l.Addr().String(), s.(Addressed).RemoteAddr().String())
		require.NoError(t, s.Close())
		c, err := l.Accept()
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	t.Run("next at once after a refusal", func(t *testing.T) {
		o := &Options{Resolver: answers{"::1", "127.0.0.9", "::ffff:127.0.0.1"}, FallbackDelay: time.Hour}
		s, err := o.Dial(testCtx(t), "tcp://h.test:"+port)
		require.NoError(t, err)
		accept(t, s)
	})
	t.Run("next after a delay when there is no answer", func(t *testing.T) {
		// The hook holds the first address back until the dial is over.
		over := make(chan struct{})
		o := &Options{
			Resolver: answers{"127.0.0.9", "127.0.0.1"}, FallbackDelay: time.Millisecond,
			Control: func(_, address string, _ int) error {
				if strings.HasPrefix(address, "127.0.0.9") {
					<-over
				}
				return nil
			},
		}
		s, err := o.Dial(testCtx(t), "tcp://h.test:"+port)
		close(over)
		require.NoError(t, err)
		accept(t, s)
	})
	t.Run("a loser that comes through is closed", func(t *testing.T) {
		// Both connect; the first is held back and finds the race over.
		over := make(chan struct{})
		var held atomic.Bool
		o := &Options{
			Resolver: answers{"127.0.0.1", "::ffff:127.0.0.2"}, FallbackDelay: time.Millisecond,
			Control: func(string, string, int) error {
				if held.CompareAndSwap(false, true) {
					<-over
				}
				return nil
			},
		}
		any, err := net.Listen("tcp", "0.0.0.0:0")
		require.NoError(t, err)
		defer any.Close()
		s, err := o.Dial(testCtx(t), "tcp://h.test:"+portOf(t, any.Addr().String()))
		close(over)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.2", s.(Addressed).RemoteAddr().Addr().String())
		require.NoError(t, s.Close()) // the gate in TestMain finds what is left
	})
	t.Run("black hole first", func(t *testing.T) {
		hole := blackHole(t)
		_, err := net.Dial("tcp", "127.0.0.9:"+portOf(t, hole))
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		other, err := net.Listen("tcp", "127.0.0.2:"+portOf(t, hole))
		require.NoError(t, err)
		defer other.Close()
		o := &Options{Resolver: answers{"127.0.0.1", "127.0.0.2"}, FallbackDelay: 5 * time.Millisecond}
		s, err := o.Dial(testCtx(t), "tcp://h.test:"+portOf(t, hole))
		require.NoError(t, err)
		require.Equal(t, other.Addr().String(), s.(Addressed).RemoteAddr().String())
		require.NoError(t, s.Close())
	})
	t.Run("all causes are told", func(t *testing.T) {
		hole := blackHole(t)
		o := &Options{Resolver: answers{"127.0.0.1", "127.0.0.9"}, FallbackDelay: time.Millisecond}
		err := inShortTime(t, o, "tcp://h.test:"+portOf(t, hole), func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) })
		d := failedIn(t, Connecting, err)
		require.Empty(t, d.Addr)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "127.0.0.9:")
		require.ErrorContains(t, err, hole+": no answer")
		require.NotContains(t, err.Error(), "\n")
	})
}

func TestDialIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6 loopback: %v", err)
	}
	defer l.Close()
	s, err := new(Options).Dial(testCtx(t), "tcp://"+l.Addr().String())
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, l.Addr().String(), s.(Addressed).RemoteAddr().String())
	require.True(t, s.(Addressed).LocalAddr().Addr().Is6())
}

func TestAddrPort(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	require.NoError(t, err)
	for want, a := range map[string]unix.Sockaddr{
		"1.2.3.4:5":       &unix.SockaddrInet4{Addr: [4]byte{1, 2, 3, 4}, Port: 5},
		"[::1]:5":         &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: 5},
		"9.8.7.6:5":       &unix.SockaddrInet6{Addr: netip.MustParseAddr("::ffff:9.8.7.6").As16(), Port: 5},
		"[fe80::1%lo]:5":  &unix.SockaddrInet6{Addr: netip.MustParseAddr("fe80::1").As16(), Port: 5, ZoneId: uint32(lo.Index)},
		"[fe80::1%999]:5": &unix.SockaddrInet6{Addr: netip.MustParseAddr("fe80::1").As16(), Port: 5, ZoneId: 999},
	} {
		require.Equal(t, want, addrPort(a).String())
	}
	require.False(t, addrPort(&unix.SockaddrUnix{}).IsValid())
}

func TestInterleave(t *testing.T) {
	parse := func(s string) (out []netip.AddrPort) {
		for _, a := range strings.Fields(s) {
			out = append(out, netip.AddrPortFrom(netip.MustParseAddr(a), 1))
		}
		return out
	}
	for in, want := range map[string]string{
		"":                        "",
		"1.1.1.1":                 "1.1.1.1",
		"::1 ::2 1.1.1.1 1.1.1.2": "::1 1.1.1.1 ::2 1.1.1.2",
		"1.1.1.1 1.1.1.2 ::1":     "1.1.1.1 ::1 1.1.1.2",
		"::1 ::2 ::3 1.1.1.1":     "::1 1.1.1.1 ::2 ::3",
		"1.1.1.1 1.1.1.2 1.1.1.3": "1.1.1.1 1.1.1.2 1.1.1.3",
	} {
		got := interleave(parse(in))
		require.Equal(t, len(parse(want)), len(got))
		for i, a := range parse(want) {
			require.Equal(t, a, got[i], in)
		}
	}
}

func TestDialLocalAddr(t *testing.T) {
	l := listen(t)
	o := &Options{LocalAddr: netip.MustParseAddr("127.0.0.7"), Resolver: answers{"::1", "127.0.0.1"}}
	s, err := o.Dial(testCtx(t), "tcp://h.test:"+portOf(t, l.Addr().String()))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.7", s.(Addressed).LocalAddr().Addr().String())
	require.NoError(t, s.Close())

	_, err = o.Dial(testCtx(t), "tcp://[::1]:80")
	failedIn(t, Resolving, err)
	require.ErrorContains(t, err, "family of the local address 127.0.0.7")

	o.LocalAddr = netip.MustParseAddr("192.0.2.1") // documentation: nobody's own
	_, err = o.Dial(testCtx(t), "tcp://"+l.Addr().String())
	failedIn(t, Connecting, err)
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
}

// sockopt reads an option of a dialled stream back.
func sockopt(t *testing.T, s Stream, level, opt int) int {
	v, err := unix.GetsockoptInt(s.Source().FD, level, opt)
	require.NoError(t, err)
	return v
}

func TestDialOptions(t *testing.T) {
	l := listen(t)
	target := "tcp://" + l.Addr().String()
	dial := func(o *Options) Stream {
		s, err := o.Dial(testCtx(t), target)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}

	s := dial(nil)
	require.NotZero(t, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_NODELAY))
	require.NotZero(t, sockopt(t, s, unix.SOL_SOCKET, unix.SO_KEEPALIVE))
	require.Equal(t, 15, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE))
	require.Equal(t, 15, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL))
	require.Equal(t, 9, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
	require.Zero(t, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT))

	hooked := false
	s = dial(&Options{
		Nagle: true, Interface: "lo", QueueBound: 5000,
		KeepAlive: 1500 * time.Millisecond, KeepAliveInterval: 3 * time.Second, KeepAliveCount: 4,
		UserTimeout: 2500 * time.Microsecond, RecvBuffer: 20_000, SendBuffer: 30_000,
		Control: func(network, address string, fd int) error {
			hooked = network == "tcp4" && address == l.Addr().String() && fd > 0
			return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TOS, 0x10)
		},
	})
	require.True(t, hooked)
	require.Zero(t, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_NODELAY))
	require.Equal(t, 2, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE))
	require.Equal(t, 3, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL))
	require.Equal(t, 4, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
	require.Equal(t, 3, sockopt(t, s, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT))
	require.Equal(t, 40_000, sockopt(t, s, unix.SOL_SOCKET, unix.SO_RCVBUF))
	require.Equal(t, 60_000, sockopt(t, s, unix.SOL_SOCKET, unix.SO_SNDBUF))
	require.Equal(t, 0x10, sockopt(t, s, unix.IPPROTO_IP, unix.IP_TOS))
	require.Equal(t, 5000, s.Room())
	device, err := unix.GetsockoptString(s.Source().FD, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	require.NoError(t, err)
	require.Equal(t, "lo", device)

	s = dial(&Options{KeepAlive: -1})
	require.Zero(t, sockopt(t, s, unix.SOL_SOCKET, unix.SO_KEEPALIVE))
}

func TestDialRefusedOptions(t *testing.T) {
	target := "tcp://" + listen(t).Addr().String()
	no := errors.New("no such luck")
	for name, c := range map[string]struct {
		o    Options
		text string
		is   error
	}{
		"interface":      {Options{Interface: "eth9none"}, `SO_BINDTODEVICE "eth9none": no such device`, syscall.ENODEV},
		"interface name": {Options{Interface: "lo" + strings.Repeat("x", 20)}, "SO_BINDTODEVICE", syscall.ENODEV},
		"keepalive":      {Options{KeepAlive: 1e6 * time.Second}, "TCP_KEEPIDLE 1000000: invalid argument", syscall.EINVAL},
		"interval":       {Options{KeepAliveInterval: -5 * time.Second}, "TCP_KEEPINTVL", syscall.EINVAL},
		"count":          {Options{KeepAliveCount: 1000}, "TCP_KEEPCNT 1000", syscall.EINVAL},
		"user timeout":   {Options{UserTimeout: -time.Second}, "TCP_USER_TIMEOUT -1000", syscall.EINVAL},
		"long timeout":   {Options{UserTimeout: 1e5 * time.Hour}, "TCP_USER_TIMEOUT", syscall.EINVAL},
		"buffer":         {Options{RecvBuffer: 1 << 30}, "SO_RCVBUF 1073741824: the kernel grants", syscall.ENOBUFS},
		"below 0":        {Options{SendBuffer: -1}, "SO_SNDBUF -1", syscall.EINVAL},
		"hook":           {Options{Control: func(string, string, int) error { return no }}, "control hook: no such luck", no},
		"queue":          {Options{QueueBound: math.MaxInt32}, "QueueBound " + strconv.Itoa(math.MaxInt32), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.o.Dial(testCtx(t), target)
			failedIn(t, Connecting, err)
			require.ErrorContains(t, err, c.text)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			if errno, ok := c.is.(syscall.Errno); ok {
				var o *OptionError
				require.ErrorAs(t, err, &o)
				require.ErrorIs(t, o, errno)
			}
		})
	}
}
