package main

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/boomnet-go/boomnet/bench/harness"
)

// figure is what a kind of work is judged by.
func (r row) figure() float64 {
	if r.Mode == "flood" {
		return r.PerMsg
	}
	return r.P50
}

func unit(mode string) string {
	if mode == "flood" {
		return "ns a message"
	}
	return "p50 in µs"
}

// result is one client's standing in one kind of work.
type result struct {
	name                string
	best, median, ratio float64 // ratio: median of the ratios to the base within a round
	p99, cpu            float64 // best, median; 0: does not apply
	rounds              int
	lowest, highest     float64 // of the ratios
}

// summarize returns the clients in order of their medians, and the A/A spread:
// how far the base's second run was from its first. The base is clients[0], its
// second run clients[1].
func summarize(rows []row, mode string, clients []client) (results []result, spread float64) {
	base := map[int]float64{}
	for _, r := range rows {
		if string(r.Mode) == mode && r.Client == clients[0].name && r.Failed == "" {
			base[r.Round] = r.figure()
		}
	}
	for _, c := range clients {
		var figures, ratios, p99, cpu []float64
		for _, r := range rows {
			if string(r.Mode) != mode || r.Client != c.name || r.Failed != "" {
				continue
			}
			figures = append(figures, r.figure())
			if b := base[r.Round]; b > 0 {
				ratios = append(ratios, r.figure()/b)
			}
			if r.P99 > 0 {
				p99 = append(p99, r.P99)
			}
			if r.CPU > 0 {
				cpu = append(cpu, r.CPU)
			}
		}
		if len(figures) == 0 {
			continue
		}
		res := result{name: c.name, best: slices.Min(figures), median: harness.Median(figures), ratio: harness.Median(ratios), cpu: harness.Median(cpu), rounds: len(figures)}
		if len(p99) > 0 {
			res.p99 = slices.Min(p99)
		}
		if len(ratios) > 0 {
			res.lowest, res.highest = slices.Min(ratios), slices.Max(ratios)
		}
		if c.name == clients[1].name {
			spread = math.Abs(res.ratio - 1)
		}
		results = append(results, res)
	}
	slices.SortStableFunc(results, func(a, b result) int {
		switch {
		case a.median < b.median:
			return -1
		case a.median > b.median:
			return 1
		}
		return 0
	})
	return results, spread
}

// printSummary writes a table for each kind of work, then what failed.
func printSummary(w io.Writer, rows []row, clients []client) error {
	p := func(format string, args ...any) { fmt.Fprintf(w, format, args...) }
	for _, mode := range []string{"flood", "burst", "paced"} {
		results, spread := summarize(rows, mode, clients)
		if len(results) == 0 {
			continue
		}
		p("\n%s, %s; A/A spread of the base %.0f %%\n", mode, unit(mode), 100*spread)
		p("  %-18s %9s %9s %17s %9s %9s\n", "", "best", "median", "ratio to "+clients[0].name, "p99 best", "cpu ns/msg")
		for _, r := range results {
			p("  %-18s %9.2f %9.2f   %5.2f (%.2f–%.2f) %s %s\n", r.name, r.best, r.median, r.ratio, r.lowest, r.highest, cell(r.p99), cell(r.cpu))
		}
	}
	for _, r := range rows {
		if r.Failed != "" {
			p("FAILED %s, %s, round %d: %s\n", r.Client, r.Mode, r.Round+1, r.Failed)
		}
	}
	return nil
}

func cell(v float64) string {
	if v == 0 {
		return fmt.Sprintf("%9s", "–")
	}
	return fmt.Sprintf("%9.1f", v)
}
