package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
)

// newCounters makes the counters file of this process in a directory of its own.
// There is one at a time, so tests that use it do not run in parallel.
func newCounters(t testing.TB) (dir string, f *stats.File) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "boomnet")
	f, err := stats.Create(stats.FileConfig{Dir: dir, Name: "watched"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return dir, f
}

// watchedEndpoint is what an endpoint counts.
type watchedEndpoint struct {
	block    *stats.Block
	messages *stats.Counter
	state    *stats.Gauge
	latency  *stats.Histogram
}

func newWatchedEndpoint(f *stats.File, name, reactor string) *watchedEndpoint {
	b := f.NewBlock(stats.EndpointBlock, name, reactor)
	e := &watchedEndpoint{b, b.Counter("messages", "messages", ""), b.Gauge("state", "state", ""), b.Histogram("receive_to_handler", "ns", "from the read to the handler")}
	e.state.Set(int64(endpoint.Open))
	return e
}

// watching takes samples a second apart of a clock of its own.
type watching struct {
	*observer
	t    *testing.T
	last *sample
}

func (w *watching) next() *sample {
	now := fakeNow
	if w.last != nil {
		now = w.last.at.Add(2 * time.Second)
	}
	s, err := w.sample(now, w.last)
	require.NoError(w.t, err)
	require.Empty(w.t, s.failed)
	w.last = s
	return s
}

func (w *watching) endpoints() []topEndpoint { return w.next().rows(false).endpoints }

func watch(t *testing.T, dir string, pids ...int) *watching {
	w := &watching{observer: &observer{dir: dir, pids: pids}, t: t}
	t.Cleanup(w.close)
	return w
}

func TestObserver(t *testing.T) {
	dir, f := newCounters(t)
	w := watch(t, dir)
	e := newWatchedEndpoint(f, "a", "r0")
	e.messages.Add(1000)
	e.latency.Record(5_000_000)
	rows := w.endpoints()
	require.Len(t, rows, 1)
	require.Zero(t, rows[0].Messages, "there is no rate yet")
	require.Zero(t, rows[0].Latency, "nor an interval")
	require.Equal(t, os.Getpid(), rows[0].PID)
	require.Equal(t, "open", rows[0].State)

	e.messages.Add(50)
	for range 100 {
		e.latency.Record(100)
	}
	rows = w.endpoints()
	require.Equal(t, 25.0, rows[0].Messages, "50 in two seconds")
	require.EqualValues(t, 100, rows[0].Latency.Count)
	require.EqualValues(t, 100, rows[0].Latency.P99)
	require.EqualValues(t, 100, rows[0].Latency.Max, "that of the interval")
	all := w.last.rows(true).endpoints[0].Latency
	require.EqualValues(t, 101, all.Count)
	require.EqualValues(t, 5_000_000, all.Max)

	require.Zero(t, w.endpoints()[0].Messages, "nothing has come")
	e.latency.Reset()
	e.latency.Record(7)
	require.EqualValues(t, 1, w.endpoints()[0].Latency.Count, "what came since the reset")
	e.messages.Store(3)
	require.Zero(t, w.endpoints()[0].Messages, "set back: no negative rate")
}

// Blocks of one name are never taken for each other, whichever goes first.
func TestObserverTellsEqualNamesApart(t *testing.T) {
	dir, f := newCounters(t)
	w := watch(t, dir)
	first, second := newWatchedEndpoint(f, "a", "r0"), newWatchedEndpoint(f, "a", "r0")
	first.messages.Add(1_000_000)
	w.endpoints()
	second.messages.Add(10)
	rows := w.endpoints()
	require.Equal(t, []float64{0, 5}, []float64{rows[0].Messages, rows[1].Messages})
	kept := rows[1].block

	first.block.Free()
	second.messages.Add(20)
	rows = w.endpoints()
	require.Len(t, rows, 1)
	require.Same(t, kept, rows[0].block)
	require.Equal(t, 10.0, rows[0].Messages)

	second.block.Free()
	again := newWatchedEndpoint(f, "a", "r0") // in the same place of the file
	again.messages.Add(1 << 40)
	rows = w.endpoints()
	require.Len(t, rows, 1)
	require.NotSame(t, kept, rows[0].block)
	require.Zero(t, rows[0].Messages, "one that has come anew has no rate yet")
}

func TestObserverSeesThatAProcessEnds(t *testing.T) {
	dir, f := newCounters(t)
	w := watch(t, dir, os.Getpid())
	newWatchedEndpoint(f, "a", "r0")
	require.Len(t, w.endpoints(), 1)
	require.NoError(t, f.Close())
	s := w.next()
	require.Empty(t, s.blocks)
	require.Len(t, s.ended, 1)
	require.Equal(t, "watched", s.ended[0].Name)
	require.Empty(t, w.next().ended, "it is told once")

	f, err := stats.Create(stats.FileConfig{Dir: dir, Name: "watched again"})
	require.NoError(t, err)
	defer f.Close()
	newWatchedEndpoint(f, "a", "r0")
	require.Len(t, w.endpoints(), 1, "and one that begins is taken on")
}

func TestObserverGoesOnWithoutWhatItCannotRead(t *testing.T) {
	dir, f := newCounters(t)
	newWatchedEndpoint(f, "a", "r0")
	other, err := os.OpenFile(filepath.Join(dir, "1.stats"), os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	defer other.Close()
	_, err = other.WriteString("nonsense")
	require.NoError(t, err)
	require.NoError(t, unix.Flock(int(other.Fd()), unix.LOCK_EX), "as by a living process")
	w := &observer{dir: dir}
	defer w.close()
	s, err := w.first()
	require.NoError(t, err)
	require.Len(t, s.failed, 1)
	require.ErrorIs(t, s.failed[0], stats.ErrFormat)
	require.Len(t, s.rows(false).endpoints, 1)
	screen := new(topScreen)
	screen.see(s)
	require.Contains(t, screen.drawn(t, 120, 24), "not a counters file", "below the title")

	w = &observer{dir: dir, pids: []int{1}}
	_, err = w.first()
	require.ErrorContains(t, err, "process 1 publishes no counters in "+dir)
	require.ErrorIs(t, err, stats.ErrFormat, "which may be why")
	w = &observer{dir: filepath.Join(dir, "none")}
	s, err = w.first()
	require.NoError(t, err)
	require.Empty(t, s.blocks)
}

// publishCounters in the environment makes this test binary a process that publishes
// an endpoint of that name and counts until its standard input ends.
const publishCounters = "BOOMCTL_TEST_PUBLISH"

func init() {
	name := os.Getenv(publishCounters)
	if name == "" {
		return
	}
	f, err := stats.Create(stats.FileConfig{Name: name})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	e := newWatchedEndpoint(f, "same", "r0")
	f.NewBlock(stats.ReactorBlock, "r0", "").Errors("errors", "").Add(time.Now(), "of "+name)
	for range 10 {
		e.messages.Add(1)
		e.latency.Record(1000)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = f.Close()
	os.Exit(0)
}

// publisher starts such a process; stop ends it in order, kill does not.
func publisher(t *testing.T, dir, name string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.Command(self)
	c.Env = append(os.Environ(), publishCounters+"="+name, "BOOMNET_DIR="+dir)
	stdin, err := c.StdinPipe()
	require.NoError(t, err)
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = c.Wait() // an error when the test has killed it
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return c
}

func TestObserverOfSeveralProcesses(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "boomctl-test-") // elsewhere a file goes with its process
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	one, two := publisher(t, dir, "one"), publisher(t, dir, "two")
	w := watch(t, dir)
	rows := w.endpoints()
	require.Len(t, rows, 2, "of equal names")
	require.ElementsMatch(t, []int{one.Process.Pid, two.Process.Pid}, []int{rows[0].PID, rows[1].PID})
	require.Len(t, w.last.errorLogs(), 2)
	only := watch(t, dir, two.Process.Pid)
	rows = only.endpoints()
	require.Len(t, rows, 1)
	require.Equal(t, two.Process.Pid, rows[0].PID)

	require.NoError(t, one.Process.Kill())
	_ = one.Wait() // killed
	require.Len(t, w.endpoints(), 1)
	require.Equal(t, one.Process.Pid, w.last.ended[0].PID)
	left := &observer{dir: dir, ended: true}
	defer left.close()
	s, err := left.first()
	require.NoError(t, err)
	require.Len(t, s.processes, 2, "what it left behind can be read")
}

// What a sample of 1,000 endpoints costs.
func BenchmarkObserverSample(b *testing.B) {
	dir, f := newCounters(b)
	for i := range 1000 {
		e := newWatchedEndpoint(f, fmt.Sprint(i), "r0")
		e.latency.Record(int64(i))
	}
	require.NoError(b, f.Err())
	w := &observer{dir: dir}
	defer w.close()
	s, err := w.first()
	require.NoError(b, err)
	for b.Loop() {
		s, err = w.sample(time.Now(), s)
		require.NoError(b, err)
	}
	require.Len(b, s.blocks, 1001)
}
