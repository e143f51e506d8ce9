package stream

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waiter lets a goroutine wait for a descriptor through Go's own poller, on
// the set-up side. It holds a duplicate that is made at the first wait and
// closed by unwatch or detach, so that the stream's descriptor itself is never known to
// Go's poller and the two never meet in one epoll set.
//
//	         wait                       detach
//	(none) ───────→ duplicate watched ────────→ detached
//	  │  ←───────                                  ↑
//	  │  unwatch                                   │
//	  └────────────────── detach ──────────────────┘
//
// Go's poller is edge-triggered: an edge that came before the wait is gone.
// So each round asks the kernel for the level, by a poll(2) that does not
// wait, and only parks when the answer is no.
type waiter struct {
	file     *os.File
	raw      syscall.RawConn
	detached bool
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

func (w *waiter) attach(fd int) error {
	if w.detached {
		return ErrDetached
	}
	if w.file != nil {
		return nil
	}
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	file := os.NewFile(uintptr(dup), "stream")
	raw, err := file.SyscallConn()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	w.file, w.raw = file, raw
	return nil
}

func (w *waiter) wait(ctx context.Context, fd int, write bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := w.attach(fd); err != nil {
		return err
	}
	park, deadline, events := w.raw.Read, w.file.SetReadDeadline, int16(unix.POLLIN|unix.POLLRDHUP)
	if write {
		park, deadline, events = w.raw.Write, w.file.SetWriteDeadline, unix.POLLOUT
	}

	// The end of ctx is a deadline in the past. Once it has fired it is taken
	// back, after it is surely in place, so that a later wait starts clean.
	interrupted := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() { interrupted <- deadline(longAgo) })
	var failed error
	err := park(func(fd uintptr) (done bool) {
		done, failed = pollNow(int(fd), events)
		return done
	})
	if !stop() {
		if e := errors.Join(<-interrupted, deadline(time.Time{})); e != nil {
			return e
		}
	}
	switch {
	case failed != nil:
		return failed
	case errors.Is(err, os.ErrDeadlineExceeded):
		return context.Cause(ctx)
	}
	return err
}

// pollNow reports whether any of events, an error or a hang-up is there.
func pollNow(fd int, events int16) (bool, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(fds, 0)
		switch err {
		case nil:
			return n > 0, nil
		case unix.EINTR:
		default:
			return true, os.NewSyscallError("poll", err)
		}
	}
}

// detach is unwatch for good.
func (w *waiter) detach() error {
	w.detached = true
	return w.unwatch()
}

// unwatch closes the duplicate: Go's poller lets go.
func (w *waiter) unwatch() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file, w.raw = nil, nil
	return err
}
