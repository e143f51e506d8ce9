package microbench

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
)

// threadTime is the CPU time of the calling thread, in nanoseconds.
func threadTime() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u) // cannot fail with these arguments
	return u.Utime.Nano() + u.Stime.Nano()
}

// stays says that the calling thread is still where it was pinned.
func stays(cpu int) error {
	mask, err := affinity.Thread()
	if err != nil {
		return err
	}
	if mask != affinity.Of(cpu) {
		return fmt.Errorf("moved: pinned to CPU %d, afterwards the mask is %q", cpu, mask)
	}
	return nil
}
