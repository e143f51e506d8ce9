package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/stats"
)

// countersDir is the flag of the commands that read counters files.
type countersDir struct {
	Dir string `placeholder:"DIR" help:"Where the counters files are. Default: where programs put them."`
}

func (d countersDir) path() string { return cmp.Or(d.Dir, stats.Dir()) }

// boomnetDir is the variable for it.
var boomnetDir = entry{"BOOMNET_DIR", "Where counters files are, for the programs and for boomctl."}

// observer reads the counters files of running processes again and again. The
// processes notice nothing of it. It goes on with what it can read: a process that
// ends is dropped, one that begins is taken on.
type observer struct {
	dir   string
	pids  []int // empty: all
	ended bool  // those, too, that have ended and left their file behind
	list  []*seenProcess
}

// seenProcess is a process that is being read.
type seenProcess struct {
	stats.Process
	view   *stats.View
	blocks map[uint64]*seenBlock // by BlockView.ID
	order  []*seenBlock
}

// seenBlock is a block as it was at the last sample and at the one before. It
// stays the same from sample to sample, and one of the same name that comes after
// it is another.
type seenBlock struct {
	kind, name, parent string
	process            *seenProcess
	cells              []*seenCell
	byName             map[string]*seenCell
	seen               int // the sample in which it was last there
}

type seenCell struct {
	desc        stats.Desc
	now, before stats.Value
	samples     int // how often it was read: from two on there is a before
}

// sample is what all processes had counted at one moment.
type sample struct {
	at        time.Time
	mono      int64         // the same moment on clock.Nano
	over      time.Duration // since the sample before; 0: this is the first
	number    int
	processes []*seenProcess
	blocks    []*seenBlock
	ended     []stats.Process // processes that were there in the sample before
	failed    []error         // files that cannot be read
}

// first is the first sample. It is an error when a process that was asked for by
// its PID has no counters.
func (w *observer) first() (*sample, error) {
	s, err := w.sample(time.Now(), nil)
	if err != nil {
		return nil, err
	}
	for _, pid := range w.pids {
		if !slices.ContainsFunc(w.list, func(p *seenProcess) bool { return p.PID == pid }) {
			return nil, errors.Join(append([]error{
				fmt.Errorf("process %d publishes no counters in %s: it needs stats.Create and reactor.Config.Counters, and to run as this user", pid, w.dir)},
				s.failed...)...)
		}
	}
	return s, nil
}

// sample reads everything. prev is the sample before, nil for the first.
func (w *observer) sample(now time.Time, prev *sample) (*sample, error) {
	s := &sample{at: now, mono: clock.Nano(), number: 1}
	if prev != nil {
		s.over, s.number = now.Sub(prev.at), prev.number+1
	}
	if err := w.discover(s); err != nil {
		return nil, err
	}
	for _, p := range slices.Clone(w.list) {
		if err := p.read(s.number); err != nil {
			s.failed = append(s.failed, err)
			w.drop(p)
			continue
		}
		s.processes = append(s.processes, p)
		s.blocks = append(s.blocks, p.order...)
	}
	return s, nil
}

// discover attaches to processes that are new and drops those that have ended.
func (w *observer) discover(s *sample) error {
	found, err := stats.List(w.dir)
	if err != nil {
		return err
	}
	for _, p := range slices.Clone(w.list) {
		i := slices.IndexFunc(found, func(f stats.Process) bool { return f.Path == p.Path && f.Started.Equal(p.Started) })
		if i < 0 || found[i].Stale && !w.ended {
			s.ended = append(s.ended, p.Process)
			w.drop(p)
		}
	}
	for _, f := range found {
		switch {
		case f.Stale && !w.ended, errors.Is(f.Err, fs.ErrNotExist): // nothing is left of it
			continue
		case f.Err != nil:
			s.failed = append(s.failed, f.Err)
			continue
		case len(w.pids) > 0 && !slices.Contains(w.pids, f.PID),
			slices.ContainsFunc(w.list, func(p *seenProcess) bool { return p.Path == f.Path }):
			continue
		}
		v, err := stats.Attach(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has just ended
			continue
		case err != nil:
			s.failed = append(s.failed, err)
			continue
		}
		w.list = append(w.list, &seenProcess{Process: f, view: v, blocks: make(map[uint64]*seenBlock)})
	}
	slices.SortStableFunc(w.list, func(a, b *seenProcess) int { return cmp.Compare(a.PID, b.PID) })
	return nil
}

func (w *observer) drop(p *seenProcess) {
	_ = p.view.Close()
	w.list = slices.DeleteFunc(w.list, func(x *seenProcess) bool { return x == p })
}

// close lets go of all files.
func (w *observer) close() {
	for _, p := range w.list {
		_ = p.view.Close()
	}
	w.list = nil
}

// read reads all blocks of p.
func (p *seenProcess) read(number int) error {
	views, err := p.view.Blocks()
	if err != nil {
		return err
	}
	p.order = p.order[:0]
	for i := range views {
		v := &views[i]
		b := p.blocks[v.ID]
		if b == nil {
			b = &seenBlock{kind: v.Kind, name: v.Name, parent: v.Parent, process: p, byName: make(map[string]*seenCell)}
			p.blocks[v.ID] = b
		}
		there, err := b.read(v.Cells)
		if err != nil {
			return err
		}
		if there {
			b.seen = number
			p.order = append(p.order, b)
		}
	}
	for id, b := range p.blocks {
		if b.seen != number {
			delete(p.blocks, id)
		}
	}
	return nil
}

// read reads the cells. It reports whether the block is still there: what one that
// goes meanwhile held is not of one moment.
func (b *seenBlock) read(cells []stats.CellView) (there bool, err error) {
	b.cells = b.cells[:0]
	for i := range cells {
		d := cells[i].Desc()
		c := b.byName[d.Name]
		if c == nil {
			c = new(seenCell)
			b.byName[d.Name] = c
		}
		c.desc = d
		c.now, c.before = c.before, c.now
		switch err := cells[i].Read(&c.now); {
		case errors.Is(err, stats.ErrFreed):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("%s of %s: %w", d.Name, b.name, err)
		}
		c.samples++
		b.cells = append(b.cells, c)
	}
	return true, nil
}

// value is a counter or gauge; 0 when the block has none of that name.
func (b *seenBlock) value(name string) int64 {
	if c := b.byName[name]; c != nil {
		return c.now.Int
	}
	return 0
}

// text is a text; "" when the block has none of that name.
func (b *seenBlock) text(name string) string {
	if c := b.byName[name]; c != nil {
		return c.now.Text
	}
	return ""
}

// rate is how much a counter grew, a second; 0 before the second sample, and when
// it was set back.
func (b *seenBlock) rate(name string, over time.Duration) float64 {
	c := b.byName[name]
	if c == nil || c.samples < 2 || over <= 0 {
		return 0
	}
	return max(float64(c.now.Int-c.before.Int), 0) / over.Seconds()
}

// between puts into s what a histogram counted since the sample before (nothing,
// when there is none), or since it was made when all is set. It reports whether
// there is such a histogram.
func (b *seenBlock) between(name string, all bool, s *stats.Snapshot) bool {
	c := b.byName[name]
	switch {
	case c == nil || c.now.Histogram == nil:
		return false
	case all:
		*s = *c.now.Histogram
	case c.samples < 2 || c.before.Histogram == nil:
		*s = stats.Snapshot{}
	default:
		*s = *c.now.Histogram
		s.Sub(c.before.Histogram)
	}
	return true
}
