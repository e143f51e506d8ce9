package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// fakeReport is a report of intervals of a second with these values.
func fakeReport(intervals ...[]int64) *latencyReport {
	r := &latencyReport{name: "a<b>&\"c\"", process: "feedhandler", pid: 4242, histogram: "receive_to_handler", help: "from the end of a network read to the handler", from: fakeNow, to: fakeNow}
	for i, values := range intervals {
		var h stats.Histogram
		for _, v := range values {
			h.Record(v)
		}
		at := fakeNow.Add(time.Duration(i) * time.Second)
		r.add(at, at.Add(time.Second), h.Snapshot())
	}
	return r
}

// manyLatencies are as those of a feed: 700 ns and a long tail.
func manyLatencies() (values []int64) {
	for i := range 10_000 {
		u := (float64(i) + 0.5) / 10_000
		values = append(values, int64(700*math.Pow(1-u, -0.7)))
	}
	return values
}

// plotted are the reports that each output is tried with.
func plotted() map[string]*latencyReport {
	return map[string]*latencyReport{
		"none": fakeReport([]int64{}), "zero": fakeReport([]int64{0}), "one": fakeReport([]int64{1234}),
		"equal": fakeReport([]int64{1000, 1000, 1000}), "huge": fakeReport([]int64{1, math.MaxInt64}), "many": fakeReport(manyLatencies()),
	}
}

func TestLatencyPicture(t *testing.T) {
	c := term.NewCanvas(80, false)
	plotted()["many"].draw(c)
	golden(t, "latency", c.String())
	c = term.NewCanvas(80, false)
	plotted()["none"].draw(c)
	require.Contains(t, c.String(), " 0 values in 1.00 s, from 2026-03-04 09:30:00.000\n")
}

var number = regexp.MustCompile(`-?[0-9.]+|NaN|Inf`)

func TestLatencyPlotIsWellFormed(t *testing.T) {
	for name, r := range plotted() {
		t.Run(name, func(t *testing.T) {
			svg := r.svg()
			texts, points := "", 0
			for d := xml.NewDecoder(strings.NewReader(svg)); ; {
				token, err := d.Token()
				if err == io.EOF {
					break
				}
				require.NoError(t, err)
				switch e := token.(type) {
				case xml.CharData:
					texts += string(e) + "\n"
				case xml.StartElement:
					for _, a := range e.Attr {
						if a.Name.Local != "points" && !strings.HasPrefix(a.Name.Local, "x") && !strings.HasPrefix(a.Name.Local, "y") || a.Name.Local == "xmlns" {
							continue
						}
						for i, n := range number.FindAllString(a.Value, -1) {
							v, err := strconv.ParseFloat(n, 64)
							require.NoError(t, err)
							require.False(t, math.IsNaN(v) || math.IsInf(v, 0), a.Value)
							limit := plotWidth
							if strings.HasPrefix(a.Name.Local, "y") || a.Name.Local == "points" && i%2 == 1 {
								limit = plotHeight
							}
							require.True(t, v >= 0 && v <= float64(limit), "inside the picture: %s=%q", a.Name.Local, a.Value)
							points++
						}
					}
				}
			}
			require.Contains(t, texts, `receive_to_handler of a<b>&"c", feedhandler (4242)`)
			require.Positive(t, points)
			require.Equal(t, r.total.Count() == 0, strings.Contains(texts, "no values"))
		})
	}
	require.Contains(t, plotted()["many"].svg(), ">1 µs<")
	require.Contains(t, plotted()["many"].svg(), ">99.9 %<")
	require.Equal(t, "10 µs", decade(10_000))
	require.Equal(t, "100 ms", decade(100_000_000))
	require.Equal(t, "1 ns", decade(1))
	require.Equal(t, "1 s", decade(1e9))
}

func TestLatencyPage(t *testing.T) {
	var b strings.Builder
	require.NoError(t, plotted()["many"].writeHTML(&b))
	require.True(t, strings.HasPrefix(b.String(), "<!doctype html>\n"))
	require.Contains(t, b.String(), "<title>receive_to_handler of a&lt;b&gt;&amp;&#34;c&#34;</title>")
	require.Contains(t, b.String(), "<svg ")
	require.Contains(t, b.String(), "10,000 values in 1.00 s")
	require.NotContains(t, b.String(), "<b>", "a name is no markup")
}

// A log holds what was counted, value for value within the precision, and when.
func TestLatencyLogIsReadBack(t *testing.T) {
	intervals := [][]int64{{100, 200, 300}, {}, manyLatencies(), {0, 5_000_000_000, math.MaxInt64}}
	r := fakeReport(intervals...)
	var b bytes.Buffer
	require.NoError(t, r.writeLog(&b))
	require.Contains(t, b.String(), "#[receive_to_handler of a<b>&\"c\", in ns]")
	log := hdrhistogram.NewHistogramLogReader(&b)
	for i, values := range intervals {
		h, err := log.NextIntervalHistogram()
		require.NoError(t, err)
		require.NotNil(t, h)
		require.EqualValues(t, len(values), h.TotalCount())
		require.Equal(t, fakeNow.Add(time.Duration(i)*time.Second).UnixMilli(), h.StartTimeMs())
		require.Equal(t, fakeNow.Add(time.Duration(i+1)*time.Second).UnixMilli(), h.EndTimeMs())
		for _, q := range []float64{.5, .9, .99} {
			exact := min(r.intervals[i].h.ValueAtQuantile(q), stats.MaxTracked)
			require.InEpsilon(t, float64(exact)+1, float64(h.ValueAtQuantile(100*q))+1, 0.02, "%v of interval %d", q, i)
		}
	}
	h, err := log.NextIntervalHistogram()
	require.NoError(t, err)
	require.Nil(t, h, "and no more")
}

func TestLatencyJSON(t *testing.T) {
	for name, r := range plotted() {
		var b strings.Builder
		require.NoError(t, r.writeJSON(&b))
		var got struct {
			Count     int64            `json:"count"`
			Quantiles map[string]int64 `json:"quantiles_ns"`
			Buckets   []struct {
				Count int64 `json:"count"`
			} `json:"buckets"`
		}
		require.NoError(t, json.Unmarshal([]byte(b.String()), &got), name)
		require.NotNil(t, got.Buckets, name)
		sum := int64(0)
		for _, bucket := range got.Buckets {
			sum += bucket.Count
		}
		require.Equal(t, got.Count, sum, name)
		require.Contains(t, got.Quantiles, "p99.999")
	}
}

func TestLatencyChoosesAHistogram(t *testing.T) {
	one, two := fakeDesk(), fakeProcess(9, "gateway")
	two.fakeEndpoint("btcusdt@trade", "md", 0, 1, 0, "", 5)
	two.fakeEndpoint("twice", "r0", 0, 1, 0, "", 5)
	two.fakeEndpoint("twice", "r1", 0, 1, 0, "", 5)
	two.fake("market", "several", "", fakeHistogram("first"), fakeHistogram("second"))
	s := fakeSample(one, two)
	for _, c := range []struct {
		latencyCmd
		pid    int
		parent string
		err    string
	}{
		{latencyCmd{Name: "ethusdt@trade"}, 4242, "md", ""},
		{latencyCmd{Name: "btcusdt@trade"}, 0, "", "several could be meant"},
		{latencyCmd{Name: "twice"}, 0, "", "endpoint twice of r1 in gateway (9), receive_to_handler, 2 values"},
		{latencyCmd{Name: "twice", Reactor: "r1"}, 9, "r1", ""},
		{latencyCmd{Name: "several", Histogram: "second"}, 9, "", ""},
		{latencyCmd{Name: "nobody"}, 0, "", `no histogram with values of that name: "nobody"; there are:`},
		{latencyCmd{Histogram: "nothing", countersDir: countersDir{"/d"}}, 0, "", "no process publishes such a histogram in /d"},
	} {
		found, err := c.choose(s)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.pid, found.block.process.PID)
		require.Equal(t, c.parent, found.block.parent)
		if c.Histogram != "" {
			require.Equal(t, c.Histogram, found.cell.desc.Name)
		}
	}
	_, err := (&latencyCmd{}).choose(fakeSample(fakeMany(1000)))
	require.ErrorContains(t, err, "\n  and 960 more")
}

func TestLatencyIntervals(t *testing.T) {
	for _, total := range []time.Duration{time.Second, 10 * time.Second, 10300 * time.Millisecond, 10700 * time.Millisecond, 300 * time.Millisecond} {
		n := 0
		for left := total; left > 0; n++ {
			next := nextInterval(left, time.Second)
			require.True(t, next >= 500*time.Millisecond || next == total, "no interval of next to nothing")
			require.Less(t, next, 1500*time.Millisecond)
			left -= next
		}
		require.Equal(t, max(1, int(total.Round(time.Second)/time.Second)), n)
	}
}

// A file is written whole or not at all.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	require.NoError(t, writeFile(name, func(w io.Writer) error { _, err := io.WriteString(w, "one"); return err }))
	err := writeFile(name, func(w io.Writer) error { _, _ = io.WriteString(w, "tw"); return io.ErrUnexpectedEOF })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, "one", string(got), "as it was")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Error(t, writeFile(filepath.Join(dir, "none", "file"), nil))
}
