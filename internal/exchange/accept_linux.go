package exchange

import "golang.org/x/sys/unix"

// accept takes a connection that does not block and that no child inherits.
func accept(listening int) (fd int, peer unix.Sockaddr, err error) {
	return unix.Accept4(listening, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
}
