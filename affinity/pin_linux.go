package affinity

import (
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Available returns the CPUs that this process may use, whatever the reason
// (cgroups, taskset, CPUs that are offline): what the kernel says of its threads,
// all of them together and before a Confine, so that pinned ones and those that were
// moved do not narrow it. Any goroutine may call it.
func Available() (Set, error) {
	all, err := Thread()
	if err != nil {
		return Set{}, err
	}
	all = all.Or(before())
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return all, nil // no /proc: this thread's answer is all there is
	}
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		if mask, err := maskOf(tid); err == nil { // else it has just ended
			all = all.Or(mask)
		}
	}
	return all, nil
}

// Thread returns the CPUs that the calling thread may run on. It tells something
// only to a goroutine that holds runtime.LockOSThread.
func Thread() (Set, error) { return maskOf(0) }

// Current returns the CPU that the calling thread runs on at this moment.
func Current() (int, error) {
	var cpu uint32
	_, _, errno := unix.RawSyscall(unix.SYS_GETCPU, uintptr(unsafe.Pointer(&cpu)), 0, 0)
	if errno != 0 {
		return 0, fmt.Errorf("affinity: getcpu: %w", errno)
	}
	return int(cpu), nil
}

// Pin makes the calling thread run on cpu alone, from now on and for good. The
// caller holds runtime.LockOSThread and never unlocks, see the package comment.
//
// The error wraps ErrUnavailable when cpu is not one of Available, or the errno
// of the kernel. The mask is read back: no error means that it holds. After an
// error the thread may be pinned or not: let it end.
func Pin(cpu int) error {
	available, err := Available()
	if err != nil {
		return err
	}
	if !available.Contains(cpu) {
		return fmt.Errorf("%w: CPU %d, available are %s", ErrUnavailable, cpu, available)
	}
	want := Of(cpu)
	if _, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, 0,
		unsafe.Sizeof(want.words), uintptr(unsafe.Pointer(&want.words))); errno != 0 {
		return fmt.Errorf("affinity: pin to CPU %d: sched_setaffinity: %w", cpu, errno)
	}
	got, err := Thread()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("affinity: pin to CPU %d: the kernel says CPUs %q", cpu, got)
	}
	return nil
}

// maskOf asks the kernel for the mask of a thread; 0 is the calling one. The
// kernel wants room for as many CPUs as it was built for, and fills in only those.
func maskOf(tid int) (Set, error) {
	var s Set
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(tid),
		unsafe.Sizeof(s.words), uintptr(unsafe.Pointer(&s.words)))
	if errno != 0 {
		return Set{}, fmt.Errorf("affinity: sched_getaffinity of thread %d: %w", tid, errno)
	}
	return s, nil
}
