package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/bench/harness"
	"github.com/boomnet-go/boomnet/bench/meter"
)

func flood(client string, round int, ns float64) row {
	return row{Client: client, Round: round, Line: meter.Line{Mode: meter.Flood, PerMsg: ns, CPU: ns}}
}

func TestSummary(t *testing.T) {
	clients := []client{{name: "floor"}, {name: "floor2"}, {name: "slow"}, {name: "absent"}}
	rows := []row{
		flood("floor", 0, 10), flood("floor2", 0, 11), flood("slow", 0, 20),
		flood("floor", 1, 20), flood("floor2", 1, 22), flood("slow", 1, 60),
		flood("floor", 2, 10), flood("floor2", 2, 11), {Client: "slow", Round: 2, Failed: "exit status 1", Line: meter.Line{Mode: meter.Flood}},
	}
	results, spread := summarize(rows, "flood", clients)
	require.Len(t, results, 3)
	require.InDelta(t, 0.1, spread, 1e-9)
	require.Equal(t, []string{"floor", "floor2", "slow"}, []string{results[0].name, results[1].name, results[2].name})
	slow := results[2]
	require.Equal(t, 2, slow.rounds)
	require.InDelta(t, 20.0, slow.best, 1e-9)
	require.InDelta(t, 40.0, slow.median, 1e-9)
	require.InDelta(t, 2.5, slow.ratio, 1e-9, "within the rounds, not of the medians")

	var b bytes.Buffer
	require.NoError(t, printSummary(&b, rows, clients))
	require.Contains(t, b.String(), "A/A spread of the base 10 %")
	require.Contains(t, b.String(), "FAILED slow, flood, round 3: exit status 1")
	require.NotContains(t, b.String(), "burst")
}

func TestFlags(t *testing.T) {
	c, err := parseFlags([]string{"-rounds", "2", "-modes", "flood", "-transport", "tls", "-clients", "gws coder", "mine=/bin/true"})
	require.NoError(t, err)
	require.Equal(t, []string{"gws", "coder"}, c.clients)
	require.Equal(t, []client{{name: "mine", program: "/bin/true"}}, c.extra)
	require.True(t, c.transport.secure())
	for _, args := range [][]string{{"-rounds", "0"}, {"-modes", "other"}, {"-transport", "quic"}, {"-clients", "other"}, {"noname"}, {"=x"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%q", args)
	}
}

func TestEveryModeHasQuickWork(t *testing.T) {
	for mode, w := range works {
		q, ok := quickWorks[mode]
		require.True(t, ok, mode)
		require.Len(t, q.args, len(w.args))
		require.Less(t, q.messages, w.messages)
	}
}

// Clients that break the contract are rows of their own.
func TestRunOneFailures(t *testing.T) {
	var mask unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &mask))
	cpu := 0
	for !mask.IsSet(cpu) {
		cpu++
	}
	for text, want := range map[string]string{
		"#!/bin/sh\necho oops >&2; exit 3\n": "exit status 3; oops",
		"#!/bin/sh\necho nothing\n":          "its line: ",
		"#!/bin/sh\necho '{\"msgs\":4}'\n":   "4 messages of 5",
		"#!/bin/sh\necho '{\"msgs\":5}'\n":   "",
	} {
		program := filepath.Join(t.TempDir(), "client")
		require.NoError(t, os.WriteFile(program, []byte(text), 0o700))
		s := &harness.Server{Port: "1", Env: os.Environ()}
		r := runOne(t.Context(), s, client{name: "x", program: program}, work{[]string{"/flood/5/25/1"}, 5}, cpu)
		if want == "" {
			require.Empty(t, r.Failed)
			require.Equal(t, 5, r.Messages)
		} else {
			require.Contains(t, r.Failed, want)
		}
	}
}

func TestWriteRaw(t *testing.T) {
	file := filepath.Join(t.TempDir(), "raw")
	require.NoError(t, writeRaw(file, []row{flood("a", 1, 5), {Client: "b", Failed: "x"}}))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 2)
	var r row
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &r))
	require.Equal(t, flood("a", 1, 5), r)
}
