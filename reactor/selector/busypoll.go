package selector

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BusyPoll has the waits of an epoll selector poll the NIC's queue before they
// sleep (EPIOCSPARAMS, Linux 6.9). It is for reactors that park: a wait that must
// not block never polls, so a reactor that spins has nothing of it. All watched
// sockets should come in by the same queue, as one is polled at a time; loopback
// has none, so there it does nothing. The zero value leaves epoll alone; then
// net.core.busy_poll holds.
type BusyPoll struct {
	// Time is how long a wait polls, in whole microseconds, up to 35 minutes.
	Time time.Duration
	// Budget is how many packets one poll may take. Default: the kernel's, 8.
	// Up to 65535; above 64 with CAP_NET_ADMIN only.
	Budget int
	// Prefer keeps the NIC's interrupts off while there is polling; the
	// interface needs napi_defer_hard_irqs and gro_flush_timeout for it.
	Prefer bool
}

func (b BusyPoll) String() string {
	return fmt.Sprintf("busy_poll_usecs %d, busy_poll_budget %d, prefer_busy_poll %t", b.microseconds(), b.Budget, b.Prefer)
}

// microseconds are rounded up, so that a short time never becomes none.
func (b BusyPoll) microseconds() int64 {
	return int64((b.Time + time.Microsecond - 1) / time.Microsecond)
}

// BusyPollError is what the kernel says to a BusyPoll that it refuses. errors.Is
// reaches the errno: ENOTTY says that the kernel is older than 6.9, EOPNOTSUPP
// that it was built without busy polling, EPERM that Budget needs CAP_NET_ADMIN,
// EINVAL that a number is out of its range.
type BusyPollError struct {
	Asked BusyPoll
	Err   error
}

func (e *BusyPollError) Error() string {
	return fmt.Sprintf("selector: EPIOCSPARAMS %v: %v", e.Asked, e.Err)
}

// Unwrap returns Err.
func (e *BusyPollError) Unwrap() error { return e.Err }

// NewEpoll makes an Epoll selector that polls. Where the kernel refuses that, the
// error is a *BusyPollError.
func NewEpoll(b BusyPoll) (Selector, error) {
	s, err := newEpoll()
	if err != nil || b == (BusyPoll{}) {
		return s, err
	}
	if err := setBusyPoll(s.(*epoll).fd, b); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

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
