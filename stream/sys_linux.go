package stream

import (
	"syscall"
	"unsafe"
)

// The two system calls of the hot path. They go through RawSyscall6, which
// does not tell the scheduler that a system call is under way and so saves
// 30 to 40 ns. That is allowed only for calls that cannot block, because the
// runtime cannot stop the world while one runs: MSG_DONTWAIT makes each call
// return at once, whatever the mode of the descriptor. recvfrom and sendto are
// used in place of read and write because they take that flag and because they
// reach the socket by a shorter way in the kernel (70 ns).
//
// A signal may end either with EINTR before any byte was moved; it is retried.

// recv reads once from the socket. It returns the number of bytes, 0 at the
// end of the stream, and an errno of 0 in both cases; otherwise 0 and the errno.
func recv(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// send writes once to the socket and returns how many bytes the kernel took,
// with an errno of 0; otherwise 0 and the errno. MSG_NOSIGNAL: a peer that is
// gone is EPIPE, not a signal to the process.
func send(fd int, p []byte) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
