package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/tasks"
	"github.com/boomnet-go/boomnet/internal/unprivileged"
)

// runThreads in the environment makes this test binary be a process with threads of
// the names in it, which ends with its standard input. The word "churn" makes it
// start and end threads all the time, "nobody" another user's process.
const runThreads = "BOOMCTL_TEST_RUN_THREADS"

func init() {
	if names := os.Getenv(runThreads); names != "" {
		threads(strings.Fields(names))
		os.Exit(0)
	}
}

func threads(names []string) {
	for _, name := range names {
		switch name {
		case "churn":
			go churn()
		case "nobody":
			const nobody = 65534
			if err := syscall.Setuid(nobody); err != nil {
				panic(err)
			}
		default:
			named := make(chan error)
			go func() {
				runtime.LockOSThread()
				named <- nameThread(name)
				select {}
			}()
			if err := <-named; err != nil {
				panic(err)
			}
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func nameThread(name string) error {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(p)), 0, 0, 0)
}

// churn starts threads that end at once: a goroutine that ends locked takes its
// thread with it.
func churn() {
	for {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread()
		}()
		<-ended
	}
}

// startThreads starts such a process.
func startThreads(t *testing.T, names string) (pid int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), runThreads+"="+names)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return cmd.Process.Pid
}

// pinJSON runs boomctl pin with --json.
func pinJSON(t *testing.T, pid int, args ...string) pinReport {
	t.Helper()
	out, complaint, err := boomctl(t, append([]string{"pin", strconv.Itoa(pid), "--json"}, args...)...)
	require.NoError(t, err, complaint)
	var r pinReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	return r
}

// masks are those of the threads with a name that begins so.
func masks(all []tasks.Task, prefix string) (found []affinity.Set) {
	for _, t := range all {
		if strings.HasPrefix(t.Name, prefix) {
			found = append(found, t.CPUs)
		}
	}
	return found
}

// ends are the first and the last CPU that this process may use; one of two where
// there is one.
func ends(t *testing.T) (all affinity.Set, first, last int) {
	t.Helper()
	all, err := affinity.Available()
	require.NoError(t, err)
	cpus := all.CPUs()
	return all, cpus[0], cpus[len(cpus)-1]
}

func TestPinShow(t *testing.T) {
	all, _, _ := ends(t)
	pid := startThreads(t, "boomnet-feed-1 gateway")
	out, complaint, err := boomctl(t, "pin", strconv.Itoa(pid))
	require.NoError(t, err, complaint)
	require.Contains(t, out, fmt.Sprintf("process %d, user ", pid))
	require.Regexp(t, `(?m)^ *\d+  boomnet-feed-1  S  +\d+  other(?: [+-]\d+)?  +[\d,]+  +[\d,]+  \S+$`, out)
	r := pinJSON(t, pid)
	require.Equal(t, []affinity.Set{all}, masks(r.Threads, "gateway"))
	require.Equal(t, pid, r.Threads[0].TID, "the first thread has the number of its process")
	require.Empty(t, r.Moved)
}

// Threads go where their names say, and the command that is printed puts them back.
func TestPinAndRestore(t *testing.T) {
	all, first, last := ends(t)
	pid := startThreads(t, "boomnet-feed-1 boomnet-feed-2 gateway")
	id := strconv.Itoa(pid)
	// One thread was elsewhere before: it goes back there.
	before := pinJSON(t, pid, "--set", fmt.Sprintf("gateway=%d", last))
	require.Equal(t, []affinity.Set{affinity.Of(last)}, masks(before.Threads, "gateway"))

	change := []string{"--set", fmt.Sprintf("boomnet-feed*=%d", last), "--others", strconv.Itoa(first)}
	dry := pinJSON(t, pid, append(change, "--dry-run")...)
	require.Empty(t, dry.Restore)
	require.Equal(t, []affinity.Set{affinity.Of(last)}, masks(dry.Threads, "gateway"), "nothing was done")

	out, complaint, err := boomctl(t, append([]string{"pin", id}, change...)...)
	require.NoError(t, err, complaint)
	after := pinJSON(t, pid)
	for _, thread := range after.Threads {
		want := affinity.Of(first)
		if strings.HasPrefix(thread.Name, "boomnet-feed") {
			want = affinity.Of(last)
		}
		require.Equal(t, want, thread.CPUs, thread.Name)
		kernel, err := affinity.OfThread(thread.TID)
		require.NoError(t, err)
		require.Equal(t, want, kernel)
	}
	require.Len(t, masks(after.Threads, "boomnet-feed"), 2)
	if all.Len() < 2 {
		return // every mask is the same here
	}

	_, command, found := strings.Cut(out, "to put them back\n")
	require.True(t, found, out)
	shell := exec.Command("sh", "-c", command)
	shell.Env = append(os.Environ(), runDemo+"=1")
	said, err := shell.CombinedOutput()
	require.NoError(t, err, "%s\n%s", command, said)
	back := pinJSON(t, pid)
	require.Equal(t, []affinity.Set{affinity.Of(last)}, masks(back.Threads, "gateway"))
	require.Equal(t, []affinity.Set{all, all}, masks(back.Threads, "boomnet-feed"))
	require.Equal(t, all, back.Threads[0].CPUs)
}

// While a process starts and ends threads, those it has are moved all the same.
func TestPinWhileThreadsComeAndGo(t *testing.T) {
	_, first, last := ends(t)
	pid := startThreads(t, "boomnet-feed-1 churn")
	for range 5 {
		for _, cpu := range []int{first, last} {
			r := pinJSON(t, pid, "--set", fmt.Sprintf("boomnet-feed*=%d", last), "--others", strconv.Itoa(cpu))
			require.Equal(t, []affinity.Set{affinity.Of(last)}, masks(r.Threads, "boomnet-feed"))
			for _, thread := range pinJSON(t, pid).Threads {
				require.Equal(t, 1, thread.CPUs.Len(), "one that was started since inherits a mask: %+v", thread)
			}
		}
	}
}

func TestPinErrors(t *testing.T) {
	all, first, _ := ends(t)
	pid := startThreads(t, "boomnet-feed-1")
	id := strconv.Itoa(pid)
	for want, args := range map[string][]string{
		`no such thread: "nothing*"; there are `:                  {"--set", fmt.Sprintf("nothing*=%d", first)},
		fmt.Sprintf("CPUs not allowed: %d; ", affinity.MaxCPUs-1): {"--others", strconv.Itoa(affinity.MaxCPUs - 1)},
		"no such thread: 1":                                  {"--set", fmt.Sprintf("1=%d", first)},
		"--set: \"feed\" is not WHO=CPUS":                    {"--set", "feed"},
		"--restore stands alone, without --set and --others": {"--restore", "1=0", "--others", "0"},
	} {
		_, complaint, err := boomctl(t, append([]string{"pin", id}, args...)...)
		require.Error(t, err)
		require.Contains(t, complaint, want)
	}
	for _, thread := range pinJSON(t, pid).Threads {
		require.Equal(t, all, thread.CPUs, "nothing was changed")
	}
	r := pinJSON(t, pid, "--restore", fmt.Sprintf("%d,1=%d", pid, first))
	require.LessOrEqual(t, len(r.Moved), 1, "a thread that is gone is passed over")
	_, complaint, err := boomctl(t, "pin", strconv.Itoa(1<<22+1))
	require.Error(t, err)
	require.Contains(t, complaint, "no such process")
}

// A process of another user, for one without CAP_SYS_NICE. To have such a process
// takes root; pin_test.go has the text for others.
func TestPinOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	all, first, _ := ends(t)
	pid := startThreads(t, "boomnet-feed-1 nobody")
	var out []byte
	err := unprivileged.Run(func() (err error) {
		cmd := exec.Command(os.Args[0], "pin", strconv.Itoa(pid), "--set", fmt.Sprintf("boomnet*=%d", first))
		cmd.Env = append(os.Environ(), runDemo+"=1")
		out, err = cmd.CombinedOutput()
		return err
	})
	if all.Len() == 1 {
		return // nothing was to be moved
	}
	require.Equal(t, exitFailure, status(t, err), string(out))
	require.Contains(t, string(out), "operation not permitted (process "+strconv.Itoa(pid)+" belongs to user nobody; only that user and who has CAP_SYS_NICE")
	require.Equal(t, []affinity.Set{all}, masks(pinJSON(t, pid).Threads, "boomnet-feed"))
}
