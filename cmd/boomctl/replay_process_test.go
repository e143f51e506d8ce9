package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/exchange"
)

func replayOf(t *testing.T, args ...string) (r replayResult) {
	t.Helper()
	out, stderr, err := boomctl(t, append([]string{"replay", "--json"}, args...)...)
	require.NoError(t, err, out+stderr)
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	return r
}

// A recording, replayed, brings each message once more, and the same is written.
func TestReplayDoesTheSame(t *testing.T) {
	x := startedExchange(t, exchange.Config{Rate: 2000})
	path := filepath.Join(t.TempDir(), "feed.pcapng")
	_, stderr, err := boomctl(t, "record", x.URL()+"/ws", "-o", path, "--messages", "500", "--compress", "-H", "X-Desk: rates",
		"--subscribe", `{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`)
	require.NoError(t, err, stderr)
	i := infoOf(t, path)
	r := replayOf(t, path)
	require.Zero(t, r.Divergences, r.First)
	require.True(t, r.Complete)
	require.Len(t, r.Endpoints, 1)
	require.Equal(t, int64(i.MessagesIn), r.Endpoints[0].Messages)
	require.Equal(t, int64(1), r.Endpoints[0].Sent)
	require.Equal(t, 1, r.Endpoints[0].Opened)

	out, _, err := boomctl(t, "replay", path)
	require.NoError(t, err)
	require.Contains(t, out, " no divergence\n")
	require.Contains(t, out, ": open\n")
}

// Losses come again, too.
func TestReplayOfLosses(t *testing.T) {
	x := startedExchange(t, exchange.Config{Rate: 1000})
	path := filepath.Join(t.TempDir(), "feed.pcapng")
	_, stderr, err := boomctl(t, "record", x.URL()+"/ws/btcusdt@trade?fault=rst&after=50", "-o", path, "--messages", "200")
	require.NoError(t, err, stderr)
	i := infoOf(t, path)
	r := replayOf(t, path, "--speed", "100")
	require.Zero(t, r.Divergences, r.First)
	require.Equal(t, int64(i.MessagesIn), r.Endpoints[0].Messages)
	require.Equal(t, len(i.Conns), r.Endpoints[0].Opened)
}

func TestReplayStepByStep(t *testing.T) {
	path := recordedFile(t)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "replay", path, "--step")
	cmd.Env = append(os.Environ(), runDemo+"=1")
	cmd.Stdin = strings.NewReader("\n2\nx\n100000\n")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), " turn 1\n")
	require.Contains(t, string(out), `"x" is neither a number from 1, nor q`)
	require.Contains(t, string(out), "  btcusdt: text {\"e\":\"")
	require.Contains(t, string(out), "end of the recording\n")
	require.Contains(t, string(out), " no divergence\n")
}

// Served to clients, the messages are those that were recorded.
func TestReplayServes(t *testing.T) {
	path := recordedFile(t)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "replay", path, "--serve", "127.0.0.1:0", "--speed", "max")
	cmd.Env = append(os.Environ(), runDemo+"=1")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	url := regexp.MustCompile(`ws://[^ ,]+`).FindString(line)
	got, stderr, err := boomctl(t, "connect", url, "--count", "300", "--no-proxy")
	require.NoError(t, err, stderr)
	want, _, err := boomctl(t, "capture", "cat", path, "--raw", "--op", "text", "--count", "300")
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.NoError(t, cmd.Process.Signal(unix.SIGTERM))
	require.NoError(t, cmd.Wait())
}

func TestReplayErrors(t *testing.T) {
	path := recordedFile(t)
	for _, tc := range []struct{ want, args string }{
		{"are for --serve", path + " --loop"},
		{"are not for --serve", path + " --serve 127.0.0.1:0 --step"},
		{"no message is to be written", path + " --serve 127.0.0.1:0 --endpoint other"},
		{"neither a number from 0 nor max", path + " --speed fast"},
		{"no such file", path + "x"},
	} {
		_, stderr, err := boomctl(t, append([]string{"replay"}, strings.Fields(tc.args)...)...)
		require.Error(t, err, tc.args)
		require.Contains(t, stderr, tc.want)
	}
}
