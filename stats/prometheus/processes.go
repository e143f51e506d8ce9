package prometheus

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// process is one whose file is mapped.
type process struct {
	stats.Process
	view *stats.View
}

// scrape reads everything and returns it as text.
func (e *Exporter) scrape(open bool) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	began := time.Now()
	s := newScrape(e.buckets, e.cfg.MaxSamples, e.scratch)
	if err := e.discover(s); err != nil {
		return nil, err
	}
	for _, p := range slices.Clone(e.list) {
		if err := s.process(p); err != nil {
			e.unreadable(s, p.Path, err)
			e.drop(p)
		}
	}
	for path := range e.said {
		if !s.failed[path] {
			delete(e.said, path)
		}
	}
	s.finish(time.Since(began))
	e.scratch = s.memory()
	return s.text(open), nil
}

// discover attaches to processes that are new and drops those that are gone.
func (e *Exporter) discover(s *scrape) error {
	dir := e.cfg.Dir
	if e.cfg.File != "" {
		dir = filepath.Dir(e.cfg.File)
	}
	found, err := stats.List(dir)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(p stats.Process) bool { return !e.wanted(p) })
	for _, p := range slices.Clone(e.list) {
		if !slices.ContainsFunc(found, func(f stats.Process) bool { return f.Path == p.Path && f.Started.Equal(p.Started) && f.Err == nil }) {
			e.drop(p)
		}
	}
	for _, f := range found {
		if f.Err != nil {
			e.unreadable(s, f.Path, f.Err)
			continue
		}
		if slices.ContainsFunc(e.list, func(p *process) bool { return p.Path == f.Path }) {
			continue
		}
		v, err := stats.Attach(f.Path)
		switch {
		case errors.Is(err, os.ErrNotExist): // it has ended meanwhile
		case err != nil:
			e.unreadable(s, f.Path, err)
		default:
			e.list = append(e.list, &process{f, v})
		}
	}
	slices.SortFunc(e.list, func(a, b *process) int {
		return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.Path, b.Path))
	})
	return nil
}

// wanted reports whether a file is to be shown. Whose it is is not known of one that
// cannot be read.
func (e *Exporter) wanted(p stats.Process) bool {
	switch {
	case p.Stale && !e.cfg.Ended:
		return false
	case e.cfg.File != "" && p.Path != filepath.Clean(e.cfg.File):
		return false
	}
	return p.Err != nil || len(e.cfg.PIDs) == 0 || slices.Contains(e.cfg.PIDs, p.PID)
}

func (e *Exporter) drop(p *process) {
	_ = p.view.Close()
	e.list = slices.DeleteFunc(e.list, func(x *process) bool { return x == p })
}

// unreadable counts a file that cannot be read, and tells the Observer what is new.
func (e *Exporter) unreadable(s *scrape, path string, err error) {
	s.failed[path] = true
	if e.cfg.Observer != nil && e.said[path] != err.Error() {
		e.cfg.Observer(err)
	}
	e.said[path] = err.Error()
}
