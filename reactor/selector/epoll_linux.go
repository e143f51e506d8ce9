package selector

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/reactor/internal/syswait"
)

// wakeToken marks the eventfd; no descriptor may be added with it.
const wakeToken = math.MaxUint64

// maxEvents is how many events one epoll_wait takes; the rest is reported by
// the next one.
const maxEvents = 256

type epoll struct {
	waker
	fd      int
	watched int // descriptors, without the waker's
	ask     syswait.Call
	events  [maxEvents]unix.EpollEvent
}

func newEpoll(b BusyPoll) (Selector, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("selector: epoll_create1: %w", err)
	}
	w, err := newWaker()
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	s := &epoll{waker: w, fd: fd}
	if err := s.control(unix.EPOLL_CTL_ADD, w.fd, wakeToken, unix.EPOLLIN); err != nil {
		s.Close()
		return nil, err
	}
	if b != (BusyPoll{}) {
		if err := setBusyPoll(fd, b); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// The interest of every descriptor. EPOLLERR and EPOLLHUP need no asking.
const inputEvents = unix.EPOLLIN | unix.EPOLLRDHUP

func (s *epoll) Add(fd int, token uint64) error {
	if err := s.control(unix.EPOLL_CTL_ADD, fd, token, inputEvents); err != nil {
		return err
	}
	s.watched++
	return nil
}

func (s *epoll) Write(fd int, token uint64, on bool) error {
	events := uint32(inputEvents)
	if on {
		events |= unix.EPOLLOUT
	}
	return s.control(unix.EPOLL_CTL_MOD, fd, token, events)
}

func (s *epoll) Remove(fd int) error {
	if err := unix.EpollCtl(s.fd, unix.EPOLL_CTL_DEL, fd, nil); err != nil {
		return fmt.Errorf("selector: epoll_ctl(DEL, %d): %w", fd, err)
	}
	s.watched--
	return nil
}

func (s *epoll) control(op, fd int, token uint64, events uint32) error {
	e := unix.EpollEvent{Events: events}
	setToken(&e, token)
	if err := unix.EpollCtl(s.fd, op, fd, &e); err != nil {
		return fmt.Errorf("selector: epoll_ctl(%d, %d): %w", op, fd, err)
	}
	return nil
}

// The kernel gives back 64 bits with each event; x/sys/unix shows them as the
// fields Fd and Pad.
func setToken(e *unix.EpollEvent, token uint64) { e.Fd, e.Pad = int32(token), int32(token>>32) }
func getToken(e *unix.EpollEvent) uint64 {
	return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
}

func (s *epoll) Wait(events []Event, timeout time.Duration) (int, error) {
	n, err := s.wait(min(len(events), maxEvents), timeout)
	if err != 0 {
		if err == unix.EINTR {
			return 0, nil
		}
		return 0, fmt.Errorf("selector: epoll_wait: %w", err)
	}
	return s.report(events, n), nil
}

func (s *epoll) Spin(events []Event, timeout time.Duration, w *Waiter) (int, error) {
	s.ask.None = s.watched == 0
	s.ask.Args = [...]uintptr{
		unix.SYS_EPOLL_PWAIT, uintptr(s.fd), uintptr(unsafe.Pointer(&s.events)), uintptr(min(len(events), maxEvents)), 6: 0,
	}
	n := w.Wait(&s.ask, timeout)
	if n < 0 {
		return 0, fmt.Errorf("selector: epoll_wait: %w", unix.Errno(-n))
	}
	return s.report(events, n), nil
}

// report translates the first n events that the kernel has filled in.
func (s *epoll) report(events []Event, n int) int {
	k := 0
	for i := range s.events[:n] {
		e := &s.events[i]
		token := getToken(e)
		if token == wakeToken {
			s.drain()
			continue
		}
		events[k] = Event{
			Token:    token,
			Readable: e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) != 0,
			Writable: e.Events&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0,
		}
		k++
	}
	return k
}

func (s *epoll) wait(room int, timeout time.Duration) (int, unix.Errno) {
	if timeout <= 0 {
		// Cannot block, so the runtime need not know: 30 ns less.
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.fd), uintptr(unsafe.Pointer(&s.events)), uintptr(room), 0, 0, 0)
		return int(n), errno
	}
	// epoll_pwait2 takes nanoseconds (Linux 5.11); before it, milliseconds are
	// rounded up.
	ts := unix.NsecToTimespec(int64(timeout))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(s.fd), uintptr(unsafe.Pointer(&s.events)), uintptr(room), uintptr(unsafe.Pointer(&ts)), 0, 0)
	if errno == unix.ENOSYS {
		ms := (timeout + time.Millisecond - 1) / time.Millisecond
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(s.fd), uintptr(unsafe.Pointer(&s.events)), uintptr(room), uintptr(ms), 0, 0)
	}
	return int(n), errno
}

func (s *epoll) Close() error {
	unix.Close(s.waker.fd)
	return unix.Close(s.fd)
}
