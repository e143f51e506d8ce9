package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// reportQuantiles are the lines of the table.
var reportQuantiles = []float64{0, .5, .75, .9, .95, .99, .999, .9999, .99999, 1}

// draw draws the quantiles and how many values there are by powers of two.
func (r *latencyReport) draw(c *term.Canvas) {
	c.Put(term.Bold, " "+r.name).Put(term.Dim, fmt.Sprintf("  %s of %s (%d)", r.histogram, r.process, r.pid)).End()
	c.Put(term.Dim, " "+r.help).End()
	c.Put(term.Dim, fmt.Sprintf(" %s in %s, from %s", plural(int(r.total.Count()), "value"),
		term.Duration(r.to.Sub(r.from)), r.from.Format("2006-01-02 15:04:05.000"))).End()
	if r.total.Count() == 0 {
		return
	}
	c.End()
	for _, q := range reportQuantiles {
		c.Right(term.Dim, 12, quantileName(q)).Right(term.Bold, 12, nanos(r.total.ValueAtQuantile(q))).
			Right(term.Plain, 16, term.Count(above(&r.total, q))).Put(term.Dim, " above").End()
	}
	c.Right(term.Dim, 12, "mean").Right(term.Bold, 12, term.Duration(time.Duration(r.total.Mean()))).End()
	c.End()
	drawBars(c, &r.total)
}

func quantileName(q float64) string {
	switch q {
	case 0:
		return "min"
	case 1:
		return "max"
	}
	return "p" + strconv.FormatFloat(q*100, 'g', 8, 64)
}

// quantilesOf are the values of the quantiles of a report, by name.
func quantilesOf(s *stats.Snapshot) map[string]int64 {
	all := make(map[string]int64)
	for _, q := range reportQuantiles {
		all[quantileName(q)] = s.ValueAtQuantile(q)
	}
	return all
}

// above is how many values are larger than that of the quantile.
func above(s *stats.Snapshot, q float64) (n int64) {
	at := s.ValueAtQuantile(q)
	s.Each(func(low, _, count int64) {
		if low > at {
			n += count
		}
	})
	return n
}

// writeJSON writes quantiles and buckets.
func (r *latencyReport) writeJSON(w io.Writer) error {
	type bucket struct {
		Low   int64 `json:"low_ns"`
		High  int64 `json:"high_ns"`
		Count int64 `json:"count"`
	}
	buckets := []bucket{}
	r.total.Each(func(low, high, count int64) { buckets = append(buckets, bucket{low, high, count}) })
	return json.NewEncoder(w).Encode(struct {
		Name      string           `json:"name"`
		PID       int              `json:"pid"`
		Process   string           `json:"process"`
		Histogram string           `json:"histogram"`
		From      time.Time        `json:"from"`
		To        time.Time        `json:"to"`
		Count     int64            `json:"count"`
		Mean      float64          `json:"mean_ns"`
		Quantiles map[string]int64 `json:"quantiles_ns"`
		Buckets   []bucket         `json:"buckets"`
	}{r.name, r.pid, r.process, r.histogram, r.from, r.to, r.total.Count(), r.total.Mean(), quantilesOf(&r.total), buckets})
}

// hdr is a snapshot as a HdrHistogram with two significant digits, which is about
// the precision that it has. Each bucket counts as its highest value.
func hdr(s *stats.Snapshot) (*hdrhistogram.Histogram, error) {
	h := hdrhistogram.New(1, stats.MaxTracked, 2)
	var failed error
	s.Each(func(_, high, count int64) {
		if err := h.RecordValues(min(high, stats.MaxTracked), count); err != nil && failed == nil {
			failed = err
		}
	})
	return h, failed
}

// writeLog writes a HdrHistogram log.
func (r *latencyReport) writeLog(w io.Writer) error {
	l := hdrhistogram.NewHistogramLogWriter(w)
	start := r.from.UnixMilli()
	steps := []func() error{
		l.OutputLogFormatVersion,
		func() error { return l.OutputComment("[" + r.histogram + " of " + r.name + ", in ns]") },
		func() error { return l.OutputStartTime(start) },
		l.OutputLegend,
	}
	l.SetBaseTime(start)
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	for _, i := range r.intervals {
		h, err := hdr(i.h)
		if err != nil {
			return err
		}
		h.SetStartTimeMs(i.start.UnixMilli())
		h.SetEndTimeMs(i.start.Add(i.over).UnixMilli())
		if err := l.OutputIntervalHistogramWithLogOptions(h, nil); err != nil {
			return err
		}
	}
	return nil
}
