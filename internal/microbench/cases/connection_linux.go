package cases

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connection is a TCP connection over loopback, both ends non-blocking and without
// Nagle's algorithm.
type connection struct{ client, server int }

func newConnection() (*connection, error) {
	listener, addr, err := listen()
	if err != nil {
		return nil, err
	}
	defer unix.Close(listener)
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(client, addr); err != nil { // done when the backlog has it
		unix.Close(client)
		return nil, fmt.Errorf("connect: %w", err)
	}
	server, err := accept(listener)
	if err != nil {
		unix.Close(client)
		return nil, err
	}
	c := &connection{client, server}
	for _, fd := range []int{client, server} {
		if err := ready(fd); err != nil {
			c.close()
			return nil, err
		}
	}
	return c, nil
}

func (c *connection) close() {
	unix.Close(c.client)
	unix.Close(c.server)
}

func listen() (fd int, addr *unix.SockaddrInet4, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, nil, fmt.Errorf("socket: %w", err)
	}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		err = unix.Listen(fd, 1)
	}
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	if err != nil {
		unix.Close(fd)
		return -1, nil, fmt.Errorf("listen on loopback: %w", err)
	}
	return fd, name.(*unix.SockaddrInet4), nil
}

func accept(listener int) (int, error) {
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			return fd, nil
		case unix.EINTR:
		default:
			return -1, fmt.Errorf("accept: %w", err)
		}
	}
}

func ready(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return fmt.Errorf("O_NONBLOCK: %w", err)
	}
	return nil
}

// recv and send are the calls that stream.TCP makes.
func recv(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func send(fd int, p []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

// echo sends back what comes, until stop. It spins; gentle makes it sleep in the
// kernel instead, for when it has no CPU of its own.
func echo(fd int, gentle bool, stop *atomic.Bool) error {
	var p [4096]byte
	for !stop.Load() {
		if gentle {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			_, _ = unix.Poll(poll, 10) // ms; EINTR: look again
		}
		n, errno := recv(fd, p[:])
		switch {
		case errno == unix.EAGAIN || errno == unix.EINTR:
			continue
		case errno != 0:
			return fmt.Errorf("recvfrom: %w", errno)
		case n == 0:
			return nil
		}
		if m, errno := send(fd, p[:n]); errno != 0 || m < n {
			return fmt.Errorf("sendto: %d of %d bytes: %v", m, n, errno)
		}
	}
	return nil
}
