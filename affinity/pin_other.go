//go:build !linux

package affinity

import (
	"errors"
	"fmt"
	"runtime"
)

func Available() (Set, error)   { return Set{}, unsupported("sched_getaffinity(2)") }
func Thread() (Set, error)      { return Set{}, unsupported("sched_getaffinity(2)") }
func Current() (int, error)     { return 0, unsupported("getcpu(2)") }
func Pin(int) error             { return unsupported("sched_setaffinity(2)") }
func Confine(Set) (int, error)  { return 0, unsupported("sched_setaffinity(2)") }
func OfThread(int) (Set, error) { return Set{}, unsupported("sched_getaffinity(2)") }
func Move(int, Set) error       { return unsupported("sched_setaffinity(2)") }

func unsupported(call string) error {
	return fmt.Errorf("affinity: %s needs Linux, and this is %s: %w", call, runtime.GOOS, errors.ErrUnsupported)
}
