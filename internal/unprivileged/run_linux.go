// Package unprivileged is for tests of what is refused: it runs code without
// capabilities, whoever runs the tests, or as another user.
package unprivileged

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Run calls f on a thread that has given all its capabilities up for good, and
// which ends with it, and returns f's error. Processes that f starts have none
// either; goroutines that it starts are not concerned.
func Run(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData // 64 bits of each set
		if err := unix.Capset(&header, &none[0]); err != nil {
			result <- os.NewSyscallError("capset", err)
			return
		}
		// Without this a program that root executes has all of them again.
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			result <- os.NewSyscallError("prctl", err)
			return
		}
		result <- f()
	}()
	return <-result
}

// RunAs calls f on a thread that belongs to user uid, to which it can only change
// if the tests run as root, or as that user. The rest is as for Run; f must do what
// it does by system calls of its own, as Go's own poller may use another thread.
func RunAs(uid int, f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends here
		id := uintptr(uid)
		// The system call itself: unix.Setresuid is for all threads.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
			result <- os.NewSyscallError("setresuid", errno)
			return
		}
		result <- f()
	}()
	return <-result
}
