package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// captureStatsCmd is `boomctl capture stats`.
type captureStatsCmd struct {
	captureFiles
	captureSpan
	TimeField []string `sep:"none" placeholder:"KEY:UNIT" help:"JSON field with the time of what a message tells of, and its unit, s, ms, us or ns since 1970, or mono for nanoseconds of CLOCK_MONOTONIC: E:ms. With ENDPOINT/ before it, of that endpoint. Repeatable."`
	Log       string   `placeholder:"FILE" help:"Write HdrHistogram logs of what is measured, an endpoint and histogram each: FILE, with -ENDPOINT-HISTOGRAM before its extension."`
	JSON      bool     `name:"json" help:"Print JSON."`
}

// Help is the long help.
func (*captureStatsCmd) Help() string {
	return `Of messages received, by endpoint: how many a second, a line of bars over time, the longest gap, the time from one message to the next, from the kernel's receipt to the read where connections were stamped, and, with --time-field, from the time in the message to the read. Clocks of two machines differ: the last is as good as both are.`
}

func (*captureStatsCmd) about() about {
	return about{examples: []example{
		{"Rates and gaps.", "boomctl capture stats feed.pcapng"},
		{"How old trades are when they are read.", "boomctl capture stats feed.pcapng --time-field E:ms"},
		{"Percentiles for a program.", "boomctl capture stats feed.pcapng --json | jq '.endpoints[].between.quantiles_ns'"},
	}}
}

// Run is called by kong.
func (c *captureStatsCmd) Run() error {
	var fields []recording.TimeField
	for _, text := range c.TimeField {
		f, err := recording.ParseTimeField(text)
		if err != nil {
			return fmt.Errorf("capture stats: --time-field: %w", err)
		}
		fields = append(fields, f)
	}
	ctx, stop := untilInterrupted()
	defer stop()
	rec, info, ended, err := c.openShown(ctx)
	if err != nil {
		return fmt.Errorf("capture stats: %w", err)
	}
	filter := &recording.Filter{Endpoints: c.Endpoint, Conns: c.Conn}
	if filter.From, filter.To, err = c.times(info.Start); err != nil {
		return fmt.Errorf("capture stats: %w", err)
	}
	measured, err := recording.Measure(rec, filter, fields)
	ended()
	if err != nil {
		err = fmt.Errorf("capture stats: %w", err)
	}
	if c.Log != "" && err == nil {
		err = c.writeLogs(measured)
	}
	if c.JSON {
		return errors.Join(writeStatsJSON(os.Stdout, measured), err)
	}
	out := canvas()
	drawCaptureStats(out, measured, len(fields) > 0)
	_, failed := io.WriteString(os.Stdout, out.String())
	return errors.Join(failed, err)
}

// seriesHistogram is a histogram of an endpoint.
type seriesHistogram struct {
	name, help string
	of         *stats.Histogram
}

func histogramsOf(s *recording.Series) []seriesHistogram {
	return []seriesHistogram{
		{"between", "from one message to the next", &s.Between},
		{"kernel_to_read", "from the kernel's receipt to the read", &s.Kernel},
		{"event_to_read", "from the time in the message to the read", &s.Event},
	}
}

// writeLogs writes a HdrHistogram log for each histogram that has values.
func (c *captureStatsCmd) writeLogs(all *recording.Stats) error {
	for _, s := range all.Series {
		for _, h := range histogramsOf(s) {
			r := &latencyReport{name: s.Endpoint, process: "recording", histogram: h.name, help: h.help, from: s.First}
			if r.add(s.First, s.Last, h.of.Snapshot()); r.total.Count() == 0 {
				continue
			}
			if err := writeFile(logName(c.Log, s.Endpoint, h.name), r.writeLog); err != nil {
				return fmt.Errorf("capture stats: --log: %w", err)
			}
		}
	}
	return nil
}

// logName is a name with parts before its extension, without what no file name has.
func logName(path string, parts ...string) string {
	ext := filepath.Ext(path)
	name := strings.TrimSuffix(path, ext)
	for _, p := range parts {
		name += "-" + strings.NewReplacer("/", "_", "\x00", "_").Replace(p)
	}
	return name + ext
}

// drawCaptureStats draws what was measured.
func drawCaptureStats(c *term.Canvas, all *recording.Stats, fields bool) {
	if len(all.Series) == 0 {
		c.Put(term.Plain, " no messages").End()
		return
	}
	for i, s := range all.Series {
		if i > 0 {
			c.End()
		}
		c.Put(term.Bold, " "+s.Endpoint).Put(term.Dim, fmt.Sprintf("  %s messages, %s in %s", term.Count(int64(s.Messages)),
			term.Bytes(s.Bytes), term.Duration(s.Last.Sub(s.First)))).End()
		c.Put(term.Dim, " first       ").Put(term.Plain, s.First.Format(timeLayout)).End()
		c.Put(term.Dim, " rate        ").Put(term.Plain, fmt.Sprintf("%s/s on average, %s in the busiest second", term.Rate(s.Rate()), term.Count(int64(s.Busiest)))).End()
		c.Put(term.Dim, " over time   ").Put(term.Cyan, sparkline(s.PerSecond, max(min(c.Width()-14, 64), 1))).End()
		c.Put(term.Dim, " size        ").Put(term.Plain, fmt.Sprintf("%s on average, %s at most; %s on the wire",
			term.Bytes(s.Bytes/int64(max(s.Messages, 1))), term.Bytes(int64(s.Largest)), term.Bytes(s.Wire))).End()
		if s.LongestGap > 0 {
			c.Put(term.Dim, " longest gap ").Put(term.Plain, term.Duration(s.LongestGap)+" from "+s.GapAt.Format(timeLayout)).End()
		}
		for _, h := range histogramsOf(s) {
			drawSeriesHistogram(c, h)
		}
		if fields && s.NoEvent > 0 {
			c.Put(term.Yellow, fmt.Sprintf(" %s messages without a time", term.Count(int64(s.NoEvent)))).End()
		}
		if s.Future > 0 {
			c.Put(term.Yellow, fmt.Sprintf(" %s messages have a time after the read: the clocks differ", term.Count(int64(s.Future)))).End()
		}
	}
}

func drawSeriesHistogram(c *term.Canvas, h seriesHistogram) {
	s := h.of.Snapshot()
	if s.Count() == 0 {
		return
	}
	c.End()
	c.Put(term.Dim, " "+h.help).End()
	for _, q := range []float64{.5, .9, .99, .999, 1} {
		c.Right(term.Dim, 6, quantileName(q)).Right(term.Bold, 9, nanos(s.ValueAtQuantile(q)))
	}
	c.End()
	drawBars(c, s)
}

// sparkline draws counts in at most width columns; each stands for the same number of
// seconds.
func sparkline(counts []uint32, width int) string {
	if len(counts) == 0 {
		return ""
	}
	columns := min(len(counts), width)
	sums := make([]uint64, columns)
	most := uint64(1)
	for i, n := range counts {
		at := i * columns / len(counts)
		sums[at] += uint64(n)
		most = max(most, sums[at])
	}
	bars := []rune("▁▂▃▄▅▆▇█")
	line := make([]rune, columns)
	for i, n := range sums {
		line[i] = ' '
		if n > 0 {
			line[i] = bars[(n*uint64(len(bars))-1)/most]
		}
	}
	return string(line)
}

// seriesJSON is an endpoint for programs.
type seriesJSON struct {
	Endpoint   string         `json:"endpoint"`
	Messages   uint64         `json:"messages"`
	Bytes      int64          `json:"bytes"`
	Wire       int64          `json:"wire"`
	Largest    int            `json:"largest"`
	First      time.Time      `json:"first"`
	Last       time.Time      `json:"last"`
	Rate       float64        `json:"messages_per_second"`
	Busiest    uint32         `json:"busiest_second"`
	LongestGap int64          `json:"longest_gap_ns"`
	GapAt      *time.Time     `json:"longest_gap_at,omitempty"`
	PerSecond  []uint32       `json:"per_second"`
	Between    *histogramJSON `json:"between,omitempty"`
	Kernel     *histogramJSON `json:"kernel_to_read,omitempty"`
	Event      *histogramJSON `json:"event_to_read,omitempty"`
	NoEvent    uint64         `json:"without_time,omitempty"`
	Future     uint64         `json:"time_after_read,omitempty"`
}

type histogramJSON struct {
	Count     int64            `json:"count"`
	Mean      float64          `json:"mean_ns"`
	Quantiles map[string]int64 `json:"quantiles_ns"`
}

func newHistogramJSON(h *stats.Histogram) *histogramJSON {
	s := h.Snapshot()
	if s.Count() == 0 {
		return nil
	}
	return &histogramJSON{s.Count(), s.Mean(), quantilesOf(s)}
}

func writeStatsJSON(w io.Writer, all *recording.Stats) error {
	told := struct {
		Start     time.Time    `json:"start"`
		End       time.Time    `json:"end"`
		Endpoints []seriesJSON `json:"endpoints"`
	}{all.Start, all.End, []seriesJSON{}}
	for _, s := range all.Series {
		j := seriesJSON{
			Endpoint: s.Endpoint, Messages: s.Messages, Bytes: s.Bytes, Wire: s.Wire, Largest: s.Largest, First: s.First, Last: s.Last,
			Rate: s.Rate(), Busiest: s.Busiest, LongestGap: int64(s.LongestGap), PerSecond: s.PerSecond,
			Between: newHistogramJSON(&s.Between), Kernel: newHistogramJSON(&s.Kernel), Event: newHistogramJSON(&s.Event),
			NoEvent: s.NoEvent, Future: s.Future,
		}
		if s.LongestGap > 0 {
			j.GapAt = &s.GapAt
		}
		told.Endpoints = append(told.Endpoints, j)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(told)
}
