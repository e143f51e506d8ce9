package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// latencyCmd is `boomctl latency`: the histogram of a running endpoint, or of a
// whole reactor, as a table, a HdrHistogram log and a plot.
type latencyCmd struct {
	Name string `arg:"" optional:"" help:"Endpoint or reactor. Default: the only one that has a histogram; with several the error lists them."`

	PID       int           `name:"pid" placeholder:"PID" help:"Process. Default: any that has such a name."`
	Reactor   string        `placeholder:"NAME" help:"Reactor of the endpoint, where several have one of that name."`
	Histogram string        `placeholder:"NAME" suggest:"receive_to_handler,wire_to_handler" help:"Which histogram, where there are several: receive_to_handler, wire_to_handler."`
	For       time.Duration `placeholder:"TIME" help:"Only what is counted in this time from now on. Default: all since the start."`
	Log       string        `placeholder:"FILE" help:"Write a HdrHistogram log, an interval a line: of --interval within --for."`
	Interval  time.Duration `default:"1s" placeholder:"TIME" help:"Of the log (default ${default})."`
	Plot      string        `placeholder:"FILE" help:"Write a plot by percentile: .svg, or .html with the table below it."`
	JSON      bool          `name:"json" help:"Print JSON: quantiles and buckets."`
	countersDir
}

// Help is the long help.
func (*latencyCmd) Help() string {
	return `receive_to_handler is the time from the end of a network read to the handler; wire_to_handler that from the kernel's receipt, where connections are stamped. Values are exact to 1/64.

With --for, Ctrl-C ends it early with what was counted until then, and so does the end of the process, with status 1.

The log is in nanoseconds, as HistogramLogProcessor and HdrHistogram's plotter take it. Without --for it has one interval: all since the start.`
}

func (*latencyCmd) about() about {
	return about{
		examples: []example{
			{"All since the start of an endpoint of boomctl demo.", "boomctl latency btcusdt"},
			{"Ten seconds from now on, as a log and as a plot.", "boomctl latency btcusdt --for 10s --log btcusdt.hlog --plot btcusdt.svg"},
		},
		environment: []entry{boomnetDir},
	}
}

// check refuses flags before anything is done.
func (c *latencyCmd) check() error {
	ext := filepath.Ext(c.Plot)
	switch {
	case c.For < 0:
		return fmt.Errorf("latency: --for %v is negative", c.For)
	case c.Interval < minInterval || c.Interval > maxInterval:
		return fmt.Errorf("latency: --interval %v is not between %v and %v", c.Interval, minInterval, maxInterval)
	case c.Plot != "" && ext != ".svg" && ext != ".html":
		return fmt.Errorf("latency: --plot %q: the name must end in .svg or .html", c.Plot)
	}
	return nil
}

// Run finds the histogram, waits for --for, and writes what was asked for.
func (c *latencyCmd) Run() error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	w := &observer{dir: c.path()}
	if c.PID != 0 {
		w.pids = []int{c.PID}
	}
	defer w.close()
	s, err := w.first()
	if err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	found, err := c.choose(s)
	if err != nil {
		return err
	}
	r, err := c.collect(ctx, w, s, found)
	if err != nil && r.total.Count() == 0 {
		return fmt.Errorf("latency: %w", err)
	}
	if err != nil {
		err = fmt.Errorf("latency: %w", err)
	}
	return errors.Join(c.output(r), err)
}

// foundHistogram is a histogram and the block that has it.
type foundHistogram struct {
	block *seenBlock
	cell  *seenCell
}

func (f foundHistogram) String() string {
	of := ""
	if f.block.parent != "" {
		of = " of " + f.block.parent
	}
	return fmt.Sprintf("%s %s%s in %s (%d), %s, %s", f.block.kind, f.block.name, of, f.block.process.Name, f.block.process.PID,
		f.cell.desc.Name, plural(int(f.cell.now.Histogram.Count()), "value"))
}

// choose finds the one histogram that is meant. Of several those that have
// counted something are preferred, and of a block the first.
func (c *latencyCmd) choose(s *sample) (foundHistogram, error) {
	var all, named []foundHistogram
	for _, b := range s.blocks {
		taken := false
		for _, cell := range b.cells {
			if cell.now.Histogram == nil || c.Histogram != "" && c.Histogram != cell.desc.Name {
				continue
			}
			f := foundHistogram{b, cell}
			all = append(all, f)
			if (c.Name == "" || c.Name == b.name) && (c.Reactor == "" || c.Reactor == b.parent) && !taken && (cell.now.Histogram.Count() > 0 || c.Histogram != "") {
				taken = true
				named = append(named, f)
			}
		}
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(all) == 0:
		return foundHistogram{}, fmt.Errorf("latency: no process publishes such a histogram in %s", c.path())
	case len(named) == 0:
		return foundHistogram{}, fmt.Errorf("latency: no histogram with values of that name: %q; there are:\n%s", c.Name, listHistograms(all))
	}
	return foundHistogram{}, fmt.Errorf("latency: several could be meant, say which by name, --pid, --reactor and --histogram:\n%s", listHistograms(named))
}

// listHistograms is a line for each.
func listHistograms(found []foundHistogram) string {
	const most = 40
	var lines []string
	for _, f := range found[:min(len(found), most)] {
		lines = append(lines, "  "+f.String())
	}
	if len(found) > most {
		lines = append(lines, fmt.Sprintf("  and %d more", len(found)-most))
	}
	return strings.Join(lines, "\n")
}

// latencyReport is what is told of a histogram.
type latencyReport struct {
	name, process, histogram, help string
	pid                            int
	from, to                       time.Time
	total                          stats.Snapshot
	intervals                      []latencyInterval
}

// latencyInterval is what was counted from start on.
type latencyInterval struct {
	start time.Time
	over  time.Duration
	h     *stats.Snapshot
}

// collect counts over --for, or takes what there is. When the endpoint goes before
// that, the report holds what was counted until then.
func (c *latencyCmd) collect(ctx context.Context, w *observer, s *sample, f foundHistogram) (*latencyReport, error) {
	p := f.block.process
	r := &latencyReport{name: f.block.name, process: p.Name, pid: p.PID, histogram: f.cell.desc.Name, help: f.cell.desc.Help, from: s.at, to: s.at}
	if c.For == 0 {
		r.from = p.Started
		r.add(r.from, s.at, f.cell.now.Histogram)
		return r, nil
	}
	for left := c.For; left > 0 && ctx.Err() == nil; left = time.Until(r.from.Add(c.For)) {
		select {
		case <-ctx.Done():
		case <-time.After(nextInterval(left, c.Interval)):
		}
		next, err := w.sample(time.Now(), s)
		if err != nil {
			return r, err
		}
		if !slices.Contains(next.blocks, f.block) {
			return r, fmt.Errorf("%s %s in %s (%d) has gone, less than %v after the beginning", f.block.kind, f.block.name, p.Name, p.PID, next.at.Sub(r.from).Round(time.Millisecond))
		}
		h := new(stats.Snapshot)
		f.block.between(f.cell.desc.Name, false, h)
		r.add(s.at, next.at, h)
		s = next
	}
	return r, nil
}

// nextInterval is how long the next interval is: the last one is between half as
// long and half longer than the others, so that there is none of next to nothing.
func nextInterval(left, interval time.Duration) time.Duration {
	if left < interval*3/2 {
		return left
	}
	return interval
}

// add adds an interval.
func (r *latencyReport) add(from, to time.Time, h *stats.Snapshot) {
	r.intervals = append(r.intervals, latencyInterval{from, to.Sub(from), h})
	r.total.Merge(h)
	r.to = to
}

// output writes files first, so that a table on the screen means that they are there.
func (c *latencyCmd) output(r *latencyReport) error {
	if c.Log != "" {
		if err := writeFile(c.Log, r.writeLog); err != nil {
			return fmt.Errorf("latency: --log: %w", err)
		}
	}
	if c.Plot != "" {
		write := r.writeSVG
		if filepath.Ext(c.Plot) == ".html" {
			write = r.writeHTML
		}
		if err := writeFile(c.Plot, write); err != nil {
			return fmt.Errorf("latency: --plot: %w", err)
		}
	}
	if c.JSON {
		return r.writeJSON(os.Stdout)
	}
	out := canvas()
	r.draw(out)
	_, err := io.WriteString(os.Stdout, out.String())
	return err
}

// writeFile writes a whole file or none.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
