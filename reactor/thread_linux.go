package reactor

import (
	"fmt"
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

// onFirstThread reports whether the calling thread is the process's first one.
func onFirstThread() bool { return unix.Gettid() == unix.Getpid() }

// threadName is how much of a name the kernel keeps.
const threadName = 15

// nameThread names the calling thread. It cannot fail: the name is cut.
func nameThread(name string) {
	var b [threadName + 1]byte
	copy(b[:threadName], name)
	_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&b)), 0, 0, 0)
}

// setTimerSlack is how late, in nanoseconds, the kernel may end a wait of the
// calling thread.
func setTimerSlack(ns int64) error {
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(ns), 0, 0, 0); err != nil {
		return fmt.Errorf("reactor: timer slack %d ns: prctl: %w", ns, err)
	}
	return nil
}
