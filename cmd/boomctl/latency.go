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

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// latencyCmd is `boomctl latency`: the histogram of a running endpoint, or of a
// whole reactor, as a table, a HdrHistogram log and a plot.
type latencyCmd struct {
	Name string `arg:"" optional:"" help:"Endpoint or reactor. Default: the only one that has a histogram; with several the error lists them."`

	PID       int           `name:"pid" placeholder:"PID" help:"Process. Default: any that has such a name."`
	Histogram string        `placeholder:"NAME" suggest:"receive_to_handler,wire_to_handler" help:"Which histogram, where there are several: receive_to_handler, wire_to_handler."`
	For       time.Duration `placeholder:"TIME" help:"Only what is counted in this time from now on. Default: all since the start."`
	Log       string        `placeholder:"FILE" help:"Write a HdrHistogram log, an interval a line: of --interval within --for."`
	Interval  time.Duration `default:"1s" placeholder:"TIME" help:"Of the log (default ${default})."`
	Plot      string        `placeholder:"FILE" help:"Write a plot by percentile: .svg, or .html with the table below it."`
	JSON      bool          `name:"json" help:"Print JSON: quantiles and buckets."`
	Dir       string        `placeholder:"DIR" help:"Where the counters files are. Default: where programs put them."`
}

// Help is the long help.
func (*latencyCmd) Help() string {
	return `receive_to_handler is the time from the end of a network read to the handler; wire_to_handler that from the kernel's receipt, where connections are stamped. Values are exact to 1/64.

The log is in nanoseconds, as HistogramLogProcessor and HdrHistogram's plotter take it. Without --for it has one interval: all since the start.`
}

func (*latencyCmd) about() about {
	return about{
		examples: []example{
			{"All since the start of an endpoint of boomctl demo.", "boomctl latency btcusdt"},
			{"Ten seconds from now on, as a log and as a plot.", "boomctl latency btcusdt --for 10s --log btcusdt.hlog --plot btcusdt.svg"},
		},
		environment: []entry{{"BOOMNET_DIR", "Where counters files are, for the programs and for boomctl."}},
	}
}

func (c *latencyCmd) Run() error {
	switch {
	case c.For < 0:
		return fmt.Errorf("latency: --for %v is negative", c.For)
	case c.Interval < minInterval || c.Interval > maxInterval:
		return fmt.Errorf("latency: --interval %v is not between %v and %v", c.Interval, minInterval, maxInterval)
	}
	if ext := filepath.Ext(c.Plot); c.Plot != "" && ext != ".svg" && ext != ".html" {
		return fmt.Errorf("latency: --plot %q: the name must end in .svg or .html", c.Plot)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var pids []int
	if c.PID != 0 {
		pids = []int{c.PID}
	}
	o := newObserver(c.Dir, pids)
	defer o.close()
	first, err := o.sample(time.Now(), nil)
	if err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	found, err := c.choose(first)
	if err != nil {
		return err
	}
	r := &latencyReport{name: found.block.name, process: found.block.process.Name, pid: found.block.process.PID,
		histogram: found.cell.desc.Name, help: found.cell.desc.Help}
	if err := c.collect(ctx, o, first, found, r); err != nil {
		return fmt.Errorf("latency: %w", err)
	}
	return c.output(r)
}

// foundHistogram is a histogram and the block that has it.
type foundHistogram struct {
	block *seenBlock
	cell  *seenCell
}

func (f foundHistogram) String() string {
	return fmt.Sprintf("%s %s of %s (%d), %s, %s values", f.block.kind, f.block.name, f.block.process.Name, f.block.process.PID,
		f.cell.desc.Name, term.Count(f.cell.now.Histogram.Count()))
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
			if (c.Name == "" || c.Name == b.name) && !taken && (cell.now.Histogram.Count() > 0 || c.Histogram != "") {
				taken = true
				named = append(named, f)
			}
		}
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(all) == 0:
		return foundHistogram{}, errors.New("latency: no process publishes a histogram here: see boomctl top")
	case len(named) == 0:
		return foundHistogram{}, fmt.Errorf("latency: nothing has counted a value that is named %q; there are:\n%s", c.Name, histogramLines(all))
	}
	return foundHistogram{}, fmt.Errorf("latency: several could be meant, say which by name, --pid and --histogram:\n%s", histogramLines(named))
}

// histogramLines is a line for each.
func histogramLines(found []foundHistogram) string {
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

// collect fills r, over --for or with what there is.
func (c *latencyCmd) collect(ctx context.Context, o *observer, s *sample, f foundHistogram, r *latencyReport) error {
	if c.For == 0 {
		r.from, r.to = f.block.process.Started, s.at
		r.total = *f.cell.now.Histogram
		r.intervals = []latencyInterval{{r.from, r.to.Sub(r.from), f.cell.now.Histogram}}
		return nil
	}
	r.from = s.at
	end := time.NewTimer(c.For)
	defer end.Stop()
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-end.C:
			last = true
		case <-tick.C:
		}
		next, err := o.sample(time.Now(), s)
		if err != nil {
			return err
		}
		if !slices.Contains(next.blocks, f.block) {
			return fmt.Errorf("%s %s has gone after %v", f.block.kind, f.block.name, next.at.Sub(r.from).Round(time.Millisecond))
		}
		h := new(stats.Snapshot)
		f.block.between(f.cell.desc.Name, false, h)
		r.intervals = append(r.intervals, latencyInterval{s.at, next.over, h})
		r.total.Merge(h)
		r.to, s = next.at, next
	}
	return nil
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
	width, _, ok := term.Size(os.Stdout)
	if !ok {
		width = 80
	}
	canvas := term.NewCanvas(width, term.Colour(os.Stdout))
	r.draw(canvas)
	_, err := io.WriteString(os.Stdout, canvas.String())
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
