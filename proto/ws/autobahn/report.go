package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// verdict is what the server says about a case: how the client behaved, and how
// the closing handshake went.
type verdict struct {
	Behavior      string `json:"behavior"`
	BehaviorClose string `json:"behaviorClose"`
}

// The verdicts of the suite. INFORMATIONAL is for cases that demand nothing.
const (
	ok            = "OK"
	informational = "INFORMATIONAL"
	nonStrict     = "NON-STRICT"
	unimplemented = "UNIMPLEMENTED"
	failed        = "FAILED"
)

var kinds = []string{ok, informational, nonStrict, unimplemented, failed}

// readIndex reads the server's index.json and returns agent's verdicts by case.
func readIndex(path, agent string) (map[string]verdict, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var index map[string]map[string]verdict
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return index[agent], nil
}

// table counts verdicts by group, which is what stands before a case's first dot.
type table struct {
	groups []string
	count  map[string]map[string]int // group, then kind
	bad    []string                  // cases that were not passed, and why
	cases  int
}

// tally judges cases: one that did not run, or did not close cleanly, has failed.
func tally(cases []string, verdicts map[string]verdict) *table {
	t := &table{count: make(map[string]map[string]int), cases: len(cases)}
	for _, c := range cases {
		v, ran := verdicts[c]
		kind, why := v.Behavior, ""
		switch {
		case !ran:
			kind, why = failed, " (not run)"
		case !slices.Contains(kinds, kind):
			kind, why = failed, " ("+v.Behavior+")"
		case kind != failed && v.BehaviorClose != ok && v.BehaviorClose != informational:
			kind, why = failed, " (close "+v.BehaviorClose+")"
		}
		group, _, _ := strings.Cut(c, ".")
		if t.count[group] == nil {
			t.groups = append(t.groups, group)
			t.count[group] = make(map[string]int)
		}
		t.count[group][kind]++
		if kind != ok && kind != informational {
			t.bad = append(t.bad, c+" "+kind+why)
		}
	}
	return t
}

// passed is the bar: some case ran, and all were passed strictly.
func (t *table) passed() bool { return t.cases > 0 && len(t.bad) == 0 }

func (t *table) print(w io.Writer, title string) error {
	fmt.Fprintln(w, title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, count func(kind string) int) {
		fmt.Fprintf(tw, "%s\t", name)
		for _, k := range kinds {
			fmt.Fprintf(tw, "%d\t", count(k))
		}
		fmt.Fprintln(tw)
	}
	fmt.Fprintf(tw, "group\t%s\t\n", strings.Join(kinds, "\t"))
	for _, g := range t.groups {
		line(g, func(kind string) int { return t.count[g][kind] })
	}
	line("all", func(kind string) (n int) {
		for _, g := range t.groups {
			n += t.count[g][kind]
		}
		return n
	})
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, b := range t.bad {
		fmt.Fprintln(w, b)
	}
	return nil
}
