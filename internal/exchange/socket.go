package exchange

import (
	"errors"
	"io"
	"net"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// socket is netpoll's connection as crypto/tls and net/http expect a net.Conn to
// be: it ends with io.EOF. One goroutine reads and one writes.
//
// netpoll closes the descriptor only after the goroutine that it started for the
// connection has returned, so fd may be used until then.
type socket struct {
	netpoll.Connection
	fd int
}

func newSocket(nc netpoll.Connection) *socket {
	fd := -1
	if c, ok := nc.(netpoll.Conn); ok {
		fd = c.Fd()
	}
	return &socket{Connection: nc, fd: fd}
}

// Read implements net.Conn.
func (s *socket) Read(p []byte) (int, error) {
	n, err := s.Connection.Read(p)
	return n, plainError(err)
}

// Write implements net.Conn. It returns when the kernel has taken everything.
func (s *socket) Write(p []byte) (int, error) {
	n, err := s.Connection.Write(p)
	return n, plainError(err)
}

func plainError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, netpoll.ErrEOF):
		return io.EOF
	case errors.Is(err, netpoll.ErrConnClosed):
		return net.ErrClosed
	}
	return err
}

// unread is how many bytes the event loop has read that nobody asked for yet.
func (s *socket) unread() int { return s.Reader().Len() }

// fin ends our direction: the peer reads what was sent, then end of file.
func (s *socket) fin() { _ = unix.Shutdown(s.fd, unix.SHUT_WR) }

// reset makes the coming close a reset.
func (s *socket) reset() {
	_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}
