package selector

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epollParams is the kernel's struct epoll_params.
type epollParams struct {
	usecs  uint32
	budget uint16
	prefer uint8
	_      uint8 // must be 0
}

func setBusyPoll(fd int, b BusyPoll) error {
	usecs := b.microseconds()
	if b.Time < 0 || usecs > math.MaxInt32 || b.Budget < 0 || b.Budget > math.MaxUint16 {
		return &BusyPollError{b, unix.EINVAL}
	}
	want := epollParams{usecs: uint32(usecs), budget: uint16(b.Budget)}
	if b.Prefer {
		want.prefer = 1
	}
	if err := ioctlParams(fd, unix.EPIOCSPARAMS, &want); err != nil {
		switch err {
		case unix.ENOTTY:
			err = fmt.Errorf("%w: it needs Linux 6.9", err)
		case unix.EOPNOTSUPP:
			err = fmt.Errorf("%w: this kernel was built without busy polling", err)
		case unix.EPERM:
			err = fmt.Errorf("%w: a budget above 64 needs CAP_NET_ADMIN", err)
		}
		return &BusyPollError{b, err}
	}
	return nil
}

func ioctlParams(fd int, request uintptr, p *epollParams) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(p))); errno != 0 {
		return errno
	}
	return nil
}
