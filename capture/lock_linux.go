package capture

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock says that f is being written. A lock of a process ends with it.
func lock(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
	return errors.Join(failed, err)
}

// lockPath locks a file that is there, or says that it is being written.
func lockPath(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	if err := lock(f); errors.Is(err, unix.EWOULDBLOCK) {
		_ = f.Close() // was only locked
		return nil, fmt.Errorf("%w: %s", ErrBusy, path)
	}
	return func() { _ = f.Close() }, nil // no locks on this file system: nobody has one
}
