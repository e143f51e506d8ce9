package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/jitter"
	"github.com/boomnet-go/boomnet/internal/machines"
	"github.com/boomnet-go/boomnet/internal/term"
)

// madeJitter are reports of which there is a picture.
var madeJitter = map[string]func() *jitter.Report{
	"busy": func() *jitter.Report {
		r := &jitter.Report{
			Loop: jitter.LoopReactor, Idle: "spin", Selector: "epoll", Busy: 30, CPU: 3,
			Threshold: 3000, SeenFrom: 8000, Watched: 4_987_000_000, Looking: 13_000_000, Steps: 1,
			Causes: []jitter.CauseCount{
				{Cause: jitter.GCStop, Go: true, Count: 12, Total: 620_000, Longest: 91_000},
				{Cause: jitter.Switch, Go: true, Count: 240, Total: 7_200_000, Longest: 4_280_000},
				{Cause: jitter.Preemption, Count: 1776, Total: 129_000_000, Longest: 2_900_000},
				{Cause: jitter.Interrupt, Count: 1_234_567, Total: 5_100_000_000, Longest: 74_900},
			},
			Histogram: []jitter.Bucket{
				{From: 3000, To: 5000, Others: 1_234_567},
				{From: 5000, To: 10000},
				{From: 10000, To: 20000, Go: 240, Others: 700},
				{From: 20000, To: 50000, Go: 2},
				{From: 100_000_000, Go: 10, Others: 1},
			},
			Longest: []jitter.Gap{
				{At: 812_000_000, Length: 4_280_000, Cause: jitter.Switch, CPU: 3},
				{At: 1_000, Length: 2_900_000, Cause: jitter.Preemption, CPU: 3},
			},
			Process: &jitter.Process{GoVersion: "go1.26.8", GOMAXPROCS: 3, GCPercent: 100, CPUs: 4, Collections: 12},
			Machine: &jitter.Machine{
				Kernel: "6.18.44", Isolated: true, Seconds: 5, Steal: 50_000_000, RunDelay: 129_000_000,
				Interrupts: []jitter.Interrupts{
					{Name: "LOC", About: "Local timer interrupts", Count: 5000},
					{Name: "36", About: "PCI-MSIX-0000:00:02.0 1-edge virtio1-req.0", Count: 181},
					{Name: "RES", About: "Rescheduling interrupts", Count: 12},
				},
			},
			Stops: &jitter.Stops{Count: 49, Longest: 81_000_000, Stopping: 62_000_000},
			Floor: &jitter.Report{
				Loop: jitter.LoopC, Threshold: 3000, Watched: 5_000_000_000,
				Causes: []jitter.CauseCount{
					{Cause: jitter.Interrupt, Count: 1_000_000, Total: 1, Longest: 1},
					{Cause: jitter.Unknown, Count: 3, Total: 1, Longest: 1},
				},
			},
		}
		return r
	},
	"quiet": func() *jitter.Report {
		return &jitter.Report{
			Loop: jitter.LoopPlain, CPU: -1, Threshold: 3000, SeenFrom: 3000, Watched: 5_000_000_000, Looking: 900_000,
			Process: &jitter.Process{GoVersion: "go1.26.8", GOMAXPROCS: 3, GCPercent: -1, CPUs: 4},
			Machine: &jitter.Machine{Kernel: "6.18.44", Seconds: 5},
		}
	},
}

func TestJitterPictures(t *testing.T) {
	for name, made := range madeJitter {
		t.Run(name, func(t *testing.T) {
			r := made()
			r.Advice = jitter.Advise(r)
			requirePicture(t, "jitter-"+name, func(c *term.Canvas) { drawJitter(c, r) })
		})
	}
}

func TestJitterCommand(t *testing.T) {
	text, _, err := boomctl(t, "jitter", "--for", "200ms", "--busy", "30", "--json")
	require.NoError(t, err)
	r := decodeJSON[jitter.Report](t, text)
	require.Equal(t, jitter.LoopReactor, r.Loop)
	require.Equal(t, "spin", r.Idle)
	require.GreaterOrEqual(t, r.CPU, 0)
	require.GreaterOrEqual(t, r.Watched+r.Looking, int64(200*time.Millisecond))
	require.NotEmpty(t, r.Advice)
	require.Nil(t, r.Floor)
	require.Nil(t, r.Stops)

	picture, _, err := boomctl(t, "jitter", "--for", "200ms", "--loop", "plain", "--unbound", "--gc", "20ms", "--threshold", "10us")
	require.NoError(t, err)
	require.Contains(t, picture, "plain loop, 0 % busy, not pinned\n")
	require.Contains(t, picture, " gaps over 10.0 µs\n")
	require.Contains(t, picture, " forced: the longest took ")
	require.Contains(t, picture, "\nadvice\n 1. ")
}

func TestJitterBesideAFloor(t *testing.T) {
	dir := t.TempDir()
	script := func(name, body string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+body), 0o700))
		return path
	}
	floor := script("floor", `echo "threshold $3"; echo "watched $2"; echo looking 0; echo steps "${1#-}"; echo gap 5 4000 0 0 0 0`)
	text, _, err := boomctl(t, "jitter", "--for", "100ms", "--unbound", "--threshold", "4us", "--floor", floor, "--json")
	require.NoError(t, err)
	f := decodeJSON[jitter.Report](t, text).Floor
	require.NotNil(t, f)
	require.Equal(t, jitter.LoopC, f.Loop)
	require.Equal(t, []int64{4000, 100_000_000, 1, 1}, []int64{f.Threshold, f.Watched, f.Steps, f.Of(jitter.Interrupt).Count})

	for want, program := range map[string]string{
		"exit status 3":          script("failing", "echo threshold 1; echo watched 1; echo looking 1; echo steps 1; exit 3"),
		"is none of gap":         script("chatty", "echo hello 1; exec sleep 60"),
		`there is no line "thre`: script("silent", ""),
		"no such file":           filepath.Join(dir, "absent"),
	} {
		_, complaint, err := boomctl(t, "jitter", "--for", "100ms", "--floor", program)
		require.Error(t, err)
		require.Contains(t, complaint, want)
		require.Contains(t, complaint, "--floor")
	}
}

func TestJitterRefuses(t *testing.T) {
	for want, args := range map[string][]string{
		`must be one of "reactor","plain"`:             {"--loop", "round"},
		"--idle spin is for a reactor":                 {"--loop", "plain", "--idle", "spin"},
		`unknown strategy "doze"`:                      {"--idle", "doze"},
		`must be one of "epoll","direct"`:              {"--selector", "kqueue"},
		"busy share 101 % is not between 0 and 100":    {"--busy", "101"},
		"busy share -1 % is not between 0 and 100":     {"--busy=-1"},
		"--cpu and --unbound exclude each other":       {"--cpu", "0", "--unbound"},
		"--confine needs a CPU":                        {"--confine", "--unbound"},
		"CPU not available to this process: CPU 8191":  {"--cpu", "8191"},
		"--for 0s must be over 0":                      {"--for", "0s"},
		"time 25h0m0s is not between 10ms and 24h0m0s": {"--for", "25h"},
		"--threshold 0s must be over 0":                {"--threshold", "0s"},
		"threshold 100ns is not between 500ns and 1s":  {"--threshold", "100ns"},
		"--wait -1µs must be over 0":                   {"--wait=-1us"},
		"time between collections 1µs is not between":  {"--gc", "1us"},
	} {
		_, complaint, err := boomctl(t, append([]string{"jitter"}, args...)...)
		require.Error(t, err, args)
		require.Contains(t, complaint, want)
	}
}

// Without a wish the loop runs where one reactor would be placed.
func TestJitterPlacement(t *testing.T) {
	cpu := func(c *jitterCmd, m machines.Machine) int {
		p, err := c.placement(affinity.Read(m))
		require.NoError(t, err)
		cpu, fixed := p.CPU()
		require.True(t, fixed)
		return cpu
	}
	require.Equal(t, 7, cpu(&jitterCmd{CPU: 7}, machines.EPYC()))
	for name, fake := range topologyFakes {
		require.NotZero(t, cpu(&jitterCmd{CPU: -1}, fake()), name)
	}
}

func decodeJSON[T any](t *testing.T, text string) *T {
	t.Helper()
	v := new(T)
	require.NoError(t, json.Unmarshal([]byte(text), v), text)
	return v
}
