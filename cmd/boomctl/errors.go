package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// errorsCmd is `boomctl errors`: what has gone wrong in running processes, each
// distinct error once.
type errorsCmd struct {
	PID []int `arg:"" optional:"" help:"Processes. Default: all of this user that publish counters."`

	Ended bool   `help:"Also of processes that have ended and left their file behind."`
	JSON  bool   `name:"json" help:"Print a JSON object for each error."`
	Dir   string `placeholder:"DIR" help:"Where the counters files are. Default: where programs put them."`
}

// Help is the long help.
func (*errorsCmd) Help() string {
	return `Errors of the same text are one, with how often it happened, when first and when last. Numbers and addresses are left out of the text, so that a port that changes makes no new error. Each reactor keeps the 48 that were seen last.`
}

func (*errorsCmd) about() about {
	return about{
		examples: []example{
			{"Of all processes, the one seen last first.", "boomctl errors"},
			{"What has happened more than a hundred times.", "boomctl errors --json | jq -r 'select(.count > 100) | [.count, .reactor, .text] | @tsv'"},
		},
		environment: []entry{{"BOOMNET_DIR", "Where counters files are, for the programs and for boomctl."}},
	}
}

// loggedError is a line of the output.
type loggedError struct {
	PID     int       `json:"pid"`
	Process string    `json:"process"`
	Ended   bool      `json:"ended,omitempty"`
	Reactor string    `json:"reactor"`
	Count   int64     `json:"count"`
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
	Text    string    `json:"text"`
}

func (c *errorsCmd) Run() error {
	list, processes, err := readErrors(c.Dir, c.PID, c.Ended)
	if err != nil {
		return fmt.Errorf("errors: %w", err)
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		for _, l := range list {
			if err := e.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	width, _, ok := term.Size(os.Stdout)
	if !ok {
		width = summaryWidth
	}
	canvas := term.NewCanvas(width, term.Colour(os.Stdout))
	drawErrorList(canvas, list, processes, time.Now())
	_, err = io.WriteString(os.Stdout, canvas.String())
	return err
}

// readErrors reads the error logs of all blocks, the error seen last first.
func readErrors(dir string, pids []int, ended bool) (list []loggedError, processes int, err error) {
	found, err := stats.List(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, pid := range pids {
		if !slices.ContainsFunc(found, func(p stats.Process) bool { return p.PID == pid && (ended || !p.Stale) }) {
			return nil, 0, fmt.Errorf("process %d publishes no counters here: it needs stats.Create, and to be a process of this user", pid)
		}
	}
	for _, p := range found {
		if p.Stale && !ended || len(pids) > 0 && !slices.Contains(pids, p.PID) {
			continue
		}
		errs, err := errorsOf(p)
		if err != nil {
			return nil, 0, err
		}
		processes++
		list = append(list, errs...)
	}
	slices.SortStableFunc(list, func(a, b loggedError) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Count, a.Count)) })
	return list, processes, nil
}

// errorsOf reads those of one process.
func errorsOf(p stats.Process) (list []loggedError, err error) {
	if p.Err != nil {
		return nil, p.Err
	}
	v, err := stats.Attach(p.Path)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	blocks, err := v.Blocks()
	if err != nil {
		return nil, err
	}
	var value stats.Value
	for i := range blocks {
		for j := range blocks[i].Cells {
			cell := &blocks[i].Cells[j]
			if cell.Desc().Kind != stats.KindErrors || cell.Read(&value) != nil {
				continue // it was freed meanwhile
			}
			for _, e := range value.Errors {
				list = append(list, loggedError{p.PID, p.Name, p.Stale, blocks[i].Name, e.Count, e.First, e.Last, e.Text})
			}
		}
	}
	return list, nil
}

func drawErrorList(c *term.Canvas, list []loggedError, processes int, now time.Time) {
	if len(list) == 0 {
		c.Put(term.Plain, " No errors in "+howMany(processes, "process", "processes")+".").End()
		return
	}
	c.Right(term.Dim, 9, "count").Right(term.Dim, 12, "first").Right(term.Dim, 12, "last").Put(term.Plain, "  ").
		Left(term.Dim, 22, "reactor (pid)").Put(term.Dim, "text").End()
	for _, e := range list {
		c.Right(term.Yellow, 9, term.Count(e.Count)).Right(term.Plain, 12, timeAgo(now, e.First)).Right(term.Plain, 12, timeAgo(now, e.Last)).Put(term.Plain, "  ").
			Left(term.Plain, 22, fmt.Sprintf("%s (%d)", e.Reactor, e.PID)).Put(term.Plain, e.Text).End()
	}
}
