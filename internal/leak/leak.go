// Package leak fails a test run that leaves something behind: goroutines, file
// descriptors or operating system threads. Nothing in boomnet may cost its user
// anything after Close, and a leak that nobody looks for is found in production.
//
// A package asks for the check once, for all of its tests together:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
//
// or a single test asks for itself, in its first line, so that everything which
// the test cleans up is already gone when the check runs:
//
//	leak.Check(t)
//
// What counts as left behind:
//
//   - A goroutine that was not there before, except those that the runtime and
//     os/signal start for themselves and keep.
//   - A descriptor in /proc/self/fd that was not there before. The epoll and
//     event descriptors of Go's own poller are opened before the first look, so
//     every later one belongs to the code under test and counts.
//   - A thread pinned to CPUs that no thread had before: a reactor that unlocked
//     its thread instead of ending with it, which leaves ordinary goroutines on a
//     reactor's CPU. The process's first thread is exempt: the runtime parks
//     it for good, mask and all, when a locked goroutine ends on it.
//   - More than [ThreadSlack] + GOMAXPROCS threads above what was before. The
//     runtime starts threads for calls that block and never ends them, so a
//     closer bound would fail healthy tests; one thread lost by each test of a
//     package of usual size is over it. One thread held by a goroutine that
//     lives on is found exactly, as a goroutine.
//
// Goroutines, descriptors and threads may take a moment to go: the check looks
// again and again for [Grace] before it fails. No garbage is collected meanwhile,
// so a descriptor whose Close was forgotten is not saved by its finalizer.
//
// On systems without /proc only goroutines are looked at.
package leak

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// Grace is how long what a test used may take to disappear.
const Grace = 15 * time.Second

// ThreadSlack is how many threads more than before, in addition to GOMAXPROCS,
// the runtime may keep.
const ThreadSlack = 16

// Main runs the tests of a package and exits the process: with their own code,
// or with 1 when they passed but left something behind. What was left is printed
// with stacks and descriptors. It is called from TestMain, as its last call.
//
// While fuzzing (go test -fuzz) nothing is checked, because the fuzzing engine
// keeps processes, pipes and shared memory of its own.
func Main(m *testing.M) { os.Exit(run(m, Grace, ThreadSlack)) }

// MainThreads is Main for tests that have hundreds of goroutines in system calls
// at a time, servers of their own among them: on a loaded machine the runtime
// starts a thread for each that takes long, and slack of them are allowed.
func MainThreads(m *testing.M, slack int) { os.Exit(run(m, Grace, slack)) }

func run(m *testing.M, grace time.Duration, slack int) (code int) {
	if fuzzing(os.Args[1:]) {
		return m.Run()
	}
	before := look()
	before.slack = slack
	if code = m.Run(); code != 0 {
		return code
	}
	if err := wait(before, grace); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		return 1
	}
	return 0
}

// Check fails t when, after t and all clean-ups registered later have run,
// something is left that was not there when Check was called. It is of no use in
// a test that runs beside others (t.Parallel): it would see what they use.
func Check(t testing.TB) {
	t.Helper()
	check(t, Grace)
}

func check(t testing.TB, grace time.Duration) {
	t.Helper()
	before := look()
	t.Cleanup(func() {
		t.Helper()
		if t.Failed() || t.Skipped() {
			return
		}
		if err := wait(before, grace); err != nil {
			t.Error(err)
		}
	})
}

// fuzzing reports whether the test binary is a fuzzing coordinator or worker.
func fuzzing(args []string) bool {
	for _, a := range args {
		if strings.HasPrefix(a, "-test.fuzzworker") || (strings.HasPrefix(a, "-test.fuzz=") && a != "-test.fuzz=") {
			return true
		}
	}
	return false
}

// wait looks until nothing is left above before, for at most grace, and then
// says what is.
func wait(before snapshot, grace time.Duration) error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	deadline := time.Now().Add(grace)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := look().above(before)
		if err == nil || !time.Now().Before(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}
