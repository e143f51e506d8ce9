package microbench

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
)

// threadTime is the CPU time of a thread of this process in nanoseconds, of the
// calling one for 0. getrusage would only know it up to the last tick.
func threadTime(thread int) int64 {
	clock := int32(unix.CLOCK_THREAD_CPUTIME_ID)
	if thread != 0 {
		const perThread, scheduled = 4, 2
		clock = ^int32(thread)<<3 | perThread | scheduled // as pthread_getcpuclockid makes it
	}
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0 // it has ended
	}
	return t.Nano()
}

func threadID() int { return unix.Gettid() }

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
