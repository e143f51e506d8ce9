//go:build unix && !linux

package exchange

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func accept(listening int) (fd int, peer unix.Sockaddr, err error) {
	syscall.ForkLock.RLock() // no child begins between the next two
	fd, peer, err = unix.Accept(listening)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	return fd, peer, err
}
