package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/feed"
)

// recordedFile is a recording of a simulated exchange that boomctl record has made:
// 300 messages on one connection.
func recordedFile(t *testing.T, more ...string) string {
	t.Helper()
	x := startedExchange(t, exchange.Config{Rate: 2000})
	path := filepath.Join(t.TempDir(), "feed.pcapng")
	_, stderr, err := boomctl(t, append([]string{"record", x.URL() + "/ws/btcusdt@trade/btcusdt@depth", "-o", path, "--name", "btcusdt", "--messages", "300"}, more...)...)
	require.NoError(t, err, stderr)
	require.Contains(t, stderr, "messages on 1 connections in")
	return path
}

func startedExchange(t *testing.T, cfg exchange.Config) *exchange.Server {
	t.Helper()
	x, err := exchange.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = x.Close() })
	return x
}

// infoOf is what capture info --json says.
func infoOf(t *testing.T, args ...string) (i captureInfo) {
	t.Helper()
	out, stderr, err := boomctl(t, append([]string{"capture", "info", "--json"}, args...)...)
	require.NoError(t, err, stderr)
	require.NoError(t, json.Unmarshal([]byte(out), &i))
	return i
}

// What was recorded is what info, cat, stats, cut and export see, all the same.
func TestRecordAndLookInside(t *testing.T) {
	path := recordedFile(t)
	stat, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), stat.Mode().Perm())

	i := infoOf(t, path)
	require.Equal(t, "record", i.Reactor)
	require.True(t, i.Complete)
	require.True(t, i.Replays)
	require.Empty(t, i.Obstacles)
	require.Len(t, i.Conns, 1)
	require.Equal(t, "btcusdt", i.Conns[0].Endpoint)
	require.GreaterOrEqual(t, i.MessagesIn, uint64(300))
	require.NotEmpty(t, i.Conns[0].Why)

	out, _, err := boomctl(t, "capture", "cat", path, "--op", "text", "--json")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, int(i.MessagesIn))
	var first messageJSON
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.Equal(t, "received", first.Direction)
	require.Contains(t, *first.Data, `"s":"BTCUSDT"`)
	require.WithinDuration(t, time.Now(), first.Time, time.Minute)

	out, _, err = boomctl(t, "capture", "cat", path, "--match", `"e":"trade"`, "--count", "3")
	require.NoError(t, err)
	require.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 3)
	require.Contains(t, out, ` btcusdt 1 < text `)
	out, _, err = boomctl(t, "capture", "cat", path, "--sent")
	require.NoError(t, err)
	require.Contains(t, out, `> request`)
	require.Contains(t, out, `GET /ws/btcusdt@trade/btcusdt@depth HTTP/1.1\r\n`)
	require.Contains(t, out, `> close 2 1000`)
	out, _, err = boomctl(t, "capture", "cat", path, "--hex", "--op", "text", "--count", "1")
	require.NoError(t, err)
	require.Contains(t, out, "\n00000000  7b 22")
	out, _, err = boomctl(t, "capture", "cat", path, "--records")
	require.NoError(t, err)
	require.Contains(t, out, " register turn=1 btcusdt\n")
	require.Contains(t, out, " dialed conn=1 setup ")

	out, _, err = boomctl(t, "capture", "stats", path, "--time-field", "T:mono", "--json")
	require.NoError(t, err)
	var st struct {
		Endpoints []seriesJSON `json:"endpoints"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &st))
	require.Len(t, st.Endpoints, 1)
	require.Equal(t, i.MessagesIn, st.Endpoints[0].Messages)
	require.Equal(t, int64(i.MessagesIn), st.Endpoints[0].Event.Count)
	require.Zero(t, st.Endpoints[0].NoEvent)
	out, _, err = boomctl(t, "capture", "stats", path, "--log", filepath.Join(t.TempDir(), "x.hlog"))
	require.NoError(t, err)
	require.Contains(t, out, " from one message to the next\n")

	tsv := filepath.Join(t.TempDir(), "feed.tsv.gz")
	out, _, err = boomctl(t, "capture", "export", path, "-o", tsv)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("%s: %d messages\n", tsv, i.MessagesIn), out)
	scanned, err := feed.Scan(tsv)
	require.NoError(t, err)
	require.Equal(t, int(i.MessagesIn), scanned.Messages)
	require.Equal(t, first.Time.UnixNano(), scanned.First)

	cut := filepath.Join(t.TempDir(), "cut.pcapng.zst")
	_, stderr, err := boomctl(t, "capture", "cut", path, "-o", cut, "--from", "+50ms", "--endpoint", "btcusdt")
	require.NoError(t, err, stderr)
	part := infoOf(t, cut)
	require.Less(t, part.MessagesIn, i.MessagesIn)
	require.Positive(t, part.MessagesIn)
	require.Positive(t, part.MissingIn)
	require.Contains(t, part.Comment, "cut: from ")
	require.Equal(t, "zstd", part.Files[0].Compression)
}

func TestCaptureRepair(t *testing.T) {
	path := recordedFile(t)
	out, _, err := boomctl(t, "capture", "repair", path)
	require.NoError(t, err)
	require.Contains(t, out, " is whole: ")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, data[:len(data)*2/3], 0o600))

	i := infoOf(t, path) // reads what there is
	require.False(t, i.Complete)
	require.Contains(t, i.Truncated, "capture: truncated: ")
	_, stderr, err := boomctl(t, "capture", "cat", path)
	require.NoError(t, err)
	require.Contains(t, stderr, "what follows is not read: capture: truncated: ")
	r := replayOf(t, path) // as far as it goes
	require.False(t, r.Complete)
	require.Zero(t, r.Divergences, r.First)
	require.Equal(t, int64(i.MessagesIn), r.Endpoints[0].Messages)
	whole := filepath.Join(t.TempDir(), "whole.pcapng")
	out, _, err = boomctl(t, "capture", "repair", path, "-o", whole)
	require.NoError(t, err)
	require.Contains(t, out, " was cut at byte ")
	require.Equal(t, i.MessagesIn, infoOf(t, whole).MessagesIn)
	_, stderr, err = boomctl(t, "capture", "repair", path, "-o", whole)
	require.Error(t, err)
	require.Contains(t, stderr, "file exists")
	_, _, err = boomctl(t, "capture", "repair", path)
	require.NoError(t, err)
	repaired, err := os.ReadFile(path)
	require.NoError(t, err)
	other, err := os.ReadFile(whole)
	require.NoError(t, err)
	require.True(t, bytes.Equal(repaired, other))
}

// A rotation is one recording; without its first file it still opens.
func TestRecordRotates(t *testing.T) {
	path := recordedFile(t, "--rotate-size", "16KiB", "--messages", "600")
	i := infoOf(t, "--rotated", path)
	require.Greater(t, len(i.Files), 1)
	require.True(t, i.Complete)
	require.GreaterOrEqual(t, i.MessagesIn, uint64(600))
	require.True(t, i.Replays)
}

// It comes back after losses, compresses, and ends in order on a signal.
func TestRecordSurvivesLosses(t *testing.T) {
	x := startedExchange(t, exchange.Config{Rate: 500})
	path := filepath.Join(t.TempDir(), "feed.pcapng")
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "record", x.URL()+"/ws/btcusdt@trade?fault=rst&after=50", "-o", path, "--name", "btc", "--compress-file")
	cmd.Env = append(os.Environ(), runDemo+"=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill() }()
	require.Eventually(t, func() bool { return x.Stats().Connections >= 3 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(unix.SIGINT))
	require.NoError(t, cmd.Wait(), stderr.String())
	require.Contains(t, stderr.String(), "connection reset by peer")

	i := infoOf(t, path+".zst")
	require.True(t, i.Complete)
	require.GreaterOrEqual(t, len(i.Conns), 3)
	require.Contains(t, i.Conns[0].Why, "connection reset by peer")
}

func TestRecordErrors(t *testing.T) {
	x := startedExchange(t, exchange.Config{})
	there := filepath.Join(t.TempDir(), "there.pcapng")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	fresh := filepath.Join(t.TempDir(), "new.pcapng")
	for _, tc := range []struct {
		status int
		want   string
		args   []string
	}{
		{2, "http", []string{"http://127.0.0.1:1/", "-o", fresh}},
		{2, "--keep needs --rotate-size or --rotate-age", []string{x.URL(), "-o", fresh, "--keep", "3"}},
		{2, "--secrets needs --below-tls", []string{x.URL(), "-o", fresh, "--secrets"}},
		{2, "neither never, nor file", []string{x.URL(), "-o", fresh, "--sync", "often"}},
		{2, "want 'Name: value'", []string{x.URL(), "-o", fresh, "-H", "x"}},
		{1, "file exists", []string{x.URL(), "-o", there}},
		{4, "0 connections", []string{"ws://127.0.0.1:1/", "-o", fresh, "--for", "200ms"}},
	} {
		_, stderr, err := boomctl(t, append([]string{"record"}, tc.args...)...)
		exit := asError[*exec.ExitError](t, err)
		require.Equal(t, tc.status, exit.ExitCode(), stderr)
		require.Contains(t, stderr, tc.want)
	}
	mine, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "mine", string(mine), "a file that is there stays as it is")
}

func asError[E error](t *testing.T, err error) (e E) {
	t.Helper()
	require.ErrorAs(t, err, &e)
	return e
}

func TestCaptureErrors(t *testing.T) {
	path := recordedFile(t)
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("this is no capture file"), 0o600))
	for _, tc := range []struct{ want, args string }{
		{"no such file", "info " + text + "x"},
		{"capture: ", "info " + text},
		{"--from +2s is not before --to +1s", "cat " + path + " --from +2s --to +1s"},
		{`"soon" is no time`, "cat " + path + " --from soon"},
		{`--op: "texts" is none of`, "cat " + path + " --op texts"},
		{"--match: error parsing regexp", "cat " + path + " --match ("},
		{"--time-field", "stats " + path + " --time-field E"},
		{"nothing is left", "cut " + path + " -o " + text + ".pcapng --from +1h"},
		{"no message is to be written", "export " + path + " -o " + text + ".gz --endpoint other"},
	} {
		_, stderr, err := boomctl(t, append([]string{"capture"}, strings.Fields(tc.args)...)...)
		require.Error(t, err, tc.args)
		require.Contains(t, stderr, tc.want)
	}
	require.NoFileExists(t, text+".gz")
	require.NoFileExists(t, text+".pcapng")
}

// A feed that the exchange has recorded, imported, replays; exported it is the same again.
func TestCaptureImport(t *testing.T) {
	dir := t.TempDir()
	gz, file, back := filepath.Join(dir, "btc.tsv.gz"), filepath.Join(dir, "btc.pcapng.zst"), filepath.Join(dir, "back.gz")
	w, err := feed.Create(gz)
	require.NoError(t, err)
	for i := range 1000 {
		require.NoError(t, w.Write(feed.Line{Time: 1_700_000_000_000_000_000 + int64(i)*10_000_000, Payload: fmt.Appendf(nil, `{"u":%d}`, i)}))
	}
	require.NoError(t, w.Close())
	out, stderr, err := boomctl(t, "capture", "import", gz, "-o", file)
	require.NoError(t, err, stderr)
	require.Contains(t, out, ": 1,000 messages, ")
	i := infoOf(t, file)
	require.Equal(t, "btc", i.Conns[0].Endpoint)
	require.Contains(t, i.Comment, "imported from btc.tsv.gz")
	r := replayOf(t, file)
	require.Zero(t, r.Divergences, r.First)
	require.Equal(t, int64(1000), r.Endpoints[0].Messages)

	_, stderr, err = boomctl(t, "capture", "export", file, "-o", back)
	require.NoError(t, err, stderr)
	a, err := feed.Open(gz)
	require.NoError(t, err)
	defer a.Close()
	b, err := feed.Open(back)
	require.NoError(t, err)
	defer b.Close()
	for range 1000 {
		want, err := a.Next()
		require.NoError(t, err)
		got, err := b.Next()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, stderr, err = boomctl(t, "capture", "import", file, "-o", filepath.Join(dir, "x.pcapng"))
	require.Error(t, err)
	require.Contains(t, stderr, "is a recording already")
}
