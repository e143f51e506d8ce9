package microbench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// The file format.
const (
	Format  = "boomnet-bench"
	Version = 1

	// MaxFile bounds a saved run, in bytes. One of 128 CPUs has about 2 MB.
	MaxFile = 32 << 20

	maxResults = 1 << 16
	maxRounds  = 1 << 10
	maxMarks   = 16
	maxText    = 1 << 10
)

// Errors of reading a saved run.
var (
	ErrNotARun = errors.New("microbench: not a saved run of boomctl bench")
	ErrVersion = errors.New("microbench: a saved run of another version")
	ErrCorrupt = errors.New("microbench: a saved run that contradicts itself")
	ErrTooLong = errors.New("microbench: too long for a saved run")
)

// Run is all of one run; JSON of it is the file format.
type Run struct {
	Format  string        `json:"format"`
	Version int           `json:"version"`
	Machine Machine       `json:"machine"`
	Time    time.Duration `json:"time_ns"` // for each case on each CPU
	Rounds  int           `json:"rounds"`  // asked for; results say how many they have
	Took    time.Duration `json:"took_ns"`
	Steal   float64       `json:"steal"` // the share of all CPU time meanwhile that the hypervisor kept
	Notes   []string      `json:"notes,omitempty"`
	Results []Result      `json:"results"`
}

// Write writes r as JSON.
func (r *Run) Write(w io.Writer) error {
	r.Format, r.Version = Format, Version
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// Read reads a saved run and checks it. Errors wrap [ErrNotARun], [ErrVersion],
// [ErrCorrupt] or [ErrTooLong], or are those of the reader. Fields that it does
// not know are left out.
func Read(from io.Reader) (*Run, error) {
	text, err := io.ReadAll(io.LimitReader(from, MaxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > MaxFile:
		return nil, fmt.Errorf("%w: over %d bytes", ErrTooLong, MaxFile)
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrNotARun)
	}
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotARun, err)
	}
	if head.Format != Format {
		return nil, fmt.Errorf("%w: its format is %q, not %q", ErrNotARun, clip(head.Format), Format)
	}
	if head.Version != Version {
		return nil, fmt.Errorf("%w: it has version %d, this program reads %d", ErrVersion, head.Version, Version)
	}
	r := new(Run)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return r, nil
}

func clip(s string) string { return s[:min(len(s), 40)] }

// check sees to what the rest of this package relies on.
func (r *Run) check() error {
	if len(r.Results) > maxResults {
		return fmt.Errorf("%d results, at most %d", len(r.Results), maxResults)
	}
	if r.Rounds < 0 || r.Time < 0 || r.Took < 0 || !isShare(r.Steal) || r.Machine.Load < 0 {
		return errors.New("negative numbers, or steal above 1")
	}
	seen := map[string]bool{}
	for i := range r.Results {
		if err := r.Results[i].check(); err != nil {
			return fmt.Errorf("result %d, %q: %w", i, clip(r.Results[i].Name), err)
		}
		if key := r.Results[i].key(); seen[key] {
			return fmt.Errorf("result %d: %s is there twice", i, key)
		} else {
			seen[key] = true
		}
	}
	return nil
}

func isShare(v float64) bool { return v >= 0 && v <= 1 }

func (r *Result) check() error {
	topic, what, _ := strings.Cut(r.Name, ".")
	switch {
	case topic == "" || what == "" || len(r.Name) > maxText:
		return errors.New("the name is not TOPIC.WHAT")
	case len(r.CPUs) < 1 || len(r.CPUs) > 2:
		return fmt.Errorf("%d CPUs, must be 1 or 2", len(r.CPUs))
	case r.Served && len(r.CPUs) < 2:
		return errors.New("it was served by no CPU")
	case len(r.Distance) > maxText:
		return fmt.Errorf("a distance of %d bytes, at most %d", len(r.Distance), maxText)
	case len(r.Rounds) > maxRounds:
		return fmt.Errorf("%d rounds, at most %d", len(r.Rounds), maxRounds)
	case len(r.Marks) > maxMarks:
		return fmt.Errorf("%d marks, at most %d", len(r.Marks), maxMarks)
	case len(r.Failed) > maxText:
		return fmt.Errorf("a reason of %d bytes, at most %d", len(r.Failed), maxText)
	case r.Samples < 0 || r.Batch < 0:
		return errors.New("negative numbers")
	case r.Failed == "" && (r.Samples == 0 || len(r.Rounds) == 0):
		return errors.New("neither samples nor a reason why there are none")
	}
	for _, m := range r.Marks {
		if m.Kind == "" || len(m.Kind) > maxText || m.Text == "" || len(m.Text) > maxText || !isShare(m.Share) {
			return fmt.Errorf("a mark %q without a kind, a text of 1 to %d bytes, or a share of 0 to 1", clip(string(m.Kind)), maxText)
		}
	}
	for _, cpu := range r.CPUs {
		if cpu < 0 || cpu >= affinity.MaxCPUs {
			return fmt.Errorf("CPU %d, must be 0 to %d", cpu, affinity.MaxCPUs-1)
		}
	}
	figures := []float64{0, r.Min, r.Median, r.P99, r.Max, math.MaxFloat64}
	if !slices.IsSorted(figures) || r.MAD < 0 {
		return errors.New("0, min, median, p99, max are not in order, or the deviation is negative")
	}
	for _, v := range r.Rounds {
		if v < r.Min || v > r.Max {
			return fmt.Errorf("a round of %g ns is not between %g and %g", v, r.Min, r.Max)
		}
	}
	return nil
}
