package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// errorsCmd is `boomctl errors`: what has gone wrong in running processes, each
// distinct error once.
type errorsCmd struct {
	PID []int `arg:"" optional:"" help:"Processes. Default: all of this user that publish counters."`

	Ended bool `help:"Also of processes that have ended and left their file behind, as those do that crash."`
	JSON  bool `name:"json" help:"Print a JSON object for each error."`
	countersDir
}

// Help is the long help.
func (*errorsCmd) Help() string {
	return `Errors of the same text are one, with how often it happened, when last and when first. Numbers and addresses are left out of the text, so that a port that changes makes no new error. Each reactor keeps the 48 that were seen last.

The JSON object of an error has pid, process, reactor, count, first, last, text, and ended if its process has. The one seen last comes first.`
}

func (*errorsCmd) about() about {
	return about{
		examples: []example{
			{"Of all processes, the one seen last first.", "boomctl errors"},
			{"What a process that has crashed left behind.", "boomctl errors --ended"},
			{"What has happened more than a hundred times.", "boomctl errors --json | jq -r 'select(.count > 100) | [.count, .reactor, .text] | @tsv'"},
		},
		environment: []entry{boomnetDir},
	}
}

// loggedError is an error for programs.
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

// Run prints what there is.
func (c *errorsCmd) Run() error {
	w := &observer{dir: c.path(), pids: c.PID, ended: c.Ended}
	defer w.close()
	s, err := w.first()
	if err != nil {
		return fmt.Errorf("errors: %w", err)
	}
	for _, err := range s.failed {
		fmt.Fprintf(os.Stderr, "boomctl: errors: %v\n", err)
	}
	if c.JSON {
		return writeErrorsJSON(os.Stdout, s)
	}
	out := canvas()
	if len(s.processes) == 0 {
		drawNoProcess(out, w.dir)
	} else {
		drawErrorLogs(out, s.errorLogs(), len(s.processes), s.at)
	}
	_, err = io.WriteString(os.Stdout, out.String())
	return err
}

// writeErrorsJSON writes a line for each error of all reactors.
func writeErrorsJSON(w io.Writer, s *sample) error {
	var list []loggedError
	for _, l := range s.errorLogs() {
		p := l.block.process
		for _, r := range l.records {
			list = append(list, loggedError{p.PID, p.Name, p.Stale, l.block.name, r.Count, r.First, r.Last, r.Text})
		}
	}
	slices.SortStableFunc(list, func(a, b loggedError) int { return b.Last.Compare(a.Last) })
	e := json.NewEncoder(w)
	for _, l := range list {
		if err := e.Encode(l); err != nil {
			return err
		}
	}
	return nil
}
