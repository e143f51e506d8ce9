package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a connected, blocking descriptor that one goroutine uses.
type socket struct {
	fd int
	// spin has Read ask again and again instead of sleeping in the kernel.
	spin bool
}

func (s *socket) Read(p []byte) (int, error) {
	flags := 0
	if s.spin {
		flags = unix.MSG_DONTWAIT
	}
	for {
		n, err := system(unix.SYS_RECVFROM, s.fd, p, flags)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN:
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Write writes all of p.
func (s *socket) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := system(unix.SYS_SENDTO, s.fd, p[done:], unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// system is a system call that may block without the scheduler's knowledge,
// which saves its two notices and their consequences: another thread woken.
func system(call uintptr, fd int, p []byte, flags int) (int, error) {
	n, _, e := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(flags), 0, 0)
	if e != 0 {
		return -1, e
	}
	return int(n), nil
}

// peer is the client as the workloads see it.
type peer struct {
	rw io.ReadWriter
	// secure is set when rw is TLS: what was written leaves with flush.
	secure *batched
	// records puts each frame into a TLS record of its own.
	records bool
}

// newSecure puts TLS over s, as the one that identity says (see newIdentity).
// The handshake is done by the first read.
func newSecure(s *socket, identity []byte, records bool) (peer, error) {
	certificate, err := tls.X509KeyPair(identity, identity)
	if err != nil {
		return peer{}, fmt.Errorf("certificate: %w", err)
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		// Full records from the first byte on, as a server in C makes them.
		DynamicRecordSizingDisabled: true,
	}
	b := &batched{socket: s}
	return peer{rw: tls.Server(b, config), secure: b, records: records}, nil
}

// send writes frames, each frame bytes long, with one system call.
func (p peer) send(frames []byte, frame int) error {
	if p.secure == nil || !p.records {
		frame = len(frames)
	}
	for len(frames) > 0 {
		if _, err := p.rw.Write(frames[:frame]); err != nil {
			return err
		}
		frames = frames[frame:]
	}
	if p.secure != nil {
		return p.secure.flush()
	}
	return nil
}

// batched is the transport under TLS: records gather until flush, so that any
// number of them leaves in one write. A read flushes first: the handshake, and
// whatever TLS has to answer, needs no help.
type batched struct {
	*socket
	out []byte
}

func (b *batched) Read(p []byte) (int, error) {
	if err := b.flush(); err != nil {
		return 0, err
	}
	return b.socket.Read(p)
}

func (b *batched) Write(p []byte) (int, error) {
	b.out = append(b.out, p...)
	return len(p), nil
}

func (b *batched) flush() error {
	if len(b.out) == 0 {
		return nil
	}
	_, err := b.socket.Write(b.out)
	b.out = b.out[:0]
	return err
}

// The rest of net.Conn, as far as crypto/tls asks for it.

func (b *batched) Close() error                     { return b.flush() }
func (b *batched) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (b *batched) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (b *batched) SetDeadline(time.Time) error      { return nil }
func (b *batched) SetReadDeadline(time.Time) error  { return nil }
func (b *batched) SetWriteDeadline(time.Time) error { return nil }
