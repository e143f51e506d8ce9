package main

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// TestConnectProcess is for what only a process can show: signals, exit statuses,
// a standard output that is closed.
func TestConnectProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boomctl")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Run("ends on a signal", func(t *testing.T) {
		for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
			t.Run(unix.SignalName(sig), func(t *testing.T) { testSignal(t, path, sig) })
		}
	})
	t.Run("ends when its output is closed", func(t *testing.T) { testClosedOutput(t, path) })
	t.Run("exit status", func(t *testing.T) { testExitStatus(t, path) })
}

// child is a running boomctl connect.
type child struct {
	*exec.Cmd
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr bytes.Buffer
}

func start(t *testing.T, path string, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(path, append([]string{"connect"}, args...)...)}
	c.Stderr = &c.stderr
	var err error
	c.stdin, err = c.StdinPipe()
	require.NoError(t, err)
	c.stdout, err = c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	hung := time.AfterFunc(testLimit, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		hung.Stop()
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// end waits for the exit and returns its status, -1 if a signal was the end.
func (c *child) end() int {
	_ = c.Wait()
	return c.ProcessState.ExitCode()
}

func testSignal(t *testing.T, path string, sig unix.Signal) {
	closed := make(chan frame.CloseCode, 1)
	url := newServer(t, func(p *peer) {
		closed <- p.serve(func(op frame.Opcode, payload []byte) { p.send(op, string(payload)) })
	})
	c := start(t, path, url)
	_, err := io.WriteString(c.stdin, "hello\n")
	require.NoError(t, err)
	require.NoError(t, c.stdin.Close()) // ends nothing
	line, err := bufio.NewReader(c.stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "hello\n", line)
	require.NoError(t, c.Process.Signal(sig))
	require.Equal(t, exitOK, c.end(), c.stderr.String())
	require.Equal(t, frame.CloseNormal, <-closed)
	require.Contains(t, c.stderr.String(), "interrupted")
}

func testClosedOutput(t *testing.T, path string) {
	url := newServer(t, func(p *peer) {
		_, _, _ = p.read() // the line says that the output is closed
		p.send(frame.Text, "nobody reads this")
		p.serve(nil)
	})
	c := start(t, path, url)
	require.NoError(t, c.stdout.Close())
	_, err := io.WriteString(c.stdin, "go\n")
	require.NoError(t, err)
	require.Equal(t, exitOK, c.end(), c.stderr.String())
	require.Contains(t, c.stderr.String(), "standard output is closed")
}

func testExitStatus(t *testing.T, path string) {
	for _, tc := range []struct {
		status int
		stderr string
		args   []string
	}{
		{exitUsage, "unknown flag --nonsense", []string{"--nonsense", "ws://127.0.0.1:1"}},
		{exitUsage, "expected \"<url>\"", nil},
		{exitUsage, "usage:", []string{"http://127.0.0.1:1"}},
		{exitDNS, "boomctl: connect: DNS: ws://dead.example", []string{"--resolve", "dead.example=", "ws://dead.example"}},
	} {
		c := start(t, path, tc.args...)
		out, err := io.ReadAll(c.stdout)
		require.NoError(t, err)
		require.Equal(t, tc.status, c.end(), c.stderr.String())
		require.Contains(t, c.stderr.String(), tc.stderr)
		require.Empty(t, string(out), "standard output is for messages")
	}
}
