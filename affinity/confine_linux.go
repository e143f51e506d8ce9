package affinity

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// confined is what the process could use before Confine took some of it away.
var confined struct {
	sync.Mutex
	from Set
}

// Confine moves every thread of this process that is not pinned to the CPUs of
// rest, and with them all threads to come: a thread begins with the mask of the one
// that starts it. Threads whose mask is a single CPU, as after Pin, stay where they
// are; so do those that an earlier Confine has moved to a single one. Threads can be
// pinned to other CPUs afterwards as before: Available still tells all of them. It
// returns how many threads it moved.
//
// Called before threads are pinned it reaches all that there are. It reads
// /proc/self/task until it finds no thread more, so that one that is being started
// meanwhile is not missed; a thread that another one pins at that moment may be.
// The error wraps ErrUnavailable when rest is empty or holds a CPU that is not one
// of Available, or the errno of the kernel: some threads may then have been moved.
// Any goroutine may call it. GOMAXPROCS follows the mask of the process unless it
// is set: set it before.
func Confine(rest Set) (moved int, err error) {
	available, err := Available()
	if err != nil {
		return 0, err
	}
	if rest == (Set{}) || !rest.Within(available) {
		return 0, fmt.Errorf("%w: confine to CPUs %q, available are %s", ErrUnavailable, rest, available)
	}
	confined.Lock()
	defer confined.Unlock()
	confined.from = available
	seen := map[int]bool{}
	for found := true; found; {
		found = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return moved, fmt.Errorf("affinity: confine: %w", err)
		}
		for _, task := range tasks {
			tid, err := strconv.Atoi(task.Name())
			if err != nil || seen[tid] {
				continue
			}
			seen[tid], found = true, true
			did, err := confine(tid, rest)
			if err != nil {
				return moved, err
			}
			moved += did
		}
	}
	return moved, nil
}

// confine moves one thread, if it still lives and is not pinned.
func confine(tid int, rest Set) (moved int, err error) {
	mask, err := OfThread(tid)
	if err != nil || mask == rest || mask.Len() == 1 {
		return 0, nil // one whose mask cannot be read has ended
	}
	switch err := Move(tid, rest); {
	case err == nil:
		return 1, nil
	case errors.Is(err, unix.ESRCH): // it has just ended
		return 0, nil
	default:
		return 0, fmt.Errorf("affinity: confine: %w", err)
	}
}

// before are the CPUs that Confine took away, and those that it left.
func before() Set {
	confined.Lock()
	defer confined.Unlock()
	return confined.from
}
