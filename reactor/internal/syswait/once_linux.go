package syswait

import "golang.org/x/sys/unix"

// once makes the system call a single time. It cannot block, so the runtime need
// not know.
func (c *Call) once() int {
	if c.None {
		return 0
	}
	n, _, errno := unix.RawSyscall6(c.Args[0], c.Args[1], c.Args[2], c.Args[3], c.Args[4], c.Args[5], c.Args[6])
	switch errno {
	case 0:
		return int(n)
	case unix.EINTR:
		return 0
	}
	return -int(errno)
}
