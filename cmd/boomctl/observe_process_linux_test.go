package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/pty"
)

// topLine is a line of `boomctl top --json` as a program reads it: exactly these
// names are promised.
type topLine struct {
	At        time.Time     `json:"at"`
	Over      float64       `json:"over_s"`
	Processes []topProcess  `json:"processes"`
	Reactors  []topReactor  `json:"reactors"`
	Endpoints []topEndpoint `json:"endpoints"`
	Rings     []topRing     `json:"rings"`
}

// watchedDemo is a demo whose three endpoints are open.
func watchedDemo(t *testing.T, args ...string) (p *demoProcess, pid string) {
	t.Helper()
	p, out := startDemoOnPipe(t, args...)
	read := make(chan struct{})
	go func() { defer close(read); _, _ = io.Copy(io.Discard, out) }()
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait(); <-read })
	w := &observer{dir: p.counters}
	t.Cleanup(w.close)
	require.Eventually(t, func() bool {
		s, err := w.sample(time.Now(), nil)
		return err == nil && len(s.rows(true).endpoints) == 3 && s.rows(true).down() == 0
	}, demoLimit, 20*time.Millisecond)
	return p, strconv.Itoa(p.Process.Pid)
}

func TestTopOfADemo(t *testing.T) {
	p, pid := watchedDemo(t, "--faults-every=0", "--rate=200")
	status, said, errs := boomctlIn(t, p.counters, "top", pid, "--json", "--count=2", "--interval=1s")
	require.Zero(t, status, errs)
	d := json.NewDecoder(strings.NewReader(said))
	d.DisallowUnknownFields()
	for range 2 {
		var s topLine
		require.NoError(t, d.Decode(&s))
		require.Greater(t, s.Over, 0.1)
		require.Equal(t, p.Process.Pid, s.Processes[0].PID)
		require.Equal(t, "boomctl demo", s.Processes[0].Name)
		require.WithinDuration(t, time.Now(), s.Processes[0].Started, demoLimit)
		require.Len(t, s.Reactors, 1)
		r := s.Reactors[0]
		require.Equal(t, "demo", r.Name)
		require.Equal(t, 3, r.Endpoints)
		require.Positive(t, r.Turns)
		require.Positive(t, r.Longest)
		require.Equal(t, "backoff", r.Idle)
		require.NotNil(t, s.Rings)
		require.Len(t, s.Endpoints, 3)
		for i, name := range []string{"btcusdt", "ethusdt", "xrpusdt"} {
			e := s.Endpoints[i]
			require.Equal(t, name, e.Name)
			require.Equal(t, "open", e.State)
			require.Positive(t, e.Messages)
			require.Positive(t, e.Bytes)
			require.Positive(t, e.Latency.Count)
			require.GreaterOrEqual(t, e.Latency.Max, e.Latency.P50)
		}
	}
	require.ErrorIs(t, d.Decode(new(topLine)), io.EOF)

	status, said, errs = boomctlIn(t, p.counters, "top", "--interval=100ms", "--sort=messages", "--filter=eth")
	require.Zero(t, status, errs)
	require.Contains(t, said, " boomctl top  1 process, 1 reactor, 3 endpoints")
	require.Contains(t, said, " /eth  1 of 3 endpoints\n")
	require.Regexp(t, `(?m)^ ethusdt +● open `, said)
	require.NotContains(t, said, "btcusdt")
	require.NotContains(t, said, "\x1b", "no terminal, no colours")

	for args, want := range map[string]string{
		"top 1":                         "top: process 1 publishes no counters in " + p.counters + ": it needs stats.Create and reactor.Config.Counters, and to run as this user",
		"top --interval 1ms":            "top: --interval 1ms is not between 100ms and 1h0m0s",
		"top --count=-1":                "top: --count -1 is negative",
		"top --sort colour":             `top: unknown order "colour": want name, `,
		"errors 1":                      "errors: process 1 publishes no counters in ",
		"latency nobody":                `latency: no histogram with values of that name: "nobody"; there are:`,
		"latency --pid 1":               "latency: process 1 publishes no counters in ",
		"latency":                       "latency: several could be meant, say which by name, --pid, --reactor and --histogram:",
		"latency btcusdt --plot a.png":  `latency: --plot "a.png": the name must end in .svg or .html`,
		"latency btcusdt --for=-1s":     "latency: --for -1s is negative",
		"latency btcusdt --interval 1":  "missing unit in duration",
		"latency btcusdt --log /none/a": "latency: --log: ",
	} {
		status, said, errs := boomctlIn(t, p.counters, strings.Fields(args)...)
		require.NotZero(t, status, args)
		require.Contains(t, errs, want, args)
		if !strings.Contains(want, "missing unit") {
			require.Equal(t, 1, status, args)
			require.Empty(t, said, args)
		}
	}
}

func TestLatencyOfADemo(t *testing.T) {
	p, pid := watchedDemo(t, "--faults-every=0", "--rate=200")
	dir := t.TempDir()
	hlog, svg, page := filepath.Join(dir, "a.hlog"), filepath.Join(dir, "a.svg"), filepath.Join(dir, "a.html")
	status, said, errs := boomctlIn(t, p.counters, "latency", "btcusdt", "--pid", pid, "--for=900ms", "--interval=300ms", "--log", hlog, "--plot", svg, "--json")
	require.Zero(t, status, errs)
	var got struct {
		Name  string    `json:"name"`
		From  time.Time `json:"from"`
		Count int64     `json:"count"`
	}
	require.NoError(t, json.Unmarshal([]byte(said), &got))
	require.Equal(t, "btcusdt", got.Name)
	require.Positive(t, got.Count)
	text, err := os.ReadFile(hlog)
	require.NoError(t, err)
	log := hdrhistogram.NewHistogramLogReader(bytes.NewReader(text))
	counted, intervals := int64(0), 0
	for {
		h, err := log.NextIntervalHistogram()
		require.NoError(t, err)
		if h == nil {
			break
		}
		counted += h.TotalCount()
		intervals++
	}
	require.Equal(t, got.Count, counted, "the log and the table tell of the same")
	require.Positive(t, intervals)
	picture, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(picture), "receive_to_handler of btcusdt, boomctl demo ("+pid+")")

	status, said, errs = boomctlIn(t, p.counters, "latency", "btcusdt", "--plot", page)
	require.Zero(t, status, errs)
	require.Regexp(t, `(?m)^ +p99\.999 +\S+ (ns|µs|ms) +[0-9,]+ above$`, said)
	text, err = os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "<pre> btcusdt  receive_to_handler")

	// The process ends meanwhile: what was counted is not lost.
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self, "latency", "btcusdt", "--for=1h", "--interval=100ms")
	c.Env = append(os.Environ(), runDemo+"=1", "BOOMNET_DIR="+p.counters)
	var table, complaint bytes.Buffer
	c.Stdout, c.Stderr = &table, &complaint
	require.NoError(t, c.Start())
	var counters unix.Stat_t
	require.NoError(t, unix.Stat(filepath.Join(p.counters, pid+".stats"), &counters))
	require.Eventually(t, func() bool { // it has mapped the counters
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", c.Process.Pid))
		return err == nil && strings.Contains(string(maps), fmt.Sprintf(" %d ", counters.Ino))
	}, demoLimit, 10*time.Millisecond)
	time.Sleep(500 * time.Millisecond) // so that there is something; if there is not the error is the same
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.Error(t, c.Wait())
	require.Contains(t, complaint.String(), "latency: endpoint btcusdt in boomctl demo ("+pid+") has gone, less than ")
	if table.Len() > 0 {
		require.Contains(t, table.String(), " values in ")
	}
}

func TestErrorsOfADemo(t *testing.T) {
	p, pid := watchedDemo(t, "--faults-every=100ms", "--rate=200")
	w := &observer{dir: p.counters}
	t.Cleanup(w.close)
	require.Eventually(t, func() bool {
		s, err := w.sample(time.Now(), nil)
		return err == nil && len(s.errorLogs()) > 0
	}, demoLimit, 50*time.Millisecond)
	status, said, errs := boomctlIn(t, p.counters, "errors", pid)
	require.Zero(t, status, errs)
	require.Contains(t, said, " demo  of boomctl demo ("+pid+")\n   count        last       first  text\n")
	require.NotContains(t, said, "…", "texts are whole")
	status, said, errs = boomctlIn(t, p.counters, "errors", "--json")
	require.Zero(t, status, errs)
	d := json.NewDecoder(strings.NewReader(said))
	d.DisallowUnknownFields()
	n, last := 0, time.Now()
	for ; d.More(); n++ {
		var e loggedError
		require.NoError(t, d.Decode(&e))
		require.Equal(t, "demo", e.Reactor)
		require.Positive(t, e.Count)
		require.NotEmpty(t, e.Text)
		require.False(t, e.First.After(e.Last))
		require.False(t, e.Last.After(last), "the one seen last first")
		last = e.Last
	}
	require.Positive(t, n)
}

func TestNothingToWatch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	for _, args := range []string{"top --interval=100ms", "errors"} {
		status, said, errs := boomctlIn(t, dir, strings.Fields(args)...)
		require.Zero(t, status, errs)
		require.Contains(t, strings.ReplaceAll(said, "\n   ", " "), "No process publishes counters in ", args)
	}
	status, said, errs := boomctlIn(t, dir, "top", "--json", "--count=1", "--interval=100ms")
	require.Zero(t, status, errs)
	require.Contains(t, said, `"processes":[],"reactors":[],"endpoints":[],"rings":[]}`)
	status, said, errs = boomctlIn(t, dir, "errors", "--json")
	require.Zero(t, status, errs)
	require.Empty(t, said)
	status, _, errs = boomctlIn(t, dir, "latency")
	require.Equal(t, 1, status)
	require.Contains(t, errs, "latency: no process publishes such a histogram in "+dir)
}

// onTerminal is `boomctl top` on a terminal, which shows what it shows.
type onTerminal struct {
	*exec.Cmd
	t      *testing.T
	master *os.File
	slave  *os.File
	shown  strings.Builder
}

func startOnTerminal(t *testing.T, dir string, stdin *os.File, args ...string) *onTerminal {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	o := &onTerminal{Cmd: exec.CommandContext(t.Context(), self, append([]string{"top"}, args...)...), t: t}
	o.master, o.slave = pty.Open(t, 80, 24)
	o.Env = append(os.Environ(), runDemo+"=1", "BOOMNET_DIR="+dir, "TERM=xterm", "NO_COLOR=1")
	o.Stdin, o.Stdout, o.Stderr = o.slave, o.slave, o.slave
	if stdin != nil {
		o.Stdin = stdin
	}
	o.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
	require.NoError(t, o.Start())
	return o
}

// until reads what is shown until that is in it, and forgets it.
func (o *onTerminal) until(want string) (shown string) {
	o.t.Helper()
	require.NoError(o.t, o.master.SetReadDeadline(time.Now().Add(demoLimit)))
	p := make([]byte, 64<<10)
	for !strings.Contains(shown, want) {
		n, err := o.master.Read(p)
		require.NoError(o.t, err, "%q is not in %q", want, shown)
		shown += string(p[:n])
	}
	o.shown.WriteString(shown)
	return shown
}

func (o *onTerminal) press(keys string) {
	o.t.Helper()
	_, err := o.master.WriteString(keys)
	require.NoError(o.t, err)
}

func TestTopOnATerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boomnet")
	p := publisher(t, dir, "watched")
	o := startOnTerminal(t, dir, nil, "--interval=100ms")
	o.until("▸same ")
	require.Zero(t, pty.Modes(t, o.slave).Lflag&unix.ICANON)
	o.press("\r")
	o.until("endpoint same")
	o.press("e")
	o.until("of watched")
	o.press("\x1b")
	o.until("▸same ")
	o.press("/zz")
	o.until("/zz takes none of 1")
	o.press("\x1b")
	o.until("▸same ")
	pty.Resize(t, o.master, 130, 30)
	o.until("sent/s")
	require.NoError(t, p.Process.Kill())
	o.until("watched (" + strconv.Itoa(p.Process.Pid) + ") ended")
	o.press("q")
	o.until("\x1b[?1049l")
	require.NoError(t, o.Wait())
	require.NotZero(t, pty.Modes(t, o.slave).Lflag&unix.ICANON, "the terminal is as it was")
	require.NotZero(t, pty.Modes(t, o.slave).Lflag&unix.ECHO)

	shown := o.shown.String()
	require.Equal(t, 1, strings.Count(shown, "\x1b[?1049h"))
	require.Contains(t, shown, "\x1b[?25h", "the cursor is back")
	require.NotContains(t, shown, "\x1b[2J", "nothing is cleared first, so nothing flickers")
	for i, frame := range strings.Split(shown, "\x1b[H")[2:] {
		require.Equal(t, 1, strings.Count(frame, "\x1b[J"), "a frame clears what is below it when all is written: %d", i)
	}
}

func TestTopWithoutKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boomnet")
	publisher(t, dir, "watched")
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	o := startOnTerminal(t, dir, null, "--interval=100ms")
	o.until("Ctrl-C ends it")
	o.press("\x03")
	o.until("\x1b[?1049l")
	require.NoError(t, o.Wait())

	o = startOnTerminal(t, dir, nil, "--interval=100ms")
	o.until("▸same ")
	require.NoError(t, o.Process.Signal(syscall.SIGTERM))
	o.until("\x1b[?1049l")
	require.NoError(t, o.Wait())
	require.NotZero(t, pty.Modes(t, o.slave).Lflag&unix.ICANON, "after a signal, too")

	o = startOnTerminal(t, dir, nil, "--interval=100ms", "--count=2")
	o.until("\x1b[?1049l")
	require.NoError(t, o.Wait(), "--count ends it")
}

func TestTopOnADumbTerminal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boomnet")
	publisher(t, dir, "watched")
	self, err := os.Executable()
	require.NoError(t, err)
	master, slave := pty.Open(t, 80, 24)
	c := exec.CommandContext(t.Context(), self, "top", "--interval=100ms")
	c.Env = append(os.Environ(), runDemo+"=1", "BOOMNET_DIR="+dir, "TERM=dumb")
	c.Stdout = slave
	require.NoError(t, c.Run())
	require.NoError(t, slave.Close())
	shown, err := io.ReadAll(master)
	require.ErrorIs(t, err, syscall.EIO)
	require.NotContains(t, string(shown), "\x1b")
	require.Regexp(t, `(?m)^ same +● open .{40,60}\r$`, string(shown), "as wide as the terminal")
}
