package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/bench/harness"
	"github.com/boomnet-go/boomnet/bench/meter"
)

// Every row runs for a moment, and what is lost is accounted for.
func TestEveryRowRuns(t *testing.T) {
	t.Chdir("../..")
	cpus, err := affinity.Available()
	require.NoError(t, err)
	c, err := parseFlags([]string{"-rounds", "1", "-for", "100ms", "-client-cpu", "-1", "-dir", t.TempDir()})
	require.NoError(t, err)
	c.serverCPU = cpus.CPUs()[0]
	dir := t.TempDir()
	require.NoError(t, harness.Build(t.Context(), dir+"/", "./server", "./client-capture"))
	for _, transport := range c.transports {
		table, err := run(t.Context(), dir, transport, c)
		require.NoError(t, err)
		for _, r := range table.rows {
			require.Len(t, r.runs, 1)
			o := r.runs[0]
			require.Empty(t, o.failed, "%s, %s", transport, r.name)
			require.Positive(t, o.Reactor)
			require.True(t, o.Accounted, "%s, %s", transport, r.name)
			require.Equal(t, r.name == "disk-full", o.Unwritten > 0, "%s, %s", transport, r.name)
			require.Equal(t, r.bar, o.Written > 0, "%s, %s", transport, r.name)
		}
	}
}

// A writer that is too slow loses records, and each byte is recorded or counted.
func TestLossIsAccountedFor(t *testing.T) {
	t.Chdir("../..")
	cpus, err := affinity.Available()
	require.NoError(t, err)
	c, err := parseFlags([]string{"-for", "800ms", "-client-cpu", "-1", "-dir", t.TempDir()})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, harness.Build(t.Context(), dir+"/", "./server", "./client-capture"))
	s, err := harness.StartServer(t.Context(), dir, harness.ServerConfig{CPU: cpus.CPUs()[0]})
	require.NoError(t, err)
	defer s.Stop()
	// 160 MB into a ring of 32, of which the writer takes 50 a second.
	o := once(t.Context(), s, dir+"/client-capture", []string{"-record", "slow"}, c)
	require.Empty(t, o.failed)
	require.Positive(t, o.LostRecords)
	require.Positive(t, o.LostBytes)
	require.True(t, o.Accounted)
}

func made(name string, bar bool, figures ...float64) *row {
	r := &row{kind: kind{name: name, bar: bar}}
	for _, ns := range figures {
		r.runs = append(r.runs, outcome{Recorded: meter.Recorded{Messages: 1000, Reactor: ns, Rate: 200, Accounted: true}})
	}
	return r
}

func TestVerdicts(t *testing.T) {
	c, err := parseFlags(nil)
	require.NoError(t, err)
	require.InDelta(t, 199.8, c.rate(), 0.01)
	require.Equal(t, "/steady/1480000/270/100/74", c.path())

	table := &table{transport: "plain", rows: []*row{made("off", false, 100, 200, 100), made("off2", false, 101, 202, 101), made("recorded", true, 110, 220, 150)}}
	table.compare()
	rec := table.rows[2]
	require.InDeltaSlice(t, []float64{1.1, 1.1, 1.5}, rec.ratios, 1e-9)
	say := func() string {
		var b strings.Builder
		require.NoError(t, table.print(&b, c))
		return b.String()
	}
	require.Contains(t, say(), "A/A spread of the base 1.0 %")
	require.Contains(t, say(), "recorded: bar met: 10.0 % more processor time a message")

	c.bar = 1.05
	require.Contains(t, say(), "bar MISSED")
	c.bar = 1.15
	rec.runs[0].LostRecords = 1
	require.Contains(t, say(), "bar MISSED: 1 records lost, counted")
	rec.runs[0].LostRecords = 0
	for i := range rec.runs {
		rec.runs[i].Allocs = 500
	}
	require.Contains(t, say(), "bar MISSED: 10.0 % more processor time a message (allowed 15 %, spread 1.0 %), 0.5000 allocations")
	for i := range rec.runs {
		rec.runs[i].Rate = 150
	}
	require.Contains(t, say(), "NOT PACED: 150 MB/s of 200")
	rec.runs[1].Rate, rec.runs[2].Rate, rec.runs[0].Accounted = 200, 200, false
	require.Contains(t, say(), "WRONG")
	require.False(t, table.failed())
	rec.runs[0].failed = "exit status 1"
	require.Contains(t, say(), "FAILED recorded, round 1: exit status 1")
	require.True(t, table.failed())
}

func TestFlags(t *testing.T) {
	c, err := parseFlags([]string{"-rows", "recorded,zstd", "-transport", "plain", "-for", "1s"})
	require.NoError(t, err)
	require.Len(t, newTable("plain", c).rows, 4)
	require.Equal(t, time.Second, c.each)
	for want, args := range map[string][]string{
		`transport "quic" is none of`:    {"-transport", "quic"},
		`row "x" is none of`:             {"-rows", "x"},
		"rounds 0 is less than 1":        {"-rounds", "0"},
		"must be positive":               {"-size", "0"},
		"fewer than 5 writes":            {"-for", "400us"},
		"there is nothing to run":        {"-transport", ""},
		`argument "now": there are none`: {"now"},
	} {
		_, err := parseFlags(args)
		require.ErrorContains(t, err, want)
	}
}
