package prometheus

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// Config says what is shown. The zero value is ready: all running processes of this
// user.
type Config struct {
	// Dir is where the counters files are. Default: stats.Dir().
	Dir string
	// File is the one counters file that is read, instead of those in Dir. It need
	// not be there yet.
	File string
	// PIDs are the only processes that are shown. Default: all.
	PIDs []int
	// Ended also shows processes that have ended and left their file behind.
	Ended bool
	// Buckets are the upper bounds of histograms in nanoseconds, ascending, 1 to MaxBuckets.
	// A bound that is no power of two in nanoseconds counts to within 1/64 below it.
	// Default: the powers of two from 256 ns to 8.6 s. Each is one sample more of each
	// histogram.
	Buckets []time.Duration
	// MaxSamples bounds a scrape: cells beyond it are left out, and
	// boomnet_exporter_cells_left_out counts them. A sample is a line of about 130 bytes;
	// an endpoint has about 60. Default DefaultSamples.
	MaxSamples int
	// Observer is told of a file that cannot be read, once as long as the reason
	// stays the same. It is called by the goroutine of a scrape, one at a time, and
	// must not call the Exporter.
	Observer func(error)
}

// Bounds and defaults of a Config.
const (
	DefaultSamples = 500_000
	MaxBuckets     = 256
)

// Exporter reads counters files, and writes them for Prometheus. Files stay mapped
// between scrapes, and memory of the size of a scrape is kept for the next. Any
// goroutine may use it; scrapes wait for each other.
type Exporter struct {
	cfg     Config
	buckets []bound

	mu      sync.Mutex
	list    []*process
	said    map[string]string // what the Observer knows, by path
	scratch map[string][]byte
}

// Handler returns an Exporter as a handler. It panics where New fails: when a
// field of cfg cannot be.
func Handler(cfg Config) http.Handler {
	e, err := New(cfg)
	if err != nil {
		panic(err)
	}
	return e
}

// New returns an Exporter. It reads nothing yet.
func New(cfg Config) (*Exporter, error) {
	buckets, err := bounds(cfg.Buckets)
	if err != nil {
		return nil, err
	}
	if cfg.MaxSamples < 0 {
		return nil, fmt.Errorf("prometheus: MaxSamples %d is negative", cfg.MaxSamples)
	}
	if cfg.File != "" && filepath.Ext(cfg.File) != ".stats" {
		return nil, fmt.Errorf("prometheus: File %q is no counters file: its name must end in .stats", cfg.File)
	}
	if cfg.MaxSamples == 0 {
		cfg.MaxSamples = DefaultSamples
	}
	if cfg.Dir == "" {
		cfg.Dir = stats.Dir()
	}
	cfg.PIDs, cfg.Buckets = slices.Clone(cfg.PIDs), nil
	return &Exporter{cfg: cfg, buckets: buckets, said: make(map[string]string)}, nil
}

// Write scrapes once and writes the text format, version 0.0.4. A file that cannot be
// read is no error; boomnet_exporter_unreadable_files counts it.
func (e *Exporter) Write(w io.Writer) error {
	out, err := e.scrape(false)
	if err != nil {
		return err
	}
	_, err = w.Write(out)
	return err
}

// Close lets go of files and memory. A scrape after it takes them again.
func (e *Exporter) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for len(e.list) > 0 {
		e.drop(e.list[0])
	}
	e.scratch = nil
	return nil
}

// Content types of the two formats.
const (
	plainText   = "text/plain; version=0.0.4; charset=utf-8"
	openMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8"
)

// ServeHTTP implements http.Handler. It answers GET and HEAD, with OpenMetrics and gzip
// to who asks for them.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "prometheus: only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	open := accepts(r.Header.Values("Accept"), "application/openmetrics-text")
	out, err := e.scrape(open)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", plainText)
	if open {
		h.Set("Content-Type", openMetrics)
	}
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept, Accept-Encoding")
	if accepts(r.Header.Values("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		out = compress(out)
	}
	h.Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out) // who has asked is gone when this fails
}

// accepts reports whether one of the values of a header names what, and not with a
// weight of 0.
func accepts(values []string, what string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			name, params, _ := strings.Cut(item, ";")
			if !strings.EqualFold(strings.TrimSpace(name), what) {
				continue
			}
			for p := range strings.SplitSeq(params, ";") {
				if weight, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
					f, err := strconv.ParseFloat(weight, 64)
					return err != nil || f > 0
				}
			}
			return true
		}
	}
	return false
}

func compress(text []byte) []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed) // a level that there is
	_, _ = z.Write(text)
	_ = z.Close() // a Buffer takes everything
	return b.Bytes()
}
