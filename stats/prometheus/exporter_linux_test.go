package prometheus

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/stats"
)

// publish makes the counters file of this process in a directory of the test's own:
// one a process, so these tests are not parallel.
func publish(t testing.TB, endpoints int) (file *stats.File, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "counters")
	file, err := stats.Create(stats.FileConfig{Dir: dir, Name: "feed"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	for i := range endpoints {
		b := file.NewBlock(stats.EndpointBlock, fmt.Sprint("endpoint-", i), "md")
		for j := range 14 {
			b.Counter(fmt.Sprint("counter_", j), "", "a counter").Add(int64(j))
		}
		b.Gauge("state", "state", "endpoint.State as a number").Set(5)
		h := b.Histogram("receive_to_handler", "ns", "from the end of a network read to the handler")
		for v := int64(1000); v < 1e6; v = v * 9 / 8 {
			h.Record(v)
		}
	}
	return file, dir
}

func newExporter(t testing.TB, cfg Config) *Exporter {
	t.Helper()
	e, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func get(e http.Handler, method string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/metrics", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestScrapeOfAFile(t *testing.T) {
	file, dir := publish(t, 2)
	e := newExporter(t, Config{Dir: dir})
	w := get(e, http.MethodGet)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", w.Header().Get("Content-Type"))
	p := mustParse(t, w.Body.Bytes())
	pid := fmt.Sprint(os.Getpid())
	require.Equal(t, 13.0, p.find(t, "boomnet_endpoint_counter_13_total", "endpoint", "endpoint-1", "reactor", "md", "process", "feed", "pid", pid))
	require.Equal(t, 1.0, p.find(t, "boomnet_exporter_processes"))
	require.Equal(t, 0.0, p.find(t, "boomnet_exporter_unreadable_files"))
	require.InDelta(t, float64(time.Now().Unix()), p.find(t, "boomnet_process_start_time_seconds", "process", "feed"), 600)

	// What is new, and what has changed, is in the next scrape; what has gone is not.
	late := file.NewBlock("book", "btcusdt", "feed")
	gaps := late.Counter("gaps", "gaps", "missed")
	gaps.Add(7)
	p = mustParse(t, get(e, http.MethodGet).Body.Bytes())
	require.Equal(t, 7.0, p.find(t, "boomnet_book_gaps_total", "name", "btcusdt", "parent", "feed"))
	gaps.Add(1)
	p = mustParse(t, get(e, http.MethodGet).Body.Bytes())
	require.Equal(t, 8.0, p.find(t, "boomnet_book_gaps_total"))
	late.Free()
	require.NotContains(t, get(e, http.MethodGet).Body.String(), "boomnet_book")

	// By what was chosen.
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Dir: dir, PIDs: []int{os.Getpid()}}, "boomnet_exporter_processes 1\n"},
		{Config{Dir: dir, PIDs: []int{1}}, "boomnet_exporter_processes 0\n"},
		{Config{File: file.Path()}, "boomnet_exporter_processes 1\n"},
		{Config{File: filepath.Join(dir, "1.stats")}, "boomnet_exporter_processes 0\n"},
		{Config{Dir: filepath.Join(dir, "none")}, "boomnet_exporter_processes 0\n"},
	} {
		var out strings.Builder
		require.NoError(t, newExporter(t, c.cfg).Write(&out))
		require.Contains(t, out.String(), c.want, "%+v", c.cfg)
	}
}

func TestFormats(t *testing.T) {
	_, dir := publish(t, 1)
	e := newExporter(t, Config{Dir: dir})
	// What Prometheus 3 sends.
	w := get(e, http.MethodGet, "Accept", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
		"Accept-Encoding", "gzip")
	require.Equal(t, "application/openmetrics-text; version=1.0.0; charset=utf-8", w.Header().Get("Content-Type"))
	require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
	require.Equal(t, fmt.Sprint(w.Body.Len()), w.Header().Get("Content-Length"))
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	text, err := io.ReadAll(z)
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(text), "# EOF\n"))

	w = get(e, http.MethodGet, "Accept", "application/openmetrics-text;q=0, text/plain", "Accept-Encoding", "gzip;q=0")
	require.Empty(t, w.Header().Get("Content-Encoding"))
	mustParse(t, w.Body.Bytes())

	w = get(e, http.MethodPost)
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
	require.Equal(t, http.StatusOK, get(e, http.MethodHead).Code)
}

// A file that cannot be read is counted and said once; the others are shown.
func TestUnreadable(t *testing.T) {
	_, dir := publish(t, 1)
	bad := filepath.Join(dir, "77.stats")
	var said []error
	e := newExporter(t, Config{Dir: dir, Ended: true, Observer: func(err error) { said = append(said, err) }})
	require.NoError(t, os.WriteFile(bad, []byte("nonsense"), 0o600))
	for range 3 {
		p := mustParse(t, get(e, http.MethodGet).Body.Bytes())
		require.Equal(t, 1.0, p.find(t, "boomnet_exporter_unreadable_files"))
		require.Equal(t, 1.0, p.find(t, "boomnet_exporter_processes"))
	}
	require.Len(t, said, 1)
	require.ErrorIs(t, said[0], stats.ErrFormat)
	require.NoError(t, os.Remove(bad))
	p := mustParse(t, get(e, http.MethodGet).Body.Bytes())
	require.Equal(t, 0.0, p.find(t, "boomnet_exporter_unreadable_files"))
	require.NoError(t, os.WriteFile(bad, []byte("nonsense"), 0o600))
	get(e, http.MethodGet)
	require.Len(t, said, 2, "it was readable, or gone, between")

	// A directory that cannot be read at all fails the scrape.
	e = newExporter(t, Config{Dir: bad})
	w := get(e, http.MethodGet)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Contains(t, w.Body.String(), "not a directory")
	require.Error(t, e.Write(io.Discard))
}

// A process that has ended is left out, unless it is wanted.
func TestEnded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counters")
	file, err := stats.Create(stats.FileConfig{Dir: dir, Name: "was"})
	require.NoError(t, err)
	left, err := os.ReadFile(file.Path())
	require.NoError(t, err)
	e, all := newExporter(t, Config{Dir: dir}), newExporter(t, Config{Dir: dir, Ended: true})
	require.Contains(t, get(e, http.MethodGet).Body.String(), "boomnet_exporter_processes 1\n")
	require.NoError(t, file.Close())
	require.Contains(t, get(e, http.MethodGet).Body.String(), "boomnet_exporter_processes 0\n")

	// A copy that nobody has locked is what a process leaves that was killed.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "99.stats"), left, 0o600))
	require.Contains(t, get(e, http.MethodGet).Body.String(), "boomnet_exporter_processes 0\n")
	require.Contains(t, get(all, http.MethodGet).Body.String(), "boomnet_exporter_processes 1\n")
	// Two files of the same PID and name: containers may share a directory.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "99-2.stats"), left, 0o600))
	p := mustParse(t, get(all, http.MethodGet).Body.Bytes())
	require.Positive(t, p.find(t, "boomnet_process_start_time_seconds", "nth", "2"))
	require.Positive(t, p.find(t, "boomnet_process_file_size_bytes", "nth", "2"))
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg Config
		err string
	}{
		{Config{MaxSamples: -1}, "prometheus: MaxSamples -1 is negative"},
		{Config{File: "/tmp/x"}, `prometheus: File "/tmp/x" is no counters file: its name must end in .stats`},
	} {
		_, err := New(c.cfg)
		require.EqualError(t, err, c.err)
		require.PanicsWithError(t, c.err, func() { Handler(c.cfg) })
	}
	require.True(t, errors.Is(newExporter(t, Config{}).Close(), nil))
}

// A thousand endpoints with histograms.
func BenchmarkScrape(b *testing.B) {
	_, dir := publish(b, 1000)
	e := newExporter(b, Config{Dir: dir})
	b.ReportAllocs()
	for b.Loop() {
		out, err := e.scrape(false)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(out)))
	}
}
