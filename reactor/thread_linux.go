package reactor

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// where is the calling thread and the CPU that it runs on; -1: not known.
func where() (thread, cpu int) {
	var c uint32
	if _, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&c)), 0, 0); errno != 0 {
		return unix.Gettid(), -1
	}
	return unix.Gettid(), int(c)
}
