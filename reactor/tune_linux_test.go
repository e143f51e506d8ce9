package reactor

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
)

func TestTuneProcess(t *testing.T) {
	said, err := TuneProcess(Tuning{})
	require.NoError(t, err)
	require.Empty(t, said)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	said, err = TuneProcess(Tuning{Reactors: 2, Others: 3})
	require.NoError(t, err)
	require.Equal(t, 6, runtime.GOMAXPROCS(0))
	require.Contains(t, said, "→ 6")
	said, err = TuneProcess(Tuning{Reactors: 1, Rest: affinity.Of(affinity.MaxCPUs - 1)})
	require.ErrorIs(t, err, affinity.ErrUnavailable)
	require.Contains(t, said, "→ 3", "what was done is said")
	require.NotContains(t, said, "CPUs")

	defer debug.SetGCPercent(debug.SetGCPercent(100))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	said, err = TuneProcess(Tuning{MemoryLimit: 1 << 30})
	require.NoError(t, err)
	require.Equal(t, "garbage collector off below 1024 MiB", said)
	require.Equal(t, int64(1<<30), debug.SetMemoryLimit(-1))
	require.Equal(t, -1, debug.SetGCPercent(-1))
}

func TestTimerSlackOfReactors(t *testing.T) {
	defer timerSlack.Store(0)
	said, err := TuneProcess(Tuning{TimerSlack: 2 * time.Microsecond})
	require.NoError(t, err)
	require.Equal(t, "timer slack of reactors 2µs", said)
	g := newGroup(t, GroupConfig{}, "a")
	end := startGroup(g)
	var slack int
	on(t, g.Named("a"), func() { slack, err = unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0) })
	require.NoError(t, err)
	require.Equal(t, 2000, slack)
	require.NoError(t, end())
}

// tuneEnv has TestRestOfTheThreads do its work: in a process of its own, for it
// cannot be undone.
const tuneEnv = "BOOMNET_TUNE_TEST"

// With Rest no thread is on a reactor's CPU but the reactor's.
func TestRestOfTheThreads(t *testing.T) {
	if os.Getenv(tuneEnv) == "" {
		exe, err := os.Executable()
		require.NoError(t, err)
		cmd := exec.Command(exe, "-test.run=^TestRestOfTheThreads$", "-test.v")
		cmd.Env = append(os.Environ(), tuneEnv+"=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestRestOfTheThreads")
		return
	}
	available, err := affinity.Available()
	require.NoError(t, err)
	cpus := available.CPUs()
	rest, last := affinity.Of(cpus[0]), cpus[len(cpus)-1]
	said, err := TuneProcess(Tuning{Reactors: 2, Rest: rest})
	require.NoError(t, err)
	require.Contains(t, said, ", other threads on CPUs "+rest.String())
	g := newGroup(t, GroupConfig{Reactors: []Config{
		{Name: "hot-a", CPU: affinity.Fixed(last)},
		{Name: "hot-b", CPU: affinity.Fixed(last)},
	}})
	end := startGroup(g)
	on(t, g.Named("hot-a"), func() {})
	var blocked sync.WaitGroup
	var pipe [2]int
	require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	for range 20 { // in a system call each: they need threads
		blocked.Go(func() { _, _ = unix.Read(pipe[0], make([]byte, 1)) })
	}
	threads := func() map[string][]string { // names by mask
		found := map[string][]string{}
		dirs, err := filepath.Glob("/proc/self/task/*")
		require.NoError(t, err)
		for _, dir := range dirs {
			status, err := os.ReadFile(filepath.Join(dir, "status"))
			if err != nil {
				continue // it has ended
			}
			name, _, _ := strings.Cut(strings.TrimPrefix(string(status), "Name:\t"), "\n")
			_, mask, _ := strings.Cut(string(status), "Cpus_allowed_list:\t")
			mask, _, _ = strings.Cut(mask, "\n")
			found[mask] = append(found[mask], name)
		}
		return found
	}
	require.True(t, eventually(func() bool { return len(threads()[rest.String()]) > 20 }))
	found := threads()
	if len(cpus) > 1 {
		require.Len(t, found, 2, "%v", found)
		require.ElementsMatch(t, []string{"hot-a", "hot-b"}, found[affinity.Of(last).String()])
	} else {
		require.Len(t, found, 1, "%v", found)
	}
	_, err = unix.Write(pipe[1], make([]byte, 20))
	require.NoError(t, err)
	blocked.Wait()
	require.NoError(t, end())
}
