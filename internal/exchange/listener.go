package exchange

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

// listener hands accepted sockets to netpoll. netpoll's own closes its descriptor
// twice, which in a process with other goroutines may close somebody else's, and
// leaves accepted sockets open in child processes.
type listener struct {
	addr    net.Addr
	once    sync.Once
	serving chan struct{} // closed when the event loop has taken the listener

	mu sync.Mutex
	fd int // -1 after Close
}

func listen(address string) (*listener, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	defer func() { _ = ln.Close() }()
	raw, err := ln.(*net.TCPListener).SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	l := &listener{addr: ln.Addr(), serving: make(chan struct{}), fd: -1}
	var dup error
	err = raw.Control(func(fd uintptr) {
		l.fd, dup = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) // stays non-blocking
	})
	if err = errors.Join(err, dup); err != nil {
		return nil, fmt.Errorf("exchange: listening on %s: %w", address, err)
	}
	return l, nil
}

// Accept implements net.Listener as netpoll wants it: nil and no error when there
// is nothing to accept.
func (l *listener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return nil, nil
	}
	fd, sa, err := accept(l.fd)
	switch err {
	case nil:
	case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED:
		return nil, nil
	default:
		return nil, err // netpoll looks for EMFILE, so it comes bare
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		_ = unix.Close(fd)
		return nil, nil // the client has gone already
	}
	return &accepted{fd: fd, local: l.addr, remote: tcpAddr(sa)}, nil
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fd < 0 {
		return net.ErrClosed
	}
	fd := l.fd
	l.fd = -1
	return unix.Close(fd)
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }

// Fd implements netpoll.Listener. netpoll asks for it when it starts to serve.
func (l *listener) Fd() int {
	l.once.Do(func() { close(l.serving) })
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fd
}

func tcpAddr(sa unix.Sockaddr) net.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)))
	case *unix.SockaddrInet6:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)))
	}
	return &net.TCPAddr{}
}

// accepted is a socket on its way to netpoll, which takes its descriptor and its
// addresses and calls nothing else.
type accepted struct {
	net.Conn
	fd            int
	local, remote net.Addr
}

func (a *accepted) Fd() int              { return a.fd }
func (a *accepted) LocalAddr() net.Addr  { return a.local }
func (a *accepted) RemoteAddr() net.Addr { return a.remote }
