package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/internal/pty"
	"github.com/boomnet-go/boomnet/stats"
)

// demoLimit bounds each process of these tests. It is far above what they need.
const demoLimit = 60 * time.Second

// demoProcess is a running `boomctl demo`.
type demoProcess struct {
	*exec.Cmd
	stderr   bytes.Buffer
	counters string // directory of its counters file
}

func startDemo(t *testing.T, stdout *os.File, args ...string) *demoProcess {
	t.Helper()
	return startDemoWith(t, nil, stdout, args...)
}

// startDemoWith is startDemo with more environment.
func startDemoWith(t *testing.T, env []string, stdout *os.File, args ...string) *demoProcess {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &demoProcess{Cmd: exec.Command(self, append([]string{"demo"}, args...)...)}
	p.counters = filepath.Join(t.TempDir(), "counters")
	p.Env = append(os.Environ(), append([]string{runDemo + "=1", "TERM=xterm", "NO_COLOR=", "BOOMNET_DIR=" + p.counters}, env...)...)
	p.Stdout, p.Stderr = stdout, &p.stderr
	require.NoError(t, p.Start())
	hung := time.AfterFunc(demoLimit, func() { _ = p.Process.Kill() })
	t.Cleanup(func() {
		hung.Stop()
		_ = p.Process.Kill()
		_ = p.Wait() // an error when the test has waited itself
	})
	return p
}

// startDemoOnPipe starts a demo and returns its standard output.
func startDemoOnPipe(t *testing.T, args ...string) (*demoProcess, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	p := startDemo(t, w, args...)
	require.NoError(t, w.Close())
	return p, r
}

// children returns the processes that pid has started and that have not ended.
func children(t *testing.T, pid int) []int {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	var found []int
	for _, path := range paths {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent …; the name may hold anything.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[0] != "Z" && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(strings.Split(path, "/")[2])
			require.NoError(t, err)
			found = append(found, child)
		}
	}
	return found
}

// theChild waits until pid has one child and returns it.
func theChild(t *testing.T, pid int) int {
	t.Helper()
	var found []int
	require.Eventually(t, func() bool { found = children(t, pid); return len(found) == 1 }, demoLimit, 10*time.Millisecond)
	return found[0]
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// readObjects reads all objects that a demo prints.
func readObjects(t *testing.T, out io.Reader) (all []snapshotJSON) {
	t.Helper()
	d := json.NewDecoder(out)
	d.DisallowUnknownFields()
	for {
		var o snapshotJSON
		err := d.Decode(&o)
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
		all = append(all, o)
	}
}

func TestDemoRecoversFromFaults(t *testing.T) {
	p, out := startDemoOnPipe(t, "--json", "--for=4s", "--faults", "--faults-every=250ms", "--rate=200")
	all := readObjects(t, out)
	require.NoError(t, p.Wait(), "%s", &p.stderr)
	require.GreaterOrEqual(t, len(all), 2)
	for _, o := range all[:len(all)-1] {
		require.False(t, o.Final)
		require.Len(t, o.Symbols, 3)
	}
	final := all[len(all)-1]
	require.True(t, final.Final)
	require.Len(t, final.Symbols, 3)
	reconnects := int64(0)
	for i, name := range []string{"btcusdt", "ethusdt", "xrpusdt"} {
		s := final.Symbols[i]
		require.Equal(t, name, s.Symbol)
		require.Positive(t, s.Messages, name)
		require.Positive(t, s.Bytes, name)
		require.NotNil(t, s.LastPrice, name)
		reconnects += s.Reconnects
	}
	require.Positive(t, reconnects)
	require.True(t, slices.ContainsFunc(final.Symbols, func(s symbolJSON) bool { return s.LastReason != nil }))
	require.Positive(t, final.Reactor.Turns)
	require.Positive(t, final.Latency.Receive.Count)
	require.Positive(t, final.Latency.Send.Count)
	require.LessOrEqual(t, final.Latency.Send.P50, final.Latency.Send.Max)
}

func TestDemoPublishesItsCounters(t *testing.T) {
	p, out := startDemoOnPipe(t, "--json", "--faults-every=0", "--rate=200")
	var view *stats.View
	require.Eventually(t, func() bool {
		v, err := stats.AttachPID(p.counters, p.Process.Pid)
		view = v
		return err == nil
	}, demoLimit, 10*time.Millisecond)
	defer view.Close()
	process, err := view.Process()
	require.NoError(t, err)
	require.Equal(t, "boomctl demo", process.Name)
	require.False(t, process.Stale)
	require.Eventually(t, func() bool {
		messages := make(map[string]int64)
		list, err := view.Blocks()
		require.NoError(t, err)
		for _, b := range list {
			for _, c := range b.Cells {
				var v stats.Value
				require.NoError(t, c.Read(&v))
				if b.Kind == stats.EndpointBlock && b.Parent == "demo" && c.Desc().Name == "messages" {
					messages[b.Name] = v.Int
				}
			}
		}
		return messages["btcusdt"] > 0 && messages["ethusdt"] > 0 && messages["xrpusdt"] > 0
	}, demoLimit, 10*time.Millisecond)
	require.NoError(t, p.Process.Signal(os.Interrupt))
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.NoError(t, p.Wait(), "%s", &p.stderr)
	require.Empty(t, p.stderr.String())
	left, err := stats.List(p.counters)
	require.NoError(t, err)
	require.Empty(t, left, "its file goes with it")
}

func TestDemoServesAFeed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "feed.gz")
	w, err := feed.Create(path)
	require.NoError(t, err)
	for i := range 200 {
		payload := fmt.Sprintf(`{"e":"bookTicker","u":%d,"b":"42.5","T":1626916403864}`, i)
		require.NoError(t, w.Write(feed.Line{Time: int64(i) * int64(time.Millisecond), Payload: []byte(payload)}))
	}
	require.NoError(t, w.Close())
	p, out := startDemoOnPipe(t, "--json", "--for=1500ms", "--faults-every=0", "--feed="+path, "--idle=park(200us)", "--selector=direct", "--symbols=a,b")
	all := readObjects(t, out)
	require.NoError(t, p.Wait(), "%s", &p.stderr)
	final := all[len(all)-1]
	require.Len(t, final.Symbols, 2)
	for _, s := range final.Symbols {
		require.Positive(t, s.Messages)
		require.Equal(t, 42.5, *s.LastPrice)
		require.Zero(t, s.Reconnects)
		require.Nil(t, s.LastReason)
	}
	require.Nil(t, final.Latency.Send, "a recording has no time of sending")
	require.NotNil(t, final.Latency.Receive)
	require.Equal(t, "park(200µs)", final.Reactor.Idle)
	require.Equal(t, "direct", final.Reactor.Selector)
}

// A signal ends it in order: connections closed, child gone, summary, status 0.
func TestDemoEndsOnSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			p, out := startDemoOnPipe(t, "--faults-every=0")
			lines := bufio.NewScanner(out)
			opened := 0
			for opened < 3 && lines.Scan() {
				if strings.Contains(lines.Text(), "OPEN") {
					opened++
				}
			}
			require.Equal(t, 3, opened)
			exchange := theChild(t, p.Process.Pid)
			require.NoError(t, p.Process.Signal(sig))
			var rest strings.Builder
			for lines.Scan() {
				rest.WriteString(lines.Text() + "\n")
			}
			require.NoError(t, p.Wait(), "%s", &p.stderr)
			require.True(t, gone(exchange))
			require.Contains(t, rest.String(), "signal received")
			require.Contains(t, rest.String(), "the end: 3 of 3 connections closed in order")
			require.Empty(t, p.stderr.String())
		})
	}
}

func TestDemoSaysThatTheExchangeDied(t *testing.T) {
	p, out := startDemoOnPipe(t, "--json")
	exchange := theChild(t, p.Process.Pid)
	_, err := bufio.NewReader(out).ReadBytes('\n') // it is running
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(exchange, syscall.SIGKILL))
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, err)
	var status *exec.ExitError
	require.ErrorAs(t, p.Wait(), &status)
	require.Equal(t, 1, status.ExitCode())
	require.Contains(t, p.stderr.String(), "the exchange has ended: signal: killed")
}

func TestDemoSaysWhyTheExchangeDidNotStart(t *testing.T) {
	p, out := startDemoOnPipe(t, "--feed="+filepath.Join(t.TempDir(), "none.gz"))
	_, err := io.Copy(io.Discard, out)
	require.NoError(t, err)
	var status *exec.ExitError
	require.ErrorAs(t, p.Wait(), &status)
	require.Equal(t, 1, status.ExitCode())
	require.Contains(t, p.stderr.String(), "the exchange has ended: exit status")
	require.Contains(t, p.stderr.String(), "none.gz")
}

// When the demo is killed its exchange ends too, as its standard input closes.
func TestDemoLeavesNoOrphan(t *testing.T) {
	p, out := startDemoOnPipe(t, "--json")
	exchange := theChild(t, p.Process.Pid)
	_, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	require.NoError(t, p.Process.Kill())
	_ = p.Wait()
	require.Eventually(t, func() bool { return gone(exchange) || zombie(exchange) }, demoLimit, 10*time.Millisecond)
}

// zombie reports whether pid has ended and nobody has asked for its status,
// which for an orphan is the business of process 1.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

func TestDemoOnATerminal(t *testing.T) {
	text := demoOnATerminal(t)
	require.True(t, strings.HasPrefix(text, "\x1b[?1049h\x1b[?25l"), "the cursor is hidden")
	before, after, left := strings.Cut(text, "\x1b[?25h\x1b[?1049l")
	require.True(t, left, "the cursor and the screen come back")
	require.Contains(t, before, "boomnet demo")
	require.Contains(t, before, "\x1b[32m● open")
	require.Contains(t, after, "\x1b[32m● open")
	require.Contains(t, after, "time is up")
	require.NotContains(t, after, "\x1b[?")
}

// NO_COLOR takes the colours, and the other styles with them, not the display.
func TestDemoWithoutColours(t *testing.T) {
	text := demoOnATerminal(t, "NO_COLOR=1")
	require.True(t, strings.HasPrefix(text, "\x1b[?1049h"))
	require.Contains(t, text, "● open")
	require.NotRegexp(t, "\x1b\\[[0-9;]*m", text)
}

// A dumb terminal gets lines, none longer than it is wide, and no escapes.
func TestDemoOnADumbTerminal(t *testing.T) {
	text := demoOnATerminal(t, "TERM=dumb")
	require.Contains(t, text, "OPEN")
	require.NotContains(t, text, "\x1b")
	_, summary, found := strings.Cut(text, "boomnet demo")
	require.True(t, found)
	for _, line := range strings.Split(summary, "\r\n") {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 80, line)
	}
}

// A pipe gets lines without escapes, whatever TERM says.
func TestDemoOnAPipe(t *testing.T) {
	p, out := startDemoOnPipe(t, "--for=1200ms", "--faults-every=0")
	text, err := io.ReadAll(out)
	require.NoError(t, err)
	require.NoError(t, p.Wait(), "%s", &p.stderr)
	require.Contains(t, string(text), "time is up")
	require.NotContains(t, string(text), "\x1b")
}

// demoOnATerminal is all that a short demo shows on a terminal of 80 by 24.
func demoOnATerminal(t *testing.T, env ...string) string {
	t.Helper()
	master, slave := pty.Open(t, 80, 24)
	p := startDemoWith(t, env, slave, "--for=1500ms", "--faults-every=0")
	require.NoError(t, slave.Close())
	shown, err := io.ReadAll(master)
	require.ErrorIs(t, err, syscall.EIO) // that is how the end of a terminal shows
	require.NoError(t, p.Wait(), "%s", &p.stderr)
	return string(shown)
}

func TestDemoFlags(t *testing.T) {
	good := func() *demoCmd {
		return &demoCmd{Symbols: []string{"btcusdt"}, Rate: 1, Idle: "backoff", Selector: "epoll"}
	}
	require.NoError(t, good().Validate())
	for _, c := range []struct {
		name string
		set  func(*demoCmd)
		err  string
	}{
		{"no symbol", func(d *demoCmd) { d.Symbols = nil }, "0 symbols, must be 1 to 64"},
		{"empty symbol", func(d *demoCmd) { d.Symbols = []string{""} }, `--symbols: "", must be 1 to 32 lower-case letters, digits and _`},
		{"bad symbol", func(d *demoCmd) { d.Symbols = []string{"a", "B!"} }, `--symbols: "B!", must be 1 to 32 lower-case letters, digits and _`},
		{"symbol twice", func(d *demoCmd) { d.Symbols = []string{"a", "b", "a"} }, `--symbols: "a" is there twice`},
		{"negative time", func(d *demoCmd) { d.For = -time.Second }, "--for -1s is negative"},
		{"no idle strategy", func(d *demoCmd) { d.Idle = "sleepy" }, `idle: unknown strategy "sleepy": want noop, spin, yield, backoff, park(DURATION), sleep-ns, sleep-ms, spin-wait or exclusive`},
		{"no selector", func(d *demoCmd) { d.Selector = "poll" }, `selector: unknown selector "poll": want epoll or direct`},
		{"rate of 0", func(d *demoCmd) { d.Rate = 0 }, "--rate 0, must be above 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := good()
			c.set(d)
			require.EqualError(t, d.Validate(), c.err)
		})
	}
	every := func(d time.Duration) *time.Duration { return &d }
	for _, c := range []struct {
		d    demoCmd
		want time.Duration
	}{
		{demoCmd{}, faultsRare},
		{demoCmd{Faults: true}, faultsOften},
		{demoCmd{Faults: true, FaultsEvery: every(time.Minute)}, time.Minute},
		{demoCmd{FaultsEvery: every(0)}, 0},
	} {
		require.Equal(t, c.want, c.d.faultInterval())
	}
}
