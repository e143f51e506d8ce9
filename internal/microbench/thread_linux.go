package microbench

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
)

// threadTime is the CPU time of the calling thread, in nanoseconds. getrusage would
// only know it up to the last tick.
func threadTime() int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // cannot fail with these arguments
	return t.Nano()
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
