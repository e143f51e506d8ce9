package selector

import (
	"fmt"
	"time"
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
func NewEpoll(b BusyPoll) (Selector, error) { return newEpoll(b) }
