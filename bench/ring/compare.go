package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// program is one row of compare.
type program struct {
	name    string
	command []string // before the mode
	modes   []string
	ns      map[string][]float64 // by mode, one a round
}

// count is enough for a tenth of a second of most; a channel wakes a thread for
// each message of a round trip.
func count(name, mode string) string {
	switch {
	case mode == "oneway":
		return "4000000"
	case name == "chan":
		return "5000"
	}
	return "200000"
}

// bound ends a program that hangs.
const bound = time.Minute

func compare(w io.Writer, rounds int, cpus [2]int, extra []string) error {
	programs, err := contestants(cpus, extra)
	if err != nil {
		return err
	}
	if err := printLine(w, cpus); err != nil {
		return err
	}
	for round := range rounds {
		for i := range programs {
			p := &programs[(i+round)%len(programs)]
			for _, mode := range p.modes {
				l, err := p.run(mode)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", p.name, mode, err)
				}
				p.ns[mode] = append(p.ns[mode], l.NS)
			}
		}
	}
	summarize(w, programs)
	return printLine(w, cpus)
}

// contestants are the programs of others, then what this one can do.
func contestants(cpus [2]int, extra []string) ([]program, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []program
	for _, e := range extra {
		name, path, ok := strings.Cut(e, "=")
		if !ok {
			return nil, fmt.Errorf("%q: want NAME=PROGRAM", e)
		}
		all = append(all, program{name, []string{path}, []string{"oneway", "roundtrip"}, map[string][]float64{}})
	}
	for _, name := range order {
		modes := []string{"oneway"}
		if carriers[name].roundtrip != nil {
			modes = append(modes, "roundtrip")
		}
		own := []string{self, "-with", name, "-cpus", fmt.Sprintf("%d,%d", cpus[0], cpus[1])}
		all = append(all, program{name, own, modes, map[string][]float64{}})
	}
	return all, nil
}

func (p *program) run(mode string) (l line, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, p.command[0], append(slices.Clone(p.command[1:]), mode, count(p.name, mode))...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return l, fmt.Errorf("%w %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	if err := json.Unmarshal(out, &l); err != nil {
		return l, fmt.Errorf("its line %q: %w", out, err)
	}
	if l.NS <= 0 {
		return l, fmt.Errorf("its line %q tells no time", out)
	}
	return l, nil
}

// summarize prints the figures and the ratios to the first program.
func summarize(w io.Writer, programs []program) {
	for _, mode := range []string{"oneway", "roundtrip"} {
		base := programs[0].ns[mode]
		fmt.Fprintf(w, "\n%-16s %9s %9s   ratio to %s\n", mode+", ns", "best", "median", programs[0].name)
		for _, p := range programs {
			ns := p.ns[mode]
			if len(ns) == 0 {
				continue
			}
			ratios := make([]float64, len(ns))
			for i := range ns {
				ratios[i] = ns[i] / base[i]
			}
			fmt.Fprintf(w, "  %-14s %9.1f %9.1f   %5.2f (%.2f–%.2f)\n", p.name, slices.Min(ns), median(ns),
				median(ratios), slices.Min(ratios), slices.Max(ratios))
		}
	}
}

// median is the middle of v, the upper one of two.
func median(v []float64) float64 { return slices.Sorted(slices.Values(v))[len(v)/2] }
