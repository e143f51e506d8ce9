package leak

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// setMask pins the calling thread to the CPUs of mask and returns the mask it had.
func setMask(t *testing.T, mask [128]byte) (old [128]byte) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(old), uintptr(unsafe.Pointer(&old)))
	require.Zero(t, errno)
	if mask == ([128]byte{}) {
		for i, b := range old { // the lowest CPU it may use
			if b != 0 {
				mask[i] = b & -b
				break
			}
		}
	}
	_, _, errno = syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask)))
	require.Zero(t, errno)
	return old
}

// A goroutine that unlocks its pinned thread gives that thread back to everybody.
func TestPinnedThreadLeft(t *testing.T) {
	if runtime.NumCPU() == 1 {
		return // every thread is pinned to the one CPU
	}
	before := look()
	pinned, seen := make(chan bool), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		first := syscall.Gettid() == syscall.Getpid()
		setMask(t, [128]byte{})
		pinned <- !first
		<-seen
	}()
	if <-pinned {
		require.ErrorContains(t, wait(before, 0), "left pinned to CPUs")
	}
	close(seen)
	require.NoError(t, wait(before, Grace), "a goroutine that ends locked takes its thread with it")
}
