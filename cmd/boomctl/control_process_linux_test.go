package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/reactor"
)

// boomctlIn runs boomctl with args where the sockets are in dir.
func boomctlIn(t *testing.T, dir string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env = append(os.Environ(), runDemo+"=1", "BOOMNET_DIR="+dir)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	err = c.Run()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return failed.ExitCode(), out.String(), said.String()
	}
	require.NoError(t, err)
	return 0, out.String(), said.String()
}

// The first try: a demo in one terminal, boomctl control in another.
func TestControlOfADemo(t *testing.T) {
	p, out := startDemoOnPipe(t, "--faults-every=0")
	lines := bufio.NewScanner(out)
	until := func(what ...string) (said string) { // all of them, in any order
		for len(what) > 0 {
			require.True(t, lines.Scan(), "the demo never says %q", what)
			said += lines.Text() + "\n"
			what = slices.DeleteFunc(what, func(w string) bool { return strings.Contains(lines.Text(), w) })
		}
		return said
	}
	until("btcusdt    OPEN", "ethusdt    OPEN", "xrpusdt    OPEN")
	pid := strconv.Itoa(p.Process.Pid)

	status, said, errs := boomctlIn(t, p.counters, "control", "list")
	require.Zero(t, status, errs)
	require.Regexp(t, `^ +`+pid+`  boomctl\.test +since .* reactors demo\n$`, said)
	status, said, errs = boomctlIn(t, p.counters, "control", "list", "--json")
	require.Zero(t, status, errs)
	var one listed
	require.NoError(t, json.Unmarshal([]byte(said), &one))
	require.Equal(t, p.Process.Pid, one.PID)

	status, said, errs = boomctlIn(t, p.counters, "control", "dump")
	require.Zero(t, status, errs)
	require.Contains(t, said, "process "+pid+"  boomctl.test  go")
	require.Regexp(t, `(?m)^reactor demo  cpu \d+  idle backoff  selector epoll$`, said)
	require.Regexp(t, `(?m)^  btcusdt +open +for .* opened 1×  lost 0×$`, said)
	require.Regexp(t, `(?m)^    └ connection 1 current  open for .*127\.0\.0\.1:\d+ → 127\.0\.0\.1:\d+  fd \d+  last data`, said)

	status, said, errs = boomctlIn(t, p.counters, "control", pid, "drop", "btcusdt")
	require.Zero(t, status, errs)
	require.Equal(t, "btcusdt: 1 connection dropped\n", said)
	said = until("LOST", "operator", "RECOVERED")
	require.Contains(t, said, "btcusdt    LOST       open: dropped on request: uid "+strconv.Itoa(os.Geteuid())+", pid ")
	require.Regexp(t, `operator   uid \d+, pid \d+ \(.*\): drop endpoint "btcusdt": 1 dropped`, said)

	status, said, errs = boomctlIn(t, p.counters, "control", "idle", "demo", "park(100us)")
	require.Zero(t, status, errs)
	require.Equal(t, "demo: waits by park(100µs)\n", said)
	status, said, errs = boomctlIn(t, p.counters, "control", "reset")
	require.Zero(t, status, errs)
	require.Equal(t, "demo: histograms are empty\n", said)

	status, said, errs = boomctlIn(t, p.counters, "control", "dump", "--json", "demo")
	require.Zero(t, status, errs)
	var d control.Dump
	require.NoError(t, json.Unmarshal([]byte(said), &d))
	require.Equal(t, "park(100µs)", d.Reactors[0].Idle)
	require.EqualValues(t, 1, d.Reactors[0].Endpoints[0].Losses)
	require.Contains(t, d.Reactors[0].Endpoints[0].LastLoss.Text, "dropped on request")

	for _, c := range []struct {
		status int
		stderr string
		args   string
	}{
		{exitNotFound, `boomctl: reactor: no such endpoint: "btcusd": did you mean "btcusdt"?`, "drop btcusd"},
		{exitNotFound, `boomctl: control: no such reactor: "md": want "demo"`, "idle md spin"},
		{exitNotFound, `boomctl: control: no such reactor: "md": want "demo"`, "dump md"},
		{exitNoProcess, "process 1 has no control socket in " + p.counters, "1 dump"},
		{exitUsage, "unknown strategy", "idle demo sleepy"},
		{exitUsage, `expected "<endpoint>"`, "drop"},
		{exitUsage, "", "nonsense dump"},
	} {
		status, said, errs = boomctlIn(t, p.counters, append([]string{"control"}, strings.Fields(c.args)...)...)
		require.Equal(t, c.status, status, "%s: %s", c.args, errs)
		require.Contains(t, errs, c.stderr)
		if status != exitUsage {
			require.Empty(t, said)
		}
	}

	require.NoError(t, p.Process.Signal(os.Interrupt))
	_, err := io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.NoError(t, p.Wait(), "%s", &p.stderr)
	require.Empty(t, p.stderr.String())
	left, err := filepath.Glob(filepath.Join(p.counters, "*.sock"))
	require.NoError(t, err)
	require.Empty(t, left, "its socket goes with it")
	status, _, errs = boomctlIn(t, p.counters, "control", "dump")
	require.Equal(t, exitNoProcess, status)
	require.Contains(t, errs, "no process has a control socket in "+p.counters)
	status, said, _ = boomctlIn(t, p.counters, "control", "list")
	require.Zero(t, status)
	require.Empty(t, said)
}

// A reactor that does not turn is shown, and is an exit status of its own. With two
// processes one must say which.
func TestControlOfWhatIsStuck(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boomnet")
	r, err := reactor.New(reactor.Config{Name: "md"})
	require.NoError(t, err)
	defer r.Close()
	s, err := control.Listen(control.Config{Dir: dir, Reactors: []*reactor.Reactor{r}, Timeout: 10 * time.Millisecond})
	require.NoError(t, err)
	defer s.Close() // and nobody drives the reactor
	status, said, errs := boomctlIn(t, dir, "control", "dump")
	require.Equal(t, exitStuck, status, errs)
	require.Contains(t, said, `  STUCK  reactor: "md" has not turned for `)
	require.Contains(t, said, "neither Run nor Poll is under way")
	require.Contains(t, said, "  no endpoints\n")
	status, said, errs = boomctlIn(t, dir, "control", "--dir", dir, "reset")
	require.Equal(t, exitStuck, status)
	require.Empty(t, said)
	require.Contains(t, errs, "; it is done when the reactor turns again")

	require.NoError(t, os.Link(s.Path(), control.PathOf(dir, 1)))
	status, _, errs = boomctlIn(t, dir, "control", "reset")
	require.Equal(t, exitNoProcess, status)
	require.Contains(t, errs, "there are several: ")
	require.Contains(t, errs, strconv.Itoa(os.Getpid())+" (boomctl.test)")
}

// The second way to write each verb, which help does not show.
func TestControlTakesAPID(t *testing.T) {
	for line, want := range map[string]any{
		"control 4242 idle md spin":            controlIdleCmd{Reactor: "md", Strategy: "spin"},
		"control 4242 reset":                   controlResetCmd{},
		"control 4242 drop --reactor md trade": controlDropCmd{Endpoint: "trade", Reactor: "md"},
		"control 4242 dump --json md":          controlDumpCmd{Reactor: "md", JSON: true},
	} {
		var c cli
		_, err := newParser(&c).Parse(strings.Fields(line))
		require.NoError(t, err)
		require.Equal(t, 4242, c.Control.PID.PID)
		v := c.Control.PID.controlVerbs
		require.Contains(t, []any{v.Idle, v.Reset, v.Drop, v.Dump}, want, line)
	}
}
