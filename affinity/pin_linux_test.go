package affinity

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// pinned runs do on a thread of its own, pinned to cpu, and waits for it.
func pinned(cpu int, do func(err error)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		do(Pin(cpu))
	}()
	<-done
}

func TestPinToEachCPU(t *testing.T) {
	available, err := Available()
	require.NoError(t, err)
	require.Positive(t, available.Len())
	for _, cpu := range available.CPUs() {
		var pinErr error
		var thread, whole Set
		var current int
		pinned(cpu, func(err error) {
			if pinErr = err; err == nil {
				thread, _ = Thread()
				whole, _ = Available()
				current, _ = Current()
			}
		})
		require.NoError(t, pinErr)
		require.Equal(t, Of(cpu), thread)
		require.Equal(t, cpu, current)
		require.Equal(t, available, whole, "a pinned thread does not narrow what is available")
	}
}

func TestPinAgain(t *testing.T) {
	available, err := Available()
	require.NoError(t, err)
	cpus := available.CPUs()
	first, last := cpus[0], cpus[len(cpus)-1]
	var moved error
	pinned(first, func(error) { moved = Pin(last) })
	require.NoError(t, moved, "a thread pinned to one CPU may be pinned to another")
}

func TestPinUnavailable(t *testing.T) {
	available, err := Available()
	require.NoError(t, err)
	for _, cpu := range []int{-1, MaxCPUs - 1, MaxCPUs, 1 << 30} {
		var before, after Set
		pinned(cpu, func(e error) { err = e; after, _ = Thread() })
		pinned(-1, func(error) { before, _ = Thread() })
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, available.String())
		require.Equal(t, before, after, "nothing was changed")
	}
}

// A thread is moved from outside, and back.
func TestMove(t *testing.T) {
	tids, end := make(chan int), make(chan struct{})
	go func() {
		runtime.LockOSThread() // never unlocked
		tids <- unix.Gettid()
		<-end
	}()
	tid := <-tids
	defer close(end)
	was, err := OfThread(tid)
	require.NoError(t, err)
	last := was.CPUs()[was.Len()-1]
	require.NoError(t, Move(tid, Of(last)))
	now, err := OfThread(tid)
	require.NoError(t, err)
	require.Equal(t, Of(last), now)

	require.ErrorIs(t, Move(tid, Of(MaxCPUs-1)), unix.EINVAL, "none of them")
	require.ErrorIs(t, Move(tid, Of(last, MaxCPUs-1)), ErrUnavailable, "not all of them")
	require.NoError(t, Move(tid, was))
	now, err = OfThread(tid)
	require.NoError(t, err)
	require.Equal(t, was, now)
}

// Threads started while a pinned goroutine works do not inherit its mask.
func TestNewThreadsAreNotPinned(t *testing.T) {
	available, err := Available()
	require.NoError(t, err)
	pinned(available.CPUs()[0], func(err error) {
		if err != nil {
			t.Error(err)
			return
		}
		for range 4 {
			result := make(chan Set)
			go func() {
				runtime.LockOSThread()
				mask, _ := Thread()
				result <- mask
			}()
			if mask := <-result; mask != available {
				t.Errorf("a new thread may run on %s, the process on %s", mask, available)
			}
		}
	})
}

func TestAvailableIsWhatTheKernelShows(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return // no /proc to compare with
	}
	_, after, found := strings.Cut(string(status), "Cpus_allowed_list:")
	require.True(t, found)
	line, _, _ := strings.Cut(after, "\n")
	want, err := Parse(line)
	require.NoError(t, err)
	got, err := Available()
	require.NoError(t, err)
	require.Equal(t, got, got.Or(want), "of the first thread, which a test may have pinned")
}

func TestMaskOfNoThread(t *testing.T) {
	_, err := OfThread(1 << 30)
	require.ErrorIs(t, err, unix.ESRCH)
	require.ErrorIs(t, Move(1<<30, Of(0)), unix.ESRCH)
}
