// Package unprivileged is for tests of what the kernel refuses: it runs code
// without capabilities, whoever runs the tests.
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
