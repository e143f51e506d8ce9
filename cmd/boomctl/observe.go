package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// observer reads the counters files of running processes again and again. The
// processes notice nothing of it. It goes on with what it can read: a process that
// ends is dropped, one that begins is taken on.
type observer struct {
	dir  string
	pids []int // empty: all
	list []*seenProcess
}

// seenProcess is a process that is being read.
type seenProcess struct {
	stats.Process
	view   *stats.View
	blocks map[blockKey]*seenBlock
	order  []*seenBlock
}

// blockKey tells the blocks of a process apart; nth counts those of equal names.
type blockKey struct {
	kind, name, parent string
	nth                int
}

// seenBlock is a block as it was at the last sample and at the one before.
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
	at     time.Time
	over   time.Duration // since the sample before; 0: this is the first
	number int
	blocks []*seenBlock
	ended  []stats.Process // processes that were there in the sample before
	failed []error         // files that cannot be read
}

func newObserver(dir string, pids []int) *observer { return &observer{dir: dir, pids: pids} }

// sample reads everything. prev is the sample before, nil for the first.
func (w *observer) sample(now time.Time, prev *sample) (*sample, error) {
	s := &sample{at: now, number: 1}
	if prev != nil {
		s.over, s.number = now.Sub(prev.at), prev.number+1
	}
	if err := w.discover(s); err != nil {
		return nil, err
	}
	for _, p := range slices.Clone(w.list) {
		switch err := p.read(s.number); {
		case err != nil:
			s.failed = append(s.failed, err)
			w.drop(p)
		default:
			s.blocks = append(s.blocks, p.order...)
		}
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
		if i := slices.IndexFunc(found, func(f stats.Process) bool { return f.Path == p.Path && f.Started.Equal(p.Started) }); i < 0 || found[i].Stale {
			s.ended = append(s.ended, p.Process)
			w.drop(p)
		}
	}
	for _, f := range found {
		if f.Err != nil {
			s.failed = append(s.failed, f.Err)
			continue
		}
		if f.Stale || len(w.pids) > 0 && !slices.Contains(w.pids, f.PID) ||
			slices.ContainsFunc(w.list, func(p *seenProcess) bool { return p.Path == f.Path }) {
			continue
		}
		v, err := stats.Attach(f.Path)
		if err != nil {
			s.failed = append(s.failed, err)
			continue
		}
		w.list = append(w.list, &seenProcess{Process: f, view: v, blocks: make(map[blockKey]*seenBlock)})
	}
	slices.SortFunc(w.list, func(a, b *seenProcess) int { return cmp.Compare(a.PID, b.PID) })
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
	nth := make(map[blockKey]int)
	for i := range views {
		v := &views[i]
		k := blockKey{v.Kind, v.Name, v.Parent, 0}
		k.nth, nth[k] = nth[k], nth[k]+1
		b := p.blocks[k]
		if b == nil {
			b = &seenBlock{kind: v.Kind, name: v.Name, parent: v.Parent, process: p, byName: make(map[string]*seenCell)}
			p.blocks[k] = b
		}
		b.seen = number
		if err := b.read(v.Cells); err != nil {
			return err
		}
		p.order = append(p.order, b)
	}
	for k, b := range p.blocks {
		if b.seen != number {
			delete(p.blocks, k)
		}
	}
	return nil
}

func (b *seenBlock) read(cells []stats.CellView) error {
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
			continue // gone since Blocks
		case err != nil:
			return fmt.Errorf("%s of %s: %w", d.Name, b.name, err)
		}
		c.samples++
		b.cells = append(b.cells, c)
	}
	return nil
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

// rate is how much a counter grew, a second; 0 before the second sample.
func (b *seenBlock) rate(name string, over time.Duration) float64 {
	c := b.byName[name]
	if c == nil || c.samples < 2 || over <= 0 {
		return 0
	}
	return max(float64(c.now.Int-c.before.Int), 0) / over.Seconds()
}

// between puts into s what a histogram counted since the sample before, or since
// it was made when all is set. It reports whether there is such a histogram.
func (b *seenBlock) between(name string, all bool, s *stats.Snapshot) bool {
	c := b.byName[name]
	if c == nil || c.now.Histogram == nil {
		return false
	}
	*s = *c.now.Histogram
	if !all && c.samples > 1 && c.before.Histogram != nil {
		s.Sub(c.before.Histogram)
	}
	return true
}
