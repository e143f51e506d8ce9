package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/internal/microbench/cases"
	"github.com/boomnet-go/boomnet/internal/term"
)

// benchCmd is `boomctl bench`: what the parts of a reactor's turn cost here. It
// measures with internal/microbench, draws in bench_table.go and bench_compare.go.
type benchCmd struct {
	Files []string `arg:"" optional:"" name:"file" placeholder:"FILE" help:"A saved run to show, - for standard input; with --compare two, the earlier one first."`

	Compare bool `help:"Compare two saved runs."`
	Fail    bool `name:"fail-if-slower" help:"With --compare: exit status 1 if anything is slower beyond the spread."`

	Cores affinity.Set  `placeholder:"LIST" help:"Measure on these CPUs, such as 2-3,8. Default: all that this process may use."`
	Only  []string      `placeholder:"NAMES" suggest:"clock,line,ring,syscall,loopback,timer,frame,mask,utf8,stats" help:"Only these, topics or names, * for anything: clock,loopback.epoll*."`
	Time  time.Duration `placeholder:"TIME" help:"How long each is measured on each CPU, 1ms to 1m. Default: so that all of it takes half a minute, but at least 20ms, so that 128 CPUs take two minutes; at most 300ms."`
	List  bool          `help:"Say what there is to measure, and measure nothing."`
	Each  bool          `help:"A line for each CPU, and each pair, also where they agree."`
	JSON  bool          `name:"json" help:"Print JSON, which is what a saved run is."`
	Save  string        `placeholder:"FILE" help:"Write JSON there too."`
}

// Help is the long help.
func (*benchCmd) Help() string {
	return `Each benchmark runs on a thread that is pinned to the CPU it is named with; the mask is read back before and after. All are measured in seven rounds, one after the other, and each round starts anew. A sample is the time of a batch, for what is short, or of one operation.

median, p99: of all samples; the p99 of batches is that of one into which an interrupt fell. spread: half of what the medians of the rounds are apart. Bars end at the median, lines at the 99th percentile. CPUs whose figures agree within the spread, or 5 %, share a line, which then has the median of the medians, the largest p99 and the largest spread. A letter behind a figure is explained below the table: it says that the CPU was shared or taken away meanwhile, or what else there is to know.

loopback and the pairs have their other side on the nearest other core. Of more than 12 CPUs not all pairs are measured; a line says which.

With --compare slower and faster are said only if every round of one run is above every round of the other and the medians differ by 2 % or more; noise: they do not; unsure: one was disturbed. One pair of runs cannot tell what differs between runs as a whole, a neighbour who came, a kernel that was set up anew: make two of each.`
}

func (*benchCmd) about() about {
	return about{
		examples: []example{
			{"All of it, on every CPU, in half a minute.", "boomctl bench"},
			{"What there is, and some of it on two cores that reactors are to have.", "boomctl bench --list\nboomctl bench --only clock,loopback,line --cores 2-3"},
			{"What a change to the machine did.", "boomctl bench --save before.json\nboomctl bench --save after.json\nboomctl bench --compare before.json after.json"},
			{"The slowest CPU for a round trip.", "boomctl bench --only loopback.epoll --json | jq -r '.results | max_by(.median).cpus[0]'"},
		},
		statuses: []entry{
			{"0", "Success; what could not be measured is in the table."},
			{"1", "It failed; or, with --fail-if-slower, something is slower."},
			{"2", "The command line is wrong."},
		},
	}
}

// Limits of --time.
const (
	minBenchTime = time.Millisecond
	maxBenchTime = time.Minute
)

// Validate is called by kong: what contradicts itself is a wrong command line.
func (c *benchCmd) Validate() error {
	measuring := c.List || c.Cores != (affinity.Set{}) || c.Time != 0 || c.Save != ""
	switch {
	case c.Compare && len(c.Files) != 2:
		return fmt.Errorf("--compare takes two files, not %d", len(c.Files))
	case !c.Compare && len(c.Files) > 1:
		return fmt.Errorf("one saved run can be shown, not %d; --compare compares two", len(c.Files))
	case c.Fail && !c.Compare:
		return errors.New("--fail-if-slower goes with --compare")
	case len(c.Files) > 0 && measuring:
		return errors.New("saved runs are not measured: --list, --cores, --time and --save do not go with them")
	case c.Time != 0 && (c.Time < minBenchTime || c.Time > maxBenchTime):
		return fmt.Errorf("--time %v: must be %v to %v", c.Time, minBenchTime, maxBenchTime)
	case len(c.Files) == 0: // a saved run may have what is not there any more
		if _, err := microbench.Select(cases.All(), c.Only); err != nil {
			return fmt.Errorf("--only: %w", err)
		}
	}
	return nil
}

// Run is called by kong.
func (c *benchCmd) Run() error {
	switch {
	case c.Compare:
		return c.compare()
	case len(c.Files) == 1:
		run, err := readRun(c.Files[0])
		if err != nil {
			return err
		}
		if err := c.keep(run); err != nil {
			return err
		}
		return c.show(run)
	}
	chosen, err := microbench.Select(cases.All(), c.Only)
	if err != nil {
		return err
	}
	if c.List {
		return c.list(chosen)
	}
	return c.measure(chosen)
}

// readRun reads a saved run.
func readRun(path string) (*microbench.Run, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		defer f.Close()
	}
	run, err := microbench.Read(f)
	if err != nil {
		return nil, fmt.Errorf("bench: %s: %w", path, err)
	}
	return run, nil
}

// keep keeps the results that --only asks for.
func (c *benchCmd) keep(run *microbench.Run) error {
	var some []microbench.Result
	for i := range run.Results {
		if run.Results[i].Matches(c.Only) {
			some = append(some, run.Results[i])
		}
	}
	if len(some) == 0 {
		return fmt.Errorf("bench: there are no results of %s", strings.Join(append([]string{}, c.Only...), ","))
	}
	run.Results = some
	return nil
}

// show draws or prints a run.
func (c *benchCmd) show(run *microbench.Run) error {
	if c.JSON {
		return run.Write(os.Stdout)
	}
	out := canvas()
	drawBench(out, run, c.Each)
	_, err := os.Stdout.WriteString(out.String())
	return err
}

// list says what there is.
func (c *benchCmd) list(all []microbench.Case) error {
	if c.JSON {
		type listed struct {
			Name string `json:"name"`
			What string `json:"what"`
		}
		names := make([]listed, 0, len(all))
		for i := range all {
			names = append(names, listed{all[i].Name, all[i].What})
		}
		return printJSON(names)
	}
	out := canvas()
	width := 0
	for i := range all {
		width = max(width, utf8.RuneCountInString(all[i].Name))
	}
	for i := range all {
		for j, text := range wrap(all[i].What, out.Width()-width-2) {
			name := all[i].Name
			if j > 0 {
				name = ""
			}
			out.Left(term.Bold, width+2, name).Put(term.Plain, text).End()
		}
	}
	_, err := os.Stdout.WriteString(out.String())
	return err
}

// measure runs the cases chosen, and shows what came of them.
func (c *benchCmd) measure(chosen []microbench.Case) error {
	topology := affinity.Local()
	cpus := c.Cores
	if cpus == (affinity.Set{}) {
		cpus = topology.Process.Allowed.And(topology.Online())
	}
	if cpus.And(topology.Process.Allowed) == (affinity.Set{}) {
		return fmt.Errorf("bench: --cores %s: this process may use %s", cpus, some(topology.Process.Allowed))
	}
	save, err := newSaveFile(c.Save)
	if err != nil {
		return err
	}
	defer save.discard()
	if err := prepareBench(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r := &microbench.Runner{
		Plan:    microbench.NewPlan(chosen, topology, cpus.CPUs()),
		Machine: benchMachine(topology),
		Time:    c.Time,
	}
	done := func() {}
	if width, _, ok := term.Size(os.Stderr); ok {
		r.Progress, done = progressLine(os.Stderr, width)
	}
	run := r.Run(ctx)
	done()
	if err := save.commit(run); err != nil {
		return err
	}
	return c.show(run)
}

// progressLine shows how far a run is in one line of w, which done clears.
func progressLine(w io.Writer, width int) (show func(done, all int, next string, left time.Duration), done func()) {
	last := ""
	show = func(done, all int, next string, left time.Duration) {
		text := fmt.Sprintf("%3d %%  %2.0f s left  %s", 100*done/max(all, 1), math.Ceil(left.Seconds()), next)
		if text = term.Clip(text, width-1); text != last {
			last = text
			fmt.Fprintf(w, "\r\x1b[K%s", text)
		}
	}
	return show, func() { fmt.Fprint(w, "\r\x1b[K") }
}

// benchMachine is what is known of this machine.
func benchMachine(topology *affinity.Topology) microbench.Machine {
	m := microbench.ReadMachine(os.DirFS("/"), topology)
	m.Started, m.Slack = time.Now().UTC().Truncate(time.Second), timerSlack()
	b := thisBuild()
	if m.Program = b.Version; b.Revision != nil {
		m.Program += " " + (*b.Revision)[:min(len(*b.Revision), 12)]
	}
	return m
}

// saveFile is where --save writes: beside the file, renamed to it at the end, so that
// what cannot be written is known at the start and an old file is never half a new one.
type saveFile struct {
	*os.File
	path string
}

func newSaveFile(path string) (*saveFile, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("bench: --save %s: it is a directory", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("bench: --save: %w", err)
	}
	return &saveFile{f, path}, nil
}

func (s *saveFile) commit(run *microbench.Run) error {
	if s == nil {
		return nil
	}
	err := run.Write(s)
	if e := s.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(s.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("bench: --save: %w", err)
	}
	return nil
}

// discard removes what was not committed.
func (s *saveFile) discard() {
	if s != nil {
		s.Close()
		os.Remove(s.Name())
	}
}
