package prometheus

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/stats"
)

// Types of families.
const (
	gauge     = "gauge"
	counter   = "counter"
	histogram = "histogram"
)

// family is all samples of a name, as text.
type family struct {
	name, kind, help string
	out              []byte
}

// cellID is what cells must have in common to be of the same families.
type cellID struct {
	block, name, unit string
	kind              stats.Kind
}

// cellFamilies are those that a kind of cell fills: at most four.
type cellFamilies struct {
	list    [4]*family
	per     float64
	buckets []bound
}

// scrape is one that is being made.
type scrape struct {
	buckets  []bound
	left     int // samples that may still come
	wall     int64
	cells    map[cellID]*cellFamilies // nil: the name is taken
	names    map[string]bool          // all that stand at the beginning of a line
	families []*family
	scratch  map[string][]byte // memory of families of the scrape before
	nth      map[string]int    // blocks with the same labels
	failed   map[string]bool

	processes          int
	tooMany, nameTaken int                    // cells left out
	value              stats.Value            // used again, with the memory of its histogram
	inBlock            map[*cellFamilies]bool // those that the block has filled already

	started, count, broken, leftOut, took *family
}

func newScrape(buckets []bound, limit int, scratch map[string][]byte) *scrape {
	s := &scrape{buckets: buckets, left: limit, scratch: scratch, wall: time.Now().UnixNano() - clock.Nano(),
		cells: make(map[cellID]*cellFamilies), names: make(map[string]bool), nth: make(map[string]int), failed: make(map[string]bool), inBlock: make(map[*cellFamilies]bool)}
	s.started = s.family("boomnet_process_start_time_seconds", gauge, "when the counters file was made, Unix time")
	s.count = s.family("boomnet_exporter_processes", gauge, "processes that this scrape shows")
	s.broken = s.family("boomnet_exporter_unreadable_files", gauge, "counters files that could not be read")
	s.leftOut = s.family("boomnet_exporter_cells_left_out", gauge, "cells that this scrape does not show: limit, more samples than are allowed; name, another cell has the name")
	s.took = s.family("boomnet_exporter_scrape_duration_seconds", gauge, "time that this scrape took to read and format")
	return s
}

// family adds one. It answers nil when the name is taken, as it stands in either of
// the formats.
func (s *scrape) family(name, kind, help string) *family {
	taken := []string{name}
	switch kind {
	case counter:
		taken = append(taken, strings.TrimSuffix(name, "_total"))
	case histogram:
		taken = append(taken, name+"_bucket", name+"_sum", name+"_count")
	}
	for _, n := range taken {
		if s.names[n] {
			return nil
		}
	}
	for _, n := range taken {
		s.names[n] = true
	}
	f := &family{name: name, kind: kind, help: help, out: s.scratch[name][:0]}
	s.families = append(s.families, f)
	return f
}

// add writes a sample; extra are labels behind those of the block.
func (f *family) add(suffix, labels, extra string, v float64) {
	b := append(append(f.out, f.name...), suffix...)
	if labels != "" || extra != "" {
		b = append(append(b, '{'), labels...)
		if labels != "" && extra != "" {
			b = append(b, ',')
		}
		b = append(append(b, extra...), '}')
	}
	f.out = append(appendNumber(append(b, ' '), v), '\n')
}

// process reads all blocks of a process.
func (s *scrape) process(p *process) error {
	blocks, err := p.view.Blocks()
	if err != nil {
		return err
	}
	pid := strconv.Itoa(p.PID)
	s.started.add("", s.distinct(labels(p.Name, pid, stats.ProcessBlock, "", ""), "\x00"), "", milli(float64(p.Started.UnixNano())/1e9))
	for i := range blocks {
		b := &blocks[i]
		l := s.block(p.Name, pid, b.Kind, b.Name, b.Parent)
		for j := range b.Cells {
			c := &b.Cells[j]
			d := c.Desc()
			f := s.of(b.Kind, &d)
			if f == nil {
				continue
			}
			switch err := c.Read(&s.value); {
			case errors.Is(err, stats.ErrFreed):
				continue // gone since Blocks
			case err != nil:
				return err
			}
			s.cell(f, l, b.Kind, &d, &s.value)
		}
	}
	s.processes++
	return nil
}

// block begins a block and returns its labels.
func (s *scrape) block(process, pid, kind, name, parent string) string {
	clear(s.inBlock)
	return s.distinct(labels(process, pid, kind, name, parent), kind)
}

// distinct is labels with the number of the block if there were such labels before.
func (s *scrape) distinct(labels, kind string) string {
	key := kind + "\x00" + labels
	s.nth[key]++
	if n := s.nth[key]; n > 1 {
		return string(appendLabel([]byte(labels), "nth", strconv.Itoa(n)))
	}
	return labels
}

// room reports whether as many samples as a cell may have are still allowed.
func (s *scrape) room(d *stats.Desc) bool {
	most := 1
	switch {
	case d.Kind == stats.KindHistogram:
		most = max(len(s.buckets), otherBuckets) + 4 // +Inf, sum, count, the largest
	case d.Kind == stats.KindErrors:
		most = 3*stats.MaxErrors + 1
	case isState(d):
		most = len(states) + 1
	}
	if most > s.left {
		s.tooMany++
		return false
	}
	s.left -= most
	return true
}

// of returns the families of a cell of the block begun last; nil when another cell
// has taken the name, or there is no room.
func (s *scrape) of(kind string, d *stats.Desc) *cellFamilies {
	if !s.room(d) { // before a family is made: their number has no other bound
		return nil
	}
	id := cellID{kind, d.Name, d.Unit, d.Kind}
	f, seen := s.cells[id]
	if !seen {
		f = s.newCell(kind, d)
		s.cells[id] = f
	}
	if f == nil || s.inBlock[f] {
		s.nameTaken++
		return nil
	}
	s.inBlock[f] = true
	return f
}

func (s *scrape) newCell(kind string, d *stats.Desc) *cellFamilies {
	base, u := baseName(kind, d.Name, d.Unit), unitOf(d.Unit)
	help := d.Help
	if d.Unit != "" && u == unitOf("") && !strings.Contains(d.Name+" "+help, d.Unit) {
		help += " (" + d.Unit + ")"
	}
	f := &cellFamilies{per: u.per}
	var want []*family // name, kind and help of what this cell fills
	switch {
	case d.Kind == stats.KindCounter:
		want = []*family{{name: base + "_total", kind: counter, help: help}}
	case isState(d):
		want = []*family{
			{name: base, kind: gauge, help: "1 for the state that it is in, 0 for the others"},
			{name: base + "_number", kind: gauge, help: help + ": " + strings.Join(states[:], ", ") + " from 0"}}
	case isSince(kind, d):
		want = []*family{{name: "boomnet_" + word(kind) + "_state_start_time_seconds", kind: gauge, help: "when the state began, Unix time"}}
	case d.Kind == stats.KindGauge:
		want = []*family{{name: base, kind: gauge, help: help}}
	case d.Kind == stats.KindHistogram:
		f.buckets = others(u)
		if d.Unit == "ns" {
			f.buckets = s.buckets
		}
		want = []*family{
			{name: base, kind: histogram, help: help},
			{name: baseName(kind, d.Name+"_max", d.Unit), kind: gauge, help: "the largest value: " + help}}
	case d.Kind == stats.KindText:
		want = []*family{{name: base + "_info", kind: gauge, help: help}}
	case d.Kind == stats.KindErrors:
		want = []*family{
			{name: base + "_total", kind: counter, help: help},
			{name: base + "_first_timestamp_seconds", kind: gauge, help: "when it was first seen, Unix time"},
			{name: base + "_last_timestamp_seconds", kind: gauge, help: "when it was last seen, Unix time"},
			{name: base + "_forgotten_total", kind: counter, help: "distinct texts that had to make room for younger ones"}}
	default:
		return nil // a kind that is not known here
	}
	for i, w := range want {
		if f.list[i] = s.family(w.name, w.kind, w.help); f.list[i] == nil {
			return nil
		}
	}
	return f
}

// cell writes what a cell holds.
func (s *scrape) cell(f *cellFamilies, l, kind string, d *stats.Desc, v *stats.Value) {
	first := f.list[0]
	switch {
	case d.Kind == stats.KindHistogram:
		counts, sum := cumulate(v.Histogram, f.buckets)
		for i, b := range f.buckets {
			first.add("_bucket", l, `le="`+b.label+`"`, float64(counts[i]))
		}
		n := float64(v.Histogram.Count())
		first.add("_bucket", l, `le="+Inf"`, n)
		first.add("_sum", l, "", sum/f.per)
		first.add("_count", l, "", n)
		f.list[1].add("", l, "", float64(v.Histogram.Max())/f.per)
	case d.Kind == stats.KindText:
		if v.Text != "" {
			first.add("", l, string(appendLabel(nil, "text", steady(v.Text))), 1)
		}
	case d.Kind == stats.KindErrors:
		s.errors(f, l, v)
	case isState(d):
		for i, name := range states {
			in := 0.0
			if v.Int == int64(i) {
				in = 1
			}
			first.add("", l, `state="`+name+`"`, in)
		}
		f.list[1].add("", l, "", float64(v.Int))
	case isSince(kind, d):
		first.add("", l, "", milli(float64(s.wall+v.Int)/1e9))
	default:
		first.add("", l, "", float64(v.Int)/f.per)
	}
}

// errors writes a log, by text: the order in which they were seen changes all the time.
func (s *scrape) errors(f *cellFamilies, l string, v *stats.Value) {
	slices.SortStableFunc(v.Errors, func(a, b stats.ErrorRecord) int { return cmp.Compare(a.Text, b.Text) })
	before := ""
	for i, r := range v.Errors {
		if i > 0 && r.Text == before {
			continue // a reader may meet a text in its old place and in its new one
		}
		before = r.Text
		text := string(appendLabel(nil, "text", r.Text))
		f.list[0].add("", l, text, float64(r.Count))
		f.list[1].add("", l, text, milli(float64(r.First.UnixNano())/1e9))
		f.list[2].add("", l, text, milli(float64(r.Last.UnixNano())/1e9))
	}
	f.list[3].add("", l, "", float64(v.Int))
}

// finish writes what there is to say of the scrape itself.
func (s *scrape) finish(took time.Duration) {
	s.count.add("", "", "", float64(s.processes))
	s.broken.add("", "", "", float64(len(s.failed)))
	s.leftOut.add("", "", `reason="limit"`, float64(s.tooMany))
	s.leftOut.add("", "", `reason="name"`, float64(s.nameTaken))
	s.took.add("", "", "", took.Seconds())
}

// memory is that of the families, for the next scrape.
func (s *scrape) memory() map[string][]byte {
	m := make(map[string][]byte, len(s.families))
	for _, f := range s.families {
		m[f.name] = f.out
	}
	return m
}

// text is all families by name, in one of the formats.
func (s *scrape) text(open bool) []byte {
	slices.SortFunc(s.families, func(a, b *family) int { return cmp.Compare(a.name, b.name) })
	size := 0
	for _, f := range s.families {
		size += len(f.out) + 2*len(f.name) + len(f.help) + 64
	}
	out := make([]byte, 0, size)
	for _, f := range s.families {
		if len(f.out) == 0 {
			continue
		}
		name := f.name
		if open && f.kind == counter {
			name = strings.TrimSuffix(name, "_total")
		}
		out = fmt.Appendf(out, "# HELP %s ", name)
		out = appendEscaped(out, f.help, open)
		out = fmt.Appendf(out, "\n# TYPE %s %s\n", name, f.kind)
		out = append(out, f.out...)
	}
	if open {
		out = append(out, "# EOF\n"...)
	}
	return out
}
