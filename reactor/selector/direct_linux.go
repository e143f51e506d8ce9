package selector

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/reactor/internal/syswait"
)

// direct reports every descriptor in each Wait and leaves the finding out to the
// read. Only a wait with a timeout asks the kernel, by ppoll.
type direct struct {
	waker
	poll   []unix.PollFd // poll[0] is the waker
	tokens []uint64      // tokens[i] belongs to poll[i]
	from   int           // where the next round begins, when events is short
	writes int           // how many descriptors are watched for writing
	ask    syswait.Call
	now    unix.Timespec // zero: a ppoll that does not wait
}

func newDirect() (Selector, error) {
	w, err := newWaker()
	if err != nil {
		return nil, err
	}
	return &direct{
		waker:  w,
		poll:   []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}},
		tokens: []uint64{wakeToken},
	}, nil
}

func (s *direct) find(fd int) (int, error) {
	for i := 1; i < len(s.poll); i++ {
		if int(s.poll[i].Fd) == fd {
			return i, nil
		}
	}
	return 0, fmt.Errorf("selector: descriptor %d is not watched", fd)
}

func (s *direct) Add(fd int, token uint64) error {
	if _, err := s.find(fd); err == nil {
		return fmt.Errorf("selector: descriptor %d is watched already", fd)
	}
	s.poll = append(s.poll, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP})
	s.tokens = append(s.tokens, token)
	return nil
}

func (s *direct) Write(fd int, token uint64, on bool) error {
	i, err := s.find(fd)
	if err != nil {
		return err
	}
	was := s.poll[i].Events&unix.POLLOUT != 0
	switch {
	case on && !was:
		s.poll[i].Events |= unix.POLLOUT
		s.writes++
	case !on && was:
		s.poll[i].Events &^= unix.POLLOUT
		s.writes--
	}
	return nil
}

func (s *direct) Remove(fd int) error {
	i, err := s.find(fd)
	if err != nil {
		return err
	}
	if s.poll[i].Events&unix.POLLOUT != 0 {
		s.writes--
	}
	s.poll = append(s.poll[:i], s.poll[i+1:]...)
	s.tokens = append(s.tokens[:i], s.tokens[i+1:]...)
	return nil
}

func (s *direct) Wait(events []Event, timeout time.Duration) (int, error) {
	if timeout > 0 || s.writes > 0 {
		ts := unix.NsecToTimespec(int64(timeout))
		ready, _, errno := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&s.poll[0])), uintptr(len(s.poll)), uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if errno == unix.EINTR {
			return 0, nil
		}
		if errno != 0 {
			return 0, fmt.Errorf("selector: ppoll: %w", errno)
		}
		if s.poll[0].Revents != 0 {
			s.drain()
		}
		if timeout > 0 {
			if ready == 0 {
				return 0, nil
			}
			return s.polled(events), nil
		}
	}
	total := len(s.poll) - 1
	n := min(total, len(events))
	for k := range n {
		if s.from++; s.from > total {
			s.from = 1
		}
		p := &s.poll[s.from]
		events[k] = Event{
			Token:    s.tokens[s.from],
			Readable: true,
			Writable: p.Events&unix.POLLOUT != 0 && p.Revents&(unix.POLLOUT|unix.POLLERR|unix.POLLHUP) != 0,
		}
	}
	return n, nil
}

// Spin asks the kernel, as Wait does with a timeout: a read of each stream would
// have to leave the wait. For one or few descriptors a ppoll costs about what a
// read does that finds nothing.
func (s *direct) Spin(events []Event, timeout time.Duration, w *Waiter) (int, error) {
	s.ask.None = len(s.poll) == 1
	s.ask.Args = [...]uintptr{
		unix.SYS_PPOLL, uintptr(unsafe.Pointer(&s.poll[0])), uintptr(len(s.poll)), uintptr(unsafe.Pointer(&s.now)), 6: 0,
	}
	switch n := w.Wait(&s.ask, timeout); {
	case n < 0:
		return 0, fmt.Errorf("selector: ppoll: %w", unix.Errno(-n))
	case n == 0:
		return 0, nil
	}
	if s.poll[0].Revents != 0 {
		s.drain()
	}
	return s.polled(events), nil
}

// polled reports what ppoll found.
func (s *direct) polled(events []Event) int {
	k, total := 0, len(s.poll)-1
	for n := 0; n < total && k < len(events); n++ {
		if s.from++; s.from > total {
			s.from = 1
		}
		r := s.poll[s.from].Revents
		if r == 0 {
			continue
		}
		events[k] = Event{
			Token:    s.tokens[s.from],
			Readable: r&^unix.POLLOUT != 0,
			Writable: r&(unix.POLLOUT|unix.POLLERR|unix.POLLHUP) != 0,
		}
		k++
	}
	return k
}

func (s *direct) Close() error { return unix.Close(s.waker.fd) }
