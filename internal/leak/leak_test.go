package leak

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// leakEnv makes the test binary, started again by TestMainVerdict, leak what it names.
const leakEnv = "BOOMNET_LEAK_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(leakEnv) != "" {
		os.Exit(run(m, 10*time.Millisecond, ThreadSlack))
	}
	Main(m)
}

func TestNothingLeft(t *testing.T) {
	before := look()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); <-stop }()

	require.Error(t, wait(before, 0), "a pipe and a goroutine are there")
	close(stop)
	<-done
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	require.NoError(t, wait(before, Grace))
}

func TestGoroutineLeft(t *testing.T) {
	before := look()
	stop := make(chan struct{})
	go func() { <-stop }()
	err := wait(before, 0)
	require.ErrorContains(t, err, "goroutine left behind")
	require.ErrorContains(t, err, "TestGoroutineLeft", "the stack is printed")
	close(stop)
	require.NoError(t, wait(before, Grace))
}

func TestDescriptorLeft(t *testing.T) {
	before := look()
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	require.EqualError(t, wait(before, 0), fmt.Sprintf("leak: descriptor %d left open: /dev/null", f.Fd()))
	require.NoError(t, f.Close())
	require.NoError(t, wait(before, Grace))
}

func TestDescriptorReplaced(t *testing.T) {
	before := snapshot{fds: map[int]string{7: "socket:[1]"}}
	require.NoError(t, snapshot{fds: map[int]string{7: "socket:[1]"}}.above(before))
	require.Error(t, snapshot{fds: map[int]string{7: "socket:[2]"}}.above(before))
	require.NoError(t, snapshot{}.above(before), "fewer than before is fine")
}

func TestCheckPasses(t *testing.T) {
	Check(t)
	f, err := os.Open("/dev/null")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
}

func TestGraceIsWaitedFor(t *testing.T) {
	before := look()
	release := make(chan struct{})
	go func() { <-release }()
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	require.NoError(t, wait(before, Grace))
}

func TestThreads(t *testing.T) {
	before := snapshot{slack: ThreadSlack, threads: map[int]string{1: "0-3", 2: "0-3"}}
	allowed := len(before.threads) + runtime.GOMAXPROCS(0) + ThreadSlack

	now := snapshot{threads: maps.Clone(before.threads)}
	for tid := 1_000_000_001; len(now.threads) < allowed; tid++ {
		now.threads[tid] = "0-3"
	}
	require.NoError(t, now.above(before), "the runtime's own growth")

	now.threads[1_000_000_000] = "0-3"
	require.ErrorContains(t, now.above(before), fmt.Sprintf("%d threads, 2 before the tests, at most %d", allowed+1, allowed))

	now = snapshot{threads: map[int]string{1: "0-3", 2: "3"}}
	require.EqualError(t, now.above(before), "leak: thread 2 is left pinned to CPUs 3")
	now = snapshot{threads: map[int]string{1: "0-3", os.Getpid(): "3"}}
	require.NoError(t, now.above(before), "the first thread is parked by the runtime")
	require.Error(t, snapshot{threads: map[int]string{1: "3"}}.above(now), "and its mask excuses no other")
}

func TestGoroutinesOfTheRuntimeAreNotCounted(t *testing.T) {
	text := `goroutine 1 [running]:
main.main()
	/main.go:1 +0x1

goroutine 5 [syscall]:
os/signal.signal_recv()
	/sigqueue.go:152 +0x29
os/signal.loop()
	/signal_unix.go:23 +0x13
created by os/signal.Notify.func1.1 in goroutine 1
	/signal.go:152 +0x1f

goroutine 9 [select]:
main.worker()
	/main.go:9 +0x1
created by main.main in goroutine 1
	/main.go:3 +0x1
`
	found := goroutines([]byte(text))
	require.Len(t, found, 2)
	require.True(t, strings.HasPrefix(found[9], "goroutine 9 [select]"))
	require.Contains(t, found, 1)
}

func TestFuzzing(t *testing.T) {
	for _, c := range []struct {
		args string
		want bool
	}{
		{"-test.v=true -test.run=^$", false},
		{"-test.fuzz= -test.fuzztime=2s", false},
		{"-test.fuzz=FuzzX -test.fuzzcachedir=/x", true},
		{"-test.fuzzworker -test.fuzzcachedir=/x -test.fuzz=FuzzX", true},
	} {
		require.Equal(t, c.want, fuzzing(strings.Fields(c.args)), c.args)
	}
}

// TestLeaker is what TestMainVerdict runs in a process of its own.
func TestLeaker(t *testing.T) {
	switch os.Getenv(leakEnv) {
	case "goroutine":
		go func() { select {} }()
	case "descriptor":
		f, err := os.Open("/dev/null")
		require.NoError(t, err)
		runtime.KeepAlive(f)
	case "check":
		check(t, 10*time.Millisecond)
		go func() { select {} }()
	}
}

func TestMainVerdict(t *testing.T) {
	if os.Getenv(leakEnv) != "" {
		return
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	for leak, says := range map[string]string{
		"nothing":    "PASS",
		"goroutine":  "FAIL: leak: goroutine left behind",
		"descriptor": "left open: /dev/null",
		"check":      "--- FAIL: TestLeaker",
	} {
		t.Run(leak, func(t *testing.T) {
			cmd := exec.Command(exe, "-test.run=^TestLeaker$")
			cmd.Env = append(os.Environ(), leakEnv+"="+leak)
			out, err := cmd.CombinedOutput()
			require.Contains(t, string(out), says)
			if leak == "nothing" {
				require.NoError(t, err)
			} else {
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit)
				require.Equal(t, 1, exit.ExitCode())
			}
		})
	}
}
