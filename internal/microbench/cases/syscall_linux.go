package cases

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// syscalls are the system calls of a turn that finds nothing to do.
func syscalls() []microbench.Case {
	return []microbench.Case{
		{Name: "syscall.getpid", What: "getpid by RawSyscall: into the kernel and out again, the floor of every call", Run: batches(func(n int) {
			var sum uintptr
			for range n {
				pid, _, _ := unix.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
				sum += pid
			}
			microbench.Sink += uint64(sum)
		})},
		{Name: "syscall.getpid-go", What: "getpid by Syscall: the Go scheduler is told before and after", Run: batches(func(n int) {
			var sum uintptr
			for range n {
				pid, _, _ := unix.Syscall(unix.SYS_GETPID, 0, 0, 0)
				sum += pid
			}
			microbench.Sink += uint64(sum)
		})},
		{Name: "syscall.clock", What: "clock_gettime as a system call, past the vDSO", Run: batches(func(n int) {
			var ts unix.Timespec
			for range n {
				_, _, _ = unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&ts)), 0)
			}
			microbench.Sink += uint64(ts.Nsec)
		})},
		{Name: "syscall.recvfrom", What: "recvfrom by RawSyscall on a TCP socket with nothing to read: EAGAIN", Run: recvNothing},
		{Name: "syscall.epoll-wait", What: "epoll_wait(0) on one TCP socket with nothing to read, by selector.Epoll", Run: pollNothing},
	}
}

func recvNothing(b *microbench.B) error {
	c, err := newConnection()
	if err != nil {
		return err
	}
	defer c.close()
	var p [256]byte
	var last unix.Errno
	b.Batches(func(n int) {
		for range n {
			_, last = recv(c.client, p[:])
		}
	})
	if last != unix.EAGAIN {
		return fmt.Errorf("recvfrom: %v instead of EAGAIN", last)
	}
	return nil
}

func pollNothing(b *microbench.B) error {
	c, err := newConnection()
	if err != nil {
		return err
	}
	defer c.close()
	s, err := selector.New(selector.Epoll)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Add(c.client, 0); err != nil {
		return err
	}
	events := make([]selector.Event, 16)
	b.Batches(func(n int) {
		found := 0
		for range n {
			var k int
			if k, err = s.Wait(events, 0); err != nil {
				return
			}
			found += k
		}
		microbench.Sink += uint64(found)
	})
	return err
}
