package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// TCP is a [Stream] over a connected stream socket. One goroutine at a time
// uses it. It owns its descriptor, which is its own alone: Go's poller has
// never seen it.
//
// Read and Write make one system call each and do not allocate, except where
// the write queue grows.
//
// An error of the connection is final. It is returned by every later call of
// the same direction, and a reset met in one direction is also the error of
// the other. Errors are *net.OpError: they name both addresses, and errors.Is
// reaches the syscall.Errno. What arrived before a reset or the end of the
// stream is delivered first.
type TCP struct {
	fd            int
	rerr, werr    error // final, nil while all is well
	queue         queue
	bound         int       // of the queue, without ControlReserve
	receiver      *receiver // nil: a plain recv
	waiter        waiter
	local, remote netip.AddrPort
}

var (
	_ Stream    = (*TCP)(nil)
	_ Waiter    = (*TCP)(nil)
	_ Detacher  = (*TCP)(nil)
	_ Addressed = (*TCP)(nil)
)

// NewTCP makes a stream of a connected stream socket of the caller's own, be it
// TCP or a socketpair. The stream takes the descriptor over and puts it into
// non-blocking mode; when NewTCP fails the descriptor stays with the caller.
// Of the options only QueueBound, Timestamps and QuickAck are looked at; nil
// means the defaults.
func NewTCP(fd int, o *Options) (*TCP, error) {
	bound, err := o.queueBound()
	if err != nil {
		return nil, err
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return nil, fmt.Errorf("stream: descriptor %d: %w", fd, os.NewSyscallError("getsockopt SO_TYPE", err))
	}
	if kind != unix.SOCK_STREAM {
		return nil, fmt.Errorf("stream: descriptor %d is a socket of type %d, not a stream socket: %w", fd, kind, syscall.EPROTOTYPE)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("stream: descriptor %d: %w", fd, os.NewSyscallError("fcntl O_NONBLOCK", err))
	}
	t := &TCP{fd: fd}
	t.setBound(bound)
	if a, err := unix.Getsockname(fd); err == nil {
		t.local = addrPort(a)
	}
	if a, err := unix.Getpeername(fd); err == nil {
		t.remote = addrPort(a)
	}
	if t.receiver, err = newReceiver(fd, o, t.local.Addr()); err != nil {
		return nil, fmt.Errorf("stream: descriptor %d: %w", fd, err)
	}
	return t, nil
}

func (t *TCP) setBound(bound int) { t.bound, t.queue.limit = bound, bound+ControlReserve }

// addrPort is the zero AddrPort for anything that is not IP.
func addrPort(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(zoneName(a.ZoneId))
		}
		return netip.AddrPortFrom(ip, uint16(a.Port))
	}
	return netip.AddrPort{}
}

func zoneName(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return fmt.Sprint(index)
}

// Read implements [Stream]: one recv; one recvmsg with Options.Timestamps.
func (t *TCP) Read(p []byte) (int, error) {
	if t.rerr != nil || len(p) == 0 {
		return 0, t.rerr
	}
	var n int
	var errno syscall.Errno
	if t.receiver == nil {
		n, errno = recv(t.fd, p)
	} else {
		n, errno = t.receiver.recv(t.fd, p)
	}
	if n > 0 {
		return n, nil
	}
	if errno == syscall.EAGAIN {
		return 0, ErrWouldBlock
	}
	return 0, t.readFailed(errno)
}

// readFailed records the end of the read side. The kernel reports a reset
// once, to whichever call comes first: when a send has met it, recv answers 0
// like an orderly end. EPIPE tells the two apart, as it means that the peer's
// FIN had come before the reset.
func (t *TCP) readFailed(errno syscall.Errno) error {
	switch {
	case errno != 0:
		t.rerr = t.opError("read", "recvfrom", errno)
		if t.werr == nil {
			t.werr = t.rerr
		}
	case t.werr != nil && !errors.Is(t.werr, syscall.EPIPE):
		t.rerr = t.werr
	default:
		t.rerr = io.EOF
	}
	return t.rerr
}

// Write implements [Stream]: one send when the queue is empty, else none.
func (t *TCP) Write(p []byte) (int, error) { return t.write(p, t.bound) }

// WriteControl implements [Stream].
func (t *TCP) WriteControl(p []byte) (int, error) { return t.write(p, t.queue.limit) }

func (t *TCP) write(p []byte, limit int) (int, error) {
	if t.werr != nil || len(p) == 0 {
		return 0, t.werr
	}
	if len(p) > limit {
		return 0, ErrTooLarge
	}
	if len(p) > limit-t.queue.n {
		if err := t.Flush(); err != nil && err != ErrWouldBlock {
			return 0, err
		}
		if len(p) > limit-t.queue.n {
			return 0, ErrBackPressured
		}
	}
	sent := 0
	if t.queue.n == 0 {
		n, errno := send(t.fd, p)
		if errno != 0 && errno != syscall.EAGAIN {
			return 0, t.writeFailed(errno)
		}
		sent = n
	}
	if sent < len(p) {
		t.queue.push(p[sent:])
	}
	return len(p), nil
}

// writeFailed records the end of the write side. Reading goes on: the peer may
// have said something before it left.
func (t *TCP) writeFailed(errno syscall.Errno) error {
	t.werr = t.opError("write", "sendto", errno)
	return t.werr
}

func (t *TCP) opError(op, call string, errno syscall.Errno) error {
	e := &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(call, errno)}
	if t.remote.IsValid() {
		e.Source, e.Addr = net.TCPAddrFromAddrPort(t.local), net.TCPAddrFromAddrPort(t.remote)
	}
	return e
}

// Flush implements [Stream]: one send, or two when the bytes lie in two pieces.
func (t *TCP) Flush() error {
	if t.werr != nil {
		return t.werr
	}
	for t.queue.n > 0 {
		b := t.queue.front()
		n, errno := send(t.fd, b)
		if errno != 0 && errno != syscall.EAGAIN {
			return t.writeFailed(errno)
		}
		t.queue.drop(n)
		if n < len(b) {
			return ErrWouldBlock
		}
	}
	return nil
}

// Queued implements [Stream]. After an error, and after Close, it tells how
// many accepted bytes never reached the kernel.
func (t *TCP) Queued() int { return t.queue.n }

// Room implements [Stream].
func (t *TCP) Room() int {
	if t.werr != nil {
		return 0
	}
	return max(0, t.bound-t.queue.n)
}

// Buffered implements [Stream]: never, the kernel holds all there is.
func (t *TCP) Buffered() bool { return false }

// Source implements [Stream]: the descriptor, -1 after Close.
func (t *TCP) Source() Source { return Source{FD: t.fd} }

// FD is the descriptor, -1 after Close. It stays the stream's: it may be
// watched and its options set, but not read, written or closed.
func (t *TCP) FD() int { return t.fd }

// LocalAddr implements [Addressed].
func (t *TCP) LocalAddr() netip.AddrPort { return t.local }

// RemoteAddr implements [Addressed].
func (t *TCP) RemoteAddr() netip.AddrPort { return t.remote }

// Wait implements [Waiter]. It returns nil when the stream may be readable
// (or writable), which includes its end and its failure; the cause of ctx when
// ctx ended first; [ErrDetached] after Detach; net.ErrClosed after Close. It
// does not send what is queued: who waits for an answer flushes first.
func (t *TCP) Wait(ctx context.Context, write bool) error {
	if t.fd < 0 {
		return net.ErrClosed
	}
	return t.waiter.wait(ctx, t.fd, write)
}

// Detach implements [Detacher]. Calling it again does nothing.
func (t *TCP) Detach() error { return t.waiter.detach() }

// Unwatch implements [Unwatcher].
func (t *TCP) Unwatch() error { return t.waiter.unwatch() }

// Close implements [Stream]. A second Close does nothing.
func (t *TCP) Close() error {
	if t.fd < 0 {
		return nil
	}
	err := t.waiter.detach()
	if e := os.NewSyscallError("close", unix.Close(t.fd)); e != nil {
		err = e
	}
	t.fd = -1
	t.rerr, t.werr = net.ErrClosed, net.ErrClosed
	t.queue.release()
	return err
}
