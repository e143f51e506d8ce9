package packaging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stats/prometheus"
)

// metric is a family, or with its suffix a series of a histogram, as Prometheus sees it.
type metric struct {
	kind, help string
	labels     []string // of any of its series
}

// demoLimit bounds the demo's life.
const demoLimit = 60 * time.Second

var scrapedDemo = sync.OnceValues(func() (map[string]metric, error) {
	dir, err := os.MkdirTemp("", "boomnet")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	return runDemo(dir)
})

// scrapeDemo is what a running `boomctl demo` exports, and a program with a ring, read
// by Prometheus's own parsers.
func scrapeDemo(t *testing.T) map[string]metric {
	t.Helper()
	found, err := scrapedDemo()
	require.NoError(t, err)
	return found
}

func runDemo(dir string) (map[string]metric, error) {
	ctx, cancel := context.WithTimeout(context.Background(), demoLimit)
	defer cancel()
	boomctl := filepath.Join(dir, "boomctl")
	if out, err := exec.CommandContext(ctx, "go", "build", "-C", "..", "-buildvcs=false", "-o", boomctl, "./cmd/boomctl").CombinedOutput(); err != nil {
		return nil, errors.New(string(out))
	}
	counters := filepath.Join(dir, "counters")
	demo := exec.CommandContext(ctx, boomctl, "demo", "--json", "--rate=200", "--faults", "--faults-every=200ms", "--idle=park(1ms)")
	demo.Env = append(os.Environ(), "BOOMNET_DIR="+counters)
	if err := demo.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = demo.Process.Signal(os.Interrupt)
		_ = demo.Wait()
	}()
	e, err := prometheus.New(prometheus.Config{Dir: counters})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	for !ready(e) {
		select {
		case <-ctx.Done():
			return nil, errors.New("the demo has had no error, or does not count")
		case <-time.After(50 * time.Millisecond):
		}
	}

	// The demo has no ring: one with the cells that a ring's block has.
	file, err := stats.Create(stats.FileConfig{Dir: counters, Name: "rings"})
	if err != nil {
		return nil, err
	}
	defer file.Close()
	ring := file.NewBlock(stats.RingBlock, "orders", "md")
	ring.Counter("offered", "entries", "")
	ring.Counter("refused", "entries", "")
	ring.Gauge("depth", "entries", "")
	ring.Gauge("high_water", "entries", "")
	return parseBoth(e)
}

// ready reports whether the demo counts, and has lost a connection.
func ready(e *prometheus.Exporter) bool {
	var out bytes.Buffer
	err := e.Write(&out)
	return err == nil && strings.Contains(out.String(), "boomnet_reactor_errors_total{") && strings.Contains(out.String(), "boomnet_endpoint_last_loss_info{")
}

// parseBoth reads both formats with the parsers of Prometheus; they must agree, and
// its linter have nothing to say.
func parseBoth(e *prometheus.Exporter) (map[string]metric, error) {
	var found [2]map[string]metric
	for i, accept := range []string{"text/plain", "application/openmetrics-text"} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		all, err := parsed(bytes.Clone(w.Body.Bytes()), w.Header().Get("Content-Type"))
		if err != nil {
			return nil, err
		}
		found[i] = all
		if i == 0 {
			if problems, err := promlint.New(w.Body).Lint(); err != nil || len(problems) > 0 {
				return nil, fmt.Errorf("promlint: %v %w", problems, err)
			}
		}
	}
	for name := range found[0] {
		if _, ok := found[1][name]; !ok {
			return nil, errors.New(name + " is not in OpenMetrics")
		}
	}
	if len(found[0]) != len(found[1]) {
		return nil, errors.New("OpenMetrics has more")
	}
	return found[0], nil
}

// parsed reads a scrape as Prometheus does.
func parsed(text []byte, contentType string) (map[string]metric, error) {
	p, err := textparse.New(text, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return nil, err
	}
	found, series := make(map[string]metric), make(map[string]bool)
	var kind, help string
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		switch entry {
		case textparse.EntryHelp:
			_, h := p.Help()
			help = string(h)
		case textparse.EntryType:
			_, t := p.Type()
			kind = string(t)
		case textparse.EntrySeries:
			var l labels.Labels
			p.Labels(&l)
			if series[l.String()] {
				return nil, errors.New("twice: " + l.String())
			}
			series[l.String()] = true
			m := metric{kind: kind, help: help}
			l.Range(func(l labels.Label) { m.labels = append(m.labels, l.Name) })
			m.labels = append(m.labels, found[l.Get("__name__")].labels...)
			m.labels = append(m.labels, "nth") // of blocks with the same names
			found[l.Get("__name__")] = m
		}
	}
}

// Prometheus's parsers read all that there is.
func TestPrometheusReadsIt(t *testing.T) {
	found := scrapeDemo(t)
	require.Equal(t, "counter", found["boomnet_reactor_turns_total"].kind)
	require.Equal(t, "histogram", found["boomnet_endpoint_receive_to_handler_seconds_bucket"].kind)
	require.Equal(t, "gauge", found["boomnet_endpoint_queue_bytes"].kind)
	require.Contains(t, found["boomnet_ring_depth"].labels, "ring")
	_, err := parsed([]byte("a{b=\"c} 1\n"), "text/plain; version=0.0.4")
	require.Error(t, err)
}
