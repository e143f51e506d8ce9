package affinity

import (
	"fmt"
	"os"
	"strconv"
	"strings"
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
		if mask, err := OfThread(tid); err == nil { // else it has just ended
			all = all.Or(mask)
		}
	}
	return all, nil
}

// Thread returns the CPUs that the calling thread may run on. It tells something
// only to a goroutine that holds runtime.LockOSThread.
func Thread() (Set, error) { return OfThread(0) }

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
// CPUs that the kernel was started to isolate (isolcpus=) are not in the mask that
// a process begins with, and may be pinned to all the same, as far as its cgroup
// has them. The error wraps ErrUnavailable when cpu is neither one of these nor one
// of Available, or the errno of the kernel. The mask is read back: no error means that it holds. After an
// error the thread may be pinned or not: let it end.
func Pin(cpu int) error {
	available, err := Available()
	if err != nil {
		return err
	}
	if !available.Contains(cpu) && !bootIsolated(isolatedFile).Contains(cpu) {
		return fmt.Errorf("%w: CPU %d, available are %s", ErrUnavailable, cpu, available)
	}
	if err := Move(0, Of(cpu)); err != nil {
		return fmt.Errorf("affinity: pin to CPU %d: %w", cpu, err)
	}
	return nil
}

const isolatedFile = "/sys/devices/system/cpu/isolated"

// bootIsolated are the CPUs of isolcpus=; none when that cannot be read.
func bootIsolated(file string) Set {
	text, err := os.ReadFile(file)
	if err != nil {
		return Set{}
	}
	s, err := Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return Set{}
	}
	return s
}

// Move makes a thread, of this process or another one, run on cpus only, until
// somebody moves it again. tid is the kernel's number of the thread, 0 the calling
// one. Any goroutine may call it.
//
// The error wraps the errno of the kernel: ESRCH when the thread has ended, EPERM
// when it is of another user and this process lacks CAP_SYS_NICE, EINVAL when the
// thread may use none of cpus; or it wraps ErrUnavailable when it may not use all
// of them: the mask, which is read back, has the others then.
func Move(tid int, cpus Set) error {
	if _, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, uintptr(tid),
		unsafe.Sizeof(cpus.words), uintptr(unsafe.Pointer(&cpus.words))); errno != 0 {
		return fmt.Errorf("affinity: sched_setaffinity of thread %d: %w", tid, errno)
	}
	got, err := OfThread(tid)
	if err != nil {
		return err
	}
	if got != cpus {
		return fmt.Errorf("%w: thread %d was to have CPUs %s, the kernel says %q", ErrUnavailable, tid, cpus, got)
	}
	return nil
}

// OfThread returns the CPUs that a thread, of this process or another one, may run
// on. tid is the kernel's number of the thread, 0 the calling one. The error wraps
// ESRCH when there is no such thread. Any goroutine may call it.
func OfThread(tid int) (Set, error) {
	var s Set // as much room as the largest kernel fills
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_GETAFFINITY, uintptr(tid),
		unsafe.Sizeof(s.words), uintptr(unsafe.Pointer(&s.words)))
	if errno != 0 {
		return Set{}, fmt.Errorf("affinity: sched_getaffinity of thread %d: %w", tid, errno)
	}
	return s, nil
}
