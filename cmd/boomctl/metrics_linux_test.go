package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// metricsOf starts boomctl metrics and returns its URL.
func metricsOf(t *testing.T, dir, listen string) (p *exec.Cmd, url string, stderr *strings.Builder) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p = exec.CommandContext(t.Context(), self, "metrics", "--listen", listen)
	p.Env = append(os.Environ(), runDemo+"=1", "BOOMNET_DIR="+dir)
	stderr = new(strings.Builder)
	p.Stderr = stderr
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "%s", stderr)
	return p, strings.TrimSpace(line), stderr
}

func TestMetricsOfADemo(t *testing.T) {
	demo, out := startDemoOnPipe(t, "--json", "--faults-every=0", "--rate=200")
	p, url, stderr := metricsOf(t, demo.counters, "127.0.0.1:0")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/metrics$`, url)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: demoLimit}
	read := func(url string) string {
		r, err := client.Get(url)
		require.NoError(t, err)
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode)
		return string(text)
	}
	pid := strconv.Itoa(demo.Process.Pid)
	labels := `{process="boomctl demo",pid="` + pid + `",reactor="demo",endpoint="btcusdt"`
	require.Eventually(t, func() bool {
		return strings.Contains(read(url), "\nboomnet_endpoint_state"+labels+`,state="open"} 1`+"\n")
	}, demoLimit, 50*time.Millisecond)
	require.Contains(t, read(strings.TrimSuffix(url, "metrics")), "boomnet_endpoint_receive_to_handler_seconds_bucket"+labels+`,le="+Inf"} `, "/ leads to /metrics")

	status, said, errs := boomctlIn(t, demo.counters, "metrics", "--once")
	require.Zero(t, status, errs)
	require.Contains(t, said, "\nboomnet_endpoint_messages_total"+labels+"} ")
	require.Empty(t, errs)
	status, said, _ = boomctlIn(t, demo.counters, "metrics", "--once", "1")
	require.Zero(t, status)
	require.Contains(t, said, "\nboomnet_exporter_processes 0\n")

	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.NoError(t, p.Wait(), "%s", stderr)
	require.Empty(t, stderr.String())
	require.NoError(t, demo.Process.Signal(os.Interrupt))
	_, err := io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.NoError(t, demo.Wait(), "%s", &demo.stderr)
}

// Loopback needs no warning; more than that does.
func TestMetricsSaysWhoCanRead(t *testing.T) {
	p, _, stderr := metricsOf(t, filepath.Join(t.TempDir(), "counters"), ":0")
	require.NoError(t, p.Process.Signal(os.Interrupt))
	require.NoError(t, p.Wait(), "%s", stderr)
	require.Regexp(t, `^boomctl: metrics: \S+:\d+ is not only for this machine: .*\n$`, stderr.String())
}

func TestMetricsFails(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct{ args, stderr string }{
		{"--listen nowhere", "metrics: listen tcp: address nowhere: missing port in address"},
		{"--once --dir " + file, "metrics: stats: "},
		{"--max-samples=-1", "metrics: prometheus: MaxSamples -1 is negative"},
	} {
		status, said, errs := boomctlIn(t, dir, append([]string{"metrics"}, strings.Fields(c.args)...)...)
		require.Equal(t, 1, status, c.args)
		require.Empty(t, said)
		require.Contains(t, errs, c.stderr)
	}
}
