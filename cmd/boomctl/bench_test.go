package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/internal/microbench/cases"
	"github.com/boomnet-go/boomnet/internal/term"
)

// benchResult is one with seven rounds around a median.
func benchResult(name string, median, spread float64, cpus ...int) microbench.Result {
	var rounds []float64
	for i := range 7 {
		rounds = append(rounds, median*(1+spread*float64(i-3)/3))
	}
	return microbench.Result{
		Name: name, CPUs: cpus, Rounds: rounds, Batch: 100,
		Figures: microbench.Figures{Samples: 3500, Min: rounds[0], Median: median, P99: median * 1.4, Max: median * 9, MAD: median / 100},
	}
}

// benchRun is a made-up run on a machine of two CPUs.
func benchRun() *microbench.Run {
	crowded := benchResult("syscall.recvfrom", 131, 0.31, 1)
	crowded.Marks = []microbench.Mark{{Kind: microbench.Crowded, Share: 0.42, Text: "other threads had CPU 1 for 42 % of the time"}}
	pair := benchResult("line.round-trip", 121, 0.04, 0, 1)
	pair.Distance = "same cache"
	run := &microbench.Run{
		Machine: microbench.Machine{
			Host: "box", CPU: "Fake CPU @ 3 GHz", CPUs: 2, Allowed: affinity.Of(0, 1), Virtual: true, Kernel: "6.18.5", OS: "linux",
			Arch: "amd64", Go: "go1.26.8", Program: "v1.2.3", Clock: "tsc", Slack: 50_000, Load: 0.1,
			Started: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		},
		Time: 300 * time.Millisecond, Rounds: 7, Took: 20 * time.Second,
		Results: []microbench.Result{
			benchResult("clock.tsc", 7.648, 0.001, 0), benchResult("clock.tsc", 7.649, 0.001, 1),
			benchResult("clock.nanotime", 19.6, 0.012, 0), benchResult("clock.nanotime", 24.7, 0.012, 1),
			pair,
			benchResult("syscall.recvfrom", 126, 0.012, 0), crowded,
			{Name: "syscall.epoll-wait", CPUs: []int{0}, Failed: "epoll_create1: too many open files"},
			{Name: "syscall.epoll-wait", CPUs: []int{1}, Failed: "epoll_create1: too many open files"},
		},
	}
	for _, cpus := range [][]int{{0, 1}, {1, 0}} {
		served := benchResult("loopback.epoll", 5836, 0.02, cpus...)
		served.Served = true
		run.Results = append(run.Results, served)
	}
	return run
}

// bigBenchRun is one on 64 CPUs, of which one is slow, with pairs of eight.
func bigBenchRun() *microbench.Run {
	run := benchRun()
	m := &run.Machine
	m.CPU, m.CPUs, m.Virtual, m.Program, m.Governor = "Fake EPYC 9999 64-Core Processor", 96, false, "v1.2.3 0123456789ab", "performance"
	m.Load, run.Steal, m.Clock = 7.5, 0.023, "hpet"
	run.Results, m.Allowed = nil, affinity.Set{}
	for cpu := range 64 {
		m.Allowed.Add(cpu)
		median := 19.6 + 0.001*float64(cpu%7)
		if cpu == 17 {
			median = 33
		}
		r := benchResult("clock.nanotime", median, 0.005, cpu)
		r.Marks = []microbench.Mark{{Kind: microbench.SlowClock, Text: "the clock source is hpet"}}
		run.Results = append(run.Results, r)
	}
	run.Results = append(run.Results, microbench.Result{Name: "clock.nanotime", CPUs: []int{99}, Failed: "CPU 99 is offline"})
	some := []int{0, 1, 8, 9, 32, 33, 40, 41}
	for i, a := range some {
		for _, b := range some[i+1:] {
			median, distance := 190.0, "two packages"
			switch {
			case b == a+32:
				median, distance = 42, "same core"
			case b%32/8 == a%32/8:
				median, distance = 61, "same cache"
			}
			r := benchResult("line.round-trip", median, 0.02, a, b)
			r.Distance = distance
			if distance == "same core" {
				r.Marks = []microbench.Mark{{Kind: microbench.Siblings, Text: "siblings"}}
			}
			run.Results = append(run.Results, r)
		}
	}
	for i, distance := range []string{"same core", "same cache", "two packages"} {
		r := benchResult("ring.one-way", 20*float64(1+i), 0.1, 0, []int{32, 1, 8}[i])
		r.Distance = distance
		run.Results = append(run.Results, r)
	}
	run.Notes = []string{"line.round-trip: 28 of 2016 pairs, those of CPUs 0-1,8-9,32-33,40-41; --cores chooses others", "interrupted in round 6 of 7"}
	return run
}

// slowerBenchRun is benchRun later: one thing became slower, one faster.
func slowerBenchRun() *microbench.Run {
	run := benchRun()
	run.Machine.Kernel, run.Machine.Started = "6.19.0", run.Machine.Started.Add(time.Hour)
	run.Results[2] = benchResult("clock.nanotime", 30.4, 0.012, 0)
	run.Results[4] = benchResult("line.round-trip", 70, 0.04, 0, 1)
	for i := range run.Results {
		if run.Results[i].Topic() == "loopback" {
			run.Results[i].Median *= 1.013
		}
	}
	return run
}

// golden compares a picture with the one in testdata.
func goldenNarrow(t *testing.T, name, got string) {
	t.Helper()
	const width = 80
	for line := range strings.Lines(got) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), width+1, line)
		require.NotContains(t, line, "…", "nothing is cut off")
	}
	golden(t, name, got)
}

func TestBenchPictures(t *testing.T) {
	for name, draw := range map[string]func(*term.Canvas){
		"bench":      func(c *term.Canvas) { drawBench(c, benchRun(), false) },
		"bench-each": func(c *term.Canvas) { drawBench(c, benchRun(), true) },
		"bench-big":  func(c *term.Canvas) { drawBench(c, bigBenchRun(), false) },
		"bench-compare": func(c *term.Canvas) {
			runs := [2]*microbench.Run{benchRun(), slowerBenchRun()}
			runs[1].Results = append(runs[1].Results, benchResult("mask.200B", 11, 0.01, 1))
			drawCompare(c, []string{"before.json", "after.json"}, runs, microbench.Compare(runs[0], runs[1]), false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := term.NewCanvas(80, false)
			draw(c)
			goldenNarrow(t, name, c.String())
			for _, width := range []int{40, 200} { // nothing breaks, nothing is wider
				c := term.NewCanvas(width, false)
				draw(c)
				for line := range strings.Lines(c.String()) {
					require.LessOrEqual(t, utf8.RuneCountInString(line), width+1, line)
				}
			}
		})
	}
}

// saveRun writes a run into a file.
func saveRun(t *testing.T, run *microbench.Run) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, run.Write(&b))
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

func TestBenchShowsSavedRuns(t *testing.T) {
	before, after := saveRun(t, benchRun()), saveRun(t, slowerBenchRun())
	picture, _, err := boomctl(t, "bench", before)
	require.NoError(t, err)
	goldenNarrow(t, "bench", picture)
	picture, _, err = boomctl(t, "bench", "--each", before)
	require.NoError(t, err)
	goldenNarrow(t, "bench-each", picture)
	text, _, err := boomctl(t, "bench", "--only", "clock.n*", "--json", before)
	require.NoError(t, err)
	run, err := microbench.Read(strings.NewReader(text))
	require.NoError(t, err)
	require.Equal(t, benchRun().Results[2:4], run.Results)

	text, _, err = boomctl(t, "bench", "--compare", before, after, "--json")
	require.NoError(t, err)
	var differences []map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &differences))
	require.Len(t, differences, 11)
	require.Equal(t, "slower", differences[2]["verdict"])
	require.InDelta(t, 1.551, differences[2]["ratio"], 0.001)
	require.Equal(t, "unsure", differences[7]["verdict"])
	require.Nil(t, differences[7]["ratio"])
	require.Nil(t, differences[7]["a_median_ns"])

	picture, _, err = boomctl(t, "bench", "--compare", before, after, "--fail-if-slower", "--only", "line,loopback")
	require.NoError(t, err)
	require.Contains(t, picture, "3 compared: 0 slower, 1 faster, 2 noise, 0 unsure\n")
	_, complaint, err := boomctl(t, "bench", "--compare", before, after, "--fail-if-slower")
	require.ErrorContains(t, err, "exit status 1")
	require.Empty(t, complaint, "the table says it")
}

func TestBenchRefuses(t *testing.T) {
	dir := t.TempDir()
	good := saveRun(t, benchRun())
	foreign := filepath.Join(dir, "topology.json")
	require.NoError(t, os.WriteFile(foreign, []byte(`{"cpus":[]}`), 0o600))
	text, err := os.ReadFile(good)
	require.NoError(t, err)
	old := filepath.Join(dir, "old.json")
	require.NoError(t, os.WriteFile(old, bytes.Replace(text, []byte(`"version": 1`), []byte(`"version": 7`), 1), 0o600))
	for _, c := range []struct {
		want   string
		status int
		args   []string
	}{
		{"--compare takes two files, not 1", 2, []string{"--compare", good}},
		{"--compare takes two files, not 0", 2, []string{"--compare"}},
		{"one saved run can be shown, not 2", 2, []string{good, good}},
		{"--fail-if-slower goes with --compare", 2, []string{"--fail-if-slower", good}},
		{"saved runs are not measured", 2, []string{good, "--cores", "0"}},
		{"saved runs are not measured", 2, []string{"--compare", good, good, "--list"}},
		{"--time 1µs: must be 1ms to 1m0s", 2, []string{"--time", "1us"}},
		{"--time -1s: must be", 2, []string{"--time=-1s"}},
		{"not a list of CPUs", 2, []string{"--cores", "x"}},
		{`no benchmark is named "clocks"; the topics are clock, line`, 2, []string{"--only", "clocks"}},
		{"this process may use ", 1, []string{"--cores", "8191"}},
		{"no such file", 1, []string{filepath.Join(dir, "none.json")}},
		{"is a directory", 1, []string{dir}},
		{"topology.json: microbench: not a saved run of boomctl bench: its format is", 1, []string{foreign}},
		{"old.json: microbench: a saved run of another version: it has version 7, this program reads 1", 1, []string{"--compare", good, old}},
		{"there are no results of mask,utf8", 1, []string{good, "--only", "mask,utf8"}},
		{"--save", 1, []string{"--only", "clock", "--time", "1ms", "--save", filepath.Join(dir, "none", "x.json")}},
		{"it is a directory", 1, []string{"--only", "clock", "--time", "1ms", "--save", dir}},
	} {
		_, complaint, err := boomctl(t, append([]string{"bench"}, c.args...)...)
		require.ErrorContains(t, err, fmt.Sprintf("exit status %d", c.status), "%q", c.args)
		require.Contains(t, complaint, c.want)
		require.LessOrEqual(t, strings.Count(complaint, "\n"), 6, complaint)
	}
}

func TestBenchList(t *testing.T) {
	text, _, err := boomctl(t, "bench", "--list", "--only", "clock,loopback.net")
	require.NoError(t, err)
	require.Contains(t, text, "clock.nanotime")
	require.Contains(t, text, "loopback.net")
	require.NotContains(t, text, "loopback.epoll ")
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 81, line)
	}
	text, _, err = boomctl(t, "bench", "--list", "--json")
	require.NoError(t, err)
	var names []struct{ Name, What string }
	require.NoError(t, json.Unmarshal([]byte(text), &names))
	require.Len(t, names, len(cases.All()))
	require.Equal(t, cases.All()[0].What, names[0].What)
}

// The shell completes what there is.
func TestBenchTopicsAreSuggested(t *testing.T) {
	field, _ := reflect.TypeFor[benchCmd]().FieldByName("Only")
	suggested := strings.Split(field.Tag.Get("suggest"), ",")
	require.Subset(t, suggested, microbench.Topics(cases.All()))
}

func TestProgressLine(t *testing.T) {
	var b bytes.Buffer
	show, done := progressLine(&b, 30)
	show(0, 0, "clock.tsc", time.Second)
	show(1, 3, "clock.tsc on CPU 0", 1500*time.Millisecond)
	show(1, 3, "clock.tsc on CPU 0", 1400*time.Millisecond)
	show(2, 3, "loopback.epoll-park on CPU 0-1", 12*time.Second)
	done()
	require.Equal(t, ""+
		"\r\x1b[K  0 %   1 s left  clock.tsc"+
		"\r\x1b[K 33 %   2 s left  clock.tsc …"+
		"\r\x1b[K 66 %  12 s left  loopback.e…"+
		"\r\x1b[K", b.String())
}
