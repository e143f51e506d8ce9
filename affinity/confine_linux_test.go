package affinity

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestConfine(t *testing.T) {
	if os.Getenv(confineEnv) == "" {
		exe, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.Command(exe, "-test.run=^TestConfine$", "-test.v")
		cmd.Env = append(os.Environ(), confineEnv+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestConfine")
		return
	}
	available, err := Available()
	require.NoError(t, err)
	cpus := available.CPUs()
	rest, last := Of(cpus[0]), cpus[len(cpus)-1]
	for _, none := range []Set{{}, Of(MaxCPUs - 1)} {
		_, err = Confine(none)
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorContains(t, err, available.String())
	}

	// hold runs do on a locked thread of its own, and keeps that until the end.
	var holding sync.WaitGroup
	end := make(chan struct{})
	hold := func(do func()) {
		ready := make(chan struct{})
		holding.Go(func() {
			runtime.LockOSThread()
			do()
			close(ready)
			<-end
		})
		<-ready
	}
	pin := func() (tid int) {
		hold(func() {
			require.NoError(t, Pin(last))
			tid = unix.Gettid()
		})
		return tid
	}
	early := pin()
	hold(func() {}) // a thread that is there already
	moved, err := Confine(rest)
	require.NoError(t, err)
	if len(cpus) > 1 {
		require.GreaterOrEqual(t, moved, 2)
	}
	late := pin() // pinning goes on as before
	for range 20 {
		hold(func() {}) // threads to come
	}
	whole, err := Available()
	require.NoError(t, err)
	require.Equal(t, available, whole, "what was taken away is still there to be pinned to")

	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	require.Greater(t, len(tasks), 20)
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		require.NoError(t, err)
		mask, err := OfThread(tid)
		if err != nil {
			continue
		}
		want := rest
		if tid == early || tid == late {
			want = Of(last)
		}
		require.Equal(t, want.String(), mask.String(), "thread %d", tid)
	}
	moved, err = Confine(rest)
	require.NoError(t, err)
	require.Zero(t, moved, "all are there")
	close(end)
	holding.Wait()
}
