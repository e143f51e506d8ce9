package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// pin makes the whole process run on one CPU. Threads that exist already keep
// their masks, so it sets the mask of this one and starts the program again: an
// affinity mask survives execve, and every new thread inherits it.
func pin(cpu int) error {
	var want, have unix.CPUSet
	if cpu >= len(want)*64 {
		return fmt.Errorf("--cpu %d: no such CPU", cpu)
	}
	want.Set(cpu)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.SchedGetaffinity(0, &have); err != nil {
		return fmt.Errorf("--cpu %d: %w", cpu, err)
	}
	if have == want {
		return nil
	}
	if err := unix.SchedSetaffinity(0, &want); err == unix.EINVAL {
		return fmt.Errorf("--cpu %d: not a CPU that this process may use: %w", cpu, err)
	} else if err != nil {
		return fmt.Errorf("--cpu %d: %w", cpu, err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("--cpu %d: %w", cpu, err)
	}
	return fmt.Errorf("--cpu %d: starting again: %w", cpu, unix.Exec(self, os.Args, os.Environ()))
}
