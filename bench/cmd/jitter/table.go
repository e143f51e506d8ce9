package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// table prints a line for each run.
func table(w io.Writer, runs []*run) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "loop\tbusy %\tforced GC\tswitches/s\tworst round/s\tlongest µs\tunseen/s\tsignals/s\tothers/s\tlongest µs\tstop ms\tGC ms\t")
	for _, r := range runs {
		forced, stop, gc := "-", "-", "-"
		if r.stops > 0 {
			forced, stop, gc = r.stops.String(), millis(r.stopping), millis(r.slowest)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t", r.name, r.busy, forced)
		if r.failed != nil || r.rounds == 0 {
			fmt.Fprintln(t, "failed\t")
			continue
		}
		seconds := time.Duration(r.watched).Seconds()
		fmt.Fprintf(t, "%.2f\t%.2f\t%.1f\t%.2f\t%.2f\t%.1f\t%.1f\t%s\t%s\t\n",
			float64(r.switches.Count)/seconds, r.worst, float64(r.switches.Longest)/1e3, float64(r.unseen)/seconds, float64(r.signals)/seconds,
			float64(r.others.Count)/seconds, float64(r.others.Longest)/1e3, stop, gc)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range runs {
		if r.failed != nil {
			if _, err := fmt.Fprintf(w, "%s, %d %% busy: %v\n", r.name, r.busy, r.failed); err != nil {
				return err
			}
		}
	}
	return nil
}

func millis(ns int64) string { return fmt.Sprintf("%.2f", float64(ns)/1e6) }
