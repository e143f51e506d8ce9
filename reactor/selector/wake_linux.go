package selector

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// waker is an eventfd that ends a wait.
type waker struct{ fd int }

func newWaker() (waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return waker{}, fmt.Errorf("selector: eventfd: %w", err)
	}
	return waker{fd}, nil
}

// Wake implements Selector.
func (w waker) Wake() error {
	one := [8]byte{1}
	_, err := unix.Write(w.fd, one[:])
	if err == unix.EAGAIN { // the counter is full: a wake is pending already
		return nil
	}
	return err
}

// drain takes the pending wakes back. The descriptor never blocks.
func (w waker) drain() {
	var b [8]byte
	unix.RawSyscall(unix.SYS_READ, uintptr(w.fd), uintptr(unsafe.Pointer(&b)), 8)
}
