package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/dns"
)

// Dial sets up a stream to target, "tcp://host:port" or "tls://host:port"; an
// IPv6 address stands in brackets and a port must be there. It blocks until
// the stream is ready, or has failed, or ctx has ended: without a deadline in
// ctx the kernel's own limits apply, some two minutes for an address that does
// not answer. Any goroutine may call it; a nil *Options is as the zero value.
//
//	Resolving ──→ Connecting ──→ (tls) Securing ──→ Stream
//	    └──────────────┴───────────────┴──────────→ *DialError
//
// The addresses of the host are tried as RFC 8305 says (happy eyeballs). With a
// proxy (Options.Proxy) it is the proxy that is resolved and connected to so,
// and asked to connect on: all of that is Connecting.
//
// Errors are *[DialError] with the phase that failed; errors.Is and errors.As
// reach the cause of each address, [OptionError], [ProxyError], the x509 errors,
// and the cause of ctx. A target that is none fails in Resolving, with [ErrTarget].
//
// The stream can [Waiter].Wait until it is detached, is a [Detacher] and is
// [Addressed]. It is a *[TCP] or a *[TLS], or what Options.Wrap returned.
func (o *Options) Dial(ctx context.Context, target string) (Stream, error) {
	if o == nil {
		o = new(Options)
	}
	t, err := parseTarget(target)
	if err != nil {
		return nil, &DialError{Phase: Resolving, Target: target, Err: err}
	}
	p, err := o.proxyFor(t)
	if err != nil {
		return nil, &DialError{Phase: Resolving, Target: target, Err: err}
	}
	o.begin(Resolving)
	var addrs []netip.AddrPort // to connect to
	if p == nil {
		addrs, err = o.resolve(ctx, t, o.LocalAddr)
	} else {
		addrs, err = p.resolve(ctx, o)
	}
	if err != nil {
		return nil, &DialError{Phase: Resolving, Target: target, Err: err}
	}
	o.begin(Connecting)
	var s Stream
	if p == nil {
		s, err = o.connect(ctx, addrs, t.layers())
	} else {
		s, err = p.connect(ctx, o, addrs)
	}
	if err != nil {
		e := &DialError{Phase: Connecting, Target: target, Err: err}
		if len(addrs) == 1 {
			e.Addr = addrs[0].String()
		}
		return nil, e
	}
	if o.Wrap != nil {
		wrapped, err := o.Wrap(s)
		if err == nil && wrapped == nil {
			err = errors.New("Options.Wrap returned neither a stream nor an error")
		}
		if err != nil {
			return nil, &DialError{Phase: Connecting, Target: target, Addr: remoteOf(s), Err: abandon(s, err)}
		}
		s = wrapped
	}
	if !t.secure {
		return s, nil
	}
	o.begin(Securing)
	secured, err := Secure(ctx, s, o.TLS, t.host)
	if err != nil {
		return nil, &DialError{Phase: Securing, Target: target, Addr: remoteOf(s), Err: abandon(s, err)}
	}
	return secured, nil
}

// remoteOf is the address of the other end of s, "" if that does not know it.
func remoteOf(s Stream) string {
	if a, ok := s.(Addressed); ok && a.RemoteAddr().IsValid() {
		return a.RemoteAddr().String()
	}
	return ""
}

// abandon closes what a set-up that failed with err leaves behind.
func abandon(s Stream, err error) error {
	if e := s.Close(); e != nil {
		return errors.Join(err, e)
	}
	return err
}

// connect races the addresses; layers is how many of TLS will stand above.
func (o *Options) connect(ctx context.Context, addrs []netip.AddrPort, layers int) (*TCP, error) {
	tcp, err := o.race(ctx, addrs, o.dialOne)
	if err != nil {
		return nil, err
	}
	for range layers {
		// The bound is meant for the user's bytes: sealed, they need more.
		tcp.setBound(sealedSize(tcp.bound, maxOverhead))
	}
	return tcp, nil
}

func (o *Options) begin(p Phase) {
	if o.OnPhase != nil {
		o.OnPhase(p)
	}
}

// maxQueueBound keeps every sum of sizes far from overflow.
const maxQueueBound = 1 << 30

func (o *Options) queueBound() (int, error) {
	switch {
	case o == nil || o.QueueBound == 0:
		return DefaultQueueBound, nil
	case o.QueueBound < 0 || o.QueueBound > maxQueueBound:
		return 0, fmt.Errorf("stream: QueueBound %d is not from 1 to %d", o.QueueBound, maxQueueBound)
	}
	return o.QueueBound, nil
}

// resolve finds the addresses to try, in the order in which to try them. A local
// address restricts them to its family.
func (o *Options) resolve(ctx context.Context, t target, local netip.Addr) ([]netip.AddrPort, error) {
	local = local.Unmap()
	network := "ip"
	switch {
	case local.Is4():
		network = "ip4"
	case local.Is6():
		network = "ip6"
	}
	found := []netip.Addr{t.ip}
	if !t.ip.IsValid() {
		resolver := o.Resolver
		if resolver == nil {
			resolver = dns.System
		}
		var err error
		if found, err = resolver.LookupNetIP(ctx, network, t.host); err != nil {
			return nil, err
		}
	}
	var addrs []netip.AddrPort
	for _, ip := range found {
		ip = ip.Unmap()
		if !ip.IsValid() || local.IsValid() && ip.Is4() != local.Is4() {
			continue
		}
		if a := netip.AddrPortFrom(ip, t.port); !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		if local.IsValid() {
			return nil, fmt.Errorf("no address of the family of the local address %s", local)
		}
		return nil, errors.New("no address")
	}
	return interleave(addrs), nil
}

// dialOne makes one attempt.
func (o *Options) dialOne(ctx context.Context, addr netip.AddrPort) (*TCP, error) {
	d := net.Dialer{KeepAlive: -1, Control: o.control}
	d.SetMultipathTCP(false)
	if local := o.LocalAddr.Unmap(); local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(local, 0))
	}
	conn, err := d.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	fd, err := duplicate(conn.(*net.TCPConn))
	// The copy of Go's own goes; the connection lives on in the duplicate.
	if e := conn.Close(); err == nil {
		err = e
	}
	var t *TCP
	if err == nil && o.Nagle {
		// Go's Dialer has just switched it off.
		err = setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, "TCP_NODELAY", 0)
	}
	if err == nil {
		t, err = NewTCP(fd, o)
	}
	if err != nil {
		if fd >= 0 {
			err = errors.Join(err, unix.Close(fd))
		}
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	return t, nil
}

// duplicate returns a descriptor of the same socket, or -1.
func duplicate(conn *net.TCPConn) (fd int, err error) {
	fd = -1
	raw, err := conn.SyscallConn()
	if err != nil {
		return fd, err
	}
	var failed error
	err = raw.Control(func(s uintptr) {
		if dup, e := unix.FcntlInt(s, unix.F_DUPFD_CLOEXEC, 0); e != nil {
			failed = os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", e)
		} else {
			fd = dup
		}
	})
	if err == nil {
		err = failed
	}
	return fd, err
}
