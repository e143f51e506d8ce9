package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/boomnet-go/boomnet/bench/harness"
	"github.com/boomnet-go/boomnet/bench/meter"
)

// of is the median over the runs that did not fail.
func (r *row) of(figure func(*meter.Recorded) float64) float64 {
	var v []float64
	for i := range r.runs {
		if r.runs[i].failed == "" {
			v = append(v, figure(&r.runs[i].Recorded))
		}
	}
	return harness.Median(v)
}

// lost is how many records of how many runs did not come into a file, and whether all
// that was received is accounted for.
func (r *row) lost() (ring, unwritten uint64, accounted bool) {
	accounted = true
	for _, o := range r.runs {
		ring += o.LostRecords
		unwritten += o.Unwritten
		accounted = accounted && (o.failed != "" || o.Accounted)
	}
	return ring, unwritten, accounted
}

// print writes the table and what is to be said of its rows.
func (t *table) print(w io.Writer, c config) error {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	spread := math.Abs(harness.Median(t.rows[1].ratios) - 1)
	p("\n%s; A/A spread of the base %.1f %%\n", t.transport, 100*spread)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tab, "\treactor ns/msg\tratio to off\tlowest–highest\treactor busy %\tothers ns/msg\tMB/s\tmsgs/read\tallocs\tlost in ring\tunwritten\tMB on disk\t")
	for _, r := range t.rows {
		if len(r.ratios) == 0 {
			fmt.Fprintf(tab, "%s\tfailed\t\n", r.name)
			continue
		}
		ring, unwritten, _ := r.lost()
		fmt.Fprintf(tab, "%s\t%.1f\t%.3f\t%.3f–%.3f\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\t%d\t%d\t%.1f\t\n", r.name,
			r.of(func(m *meter.Recorded) float64 { return m.Reactor }),
			harness.Median(r.ratios), slices.Min(r.ratios), slices.Max(r.ratios),
			100*r.of(func(m *meter.Recorded) float64 { return m.Busy }),
			r.of(func(m *meter.Recorded) float64 { return m.Others }),
			r.of(func(m *meter.Recorded) float64 { return m.Rate }),
			r.of(func(m *meter.Recorded) float64 { return m.Reads }),
			r.of(func(m *meter.Recorded) float64 { return float64(m.Allocs) }),
			ring, unwritten,
			r.of(func(m *meter.Recorded) float64 { return float64(m.Written) / 1e6 }))
	}
	if err := tab.Flush(); err != nil {
		return err
	}
	for _, r := range t.rows {
		if said := r.verdict(t.rows[0], spread, c); said != "" {
			p("%s: %s\n", r.name, said)
		}
		for round, o := range r.runs {
			if o.failed != "" {
				p("FAILED %s, round %d: %s\n", r.name, round+1, o.failed)
			}
		}
	}
	return nil
}

// keptUp is the share of the rate below which a run says nothing of the rate asked for.
const keptUp = 0.97

// verdict says how a row stands to the bar.
func (r *row) verdict(base *row, spread float64, c config) string {
	if len(r.ratios) == 0 || r == base {
		return ""
	}
	if rate := r.of(func(m *meter.Recorded) float64 { return m.Rate }); rate < keptUp*c.rate() {
		return fmt.Sprintf("NOT PACED: %.0f MB/s of %.0f: this machine does not send or receive that much", rate, c.rate())
	}
	ring, unwritten, accounted := r.lost()
	switch {
	case !accounted:
		return "WRONG: what was recorded and what was said to be lost are not what was received"
	case r.bar && ring+unwritten > 0:
		return fmt.Sprintf("bar MISSED: %d records lost, counted: the writer did not keep up on this machine, and the ratio says nothing", ring+unwritten)
	case r.bar:
		count := func(m *meter.Recorded) float64 { return float64(m.Allocs) / float64(m.Messages) }
		allocs := r.of(count) - base.of(count)
		says := "met"
		if allocs > maxAllocs || harness.Median(r.ratios)-spread > c.bar {
			says = "MISSED"
		}
		return fmt.Sprintf("bar %s: %.1f %% more processor time a message (allowed %.0f %%, spread %.1f %%), %.4f allocations a message more, no record lost",
			says, 100*(harness.Median(r.ratios)-1), 100*(c.bar-1), 100*spread, max(allocs, 0))
	case r.name == "disk-slow":
		return fmt.Sprintf("%d records lost in the ring and said so in the recording, where each byte received is recorded or counted as lost", ring)
	case r.name == "disk-full":
		return fmt.Sprintf("%d records not written, counted; the feed kept its rate", unwritten)
	}
	return ""
}

// maxAllocs is how many allocations a message pass for none: files are begun now and
// then, and the runtime has a few of its own.
const maxAllocs = 0.001
