package main

import (
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/internal/microbench/cases"
)

// Everything, shortly, on this machine.
func TestBenchMeasures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, os.WriteFile(path, []byte("an older one"), 0o600))
	cpus, err := affinity.Available()
	require.NoError(t, err)
	some := affinity.Of(cpus.CPUs()[:min(3, cpus.Len())]...)
	picture, complaint, err := boomctl(t, "bench", "--time", "1ms", "--cores", some.String(), "--save", path)
	require.NoError(t, err, complaint)
	require.Empty(t, complaint, "no progress where there is no terminal")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	run, err := microbench.Read(f)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, r := range run.Results {
		seen[r.Name] = true
		if cpus.Len() > 1 {
			require.Empty(t, r.Failed, r.Name)
			require.Len(t, r.Rounds, microbench.Rounds, r.Name)
		}
		for _, cpu := range r.CPUs {
			require.True(t, cpus.Contains(cpu), "%s on CPU %d", r.Name, cpu)
		}
	}
	for _, c := range cases.All() {
		require.True(t, seen[c.Name], c.Name)
		topic, name, _ := strings.Cut(c.Name, ".")
		require.Contains(t, picture, "\n"+topic+"\n")
		require.Contains(t, picture, "\n  "+name)
	}
	require.Equal(t, cpus, run.Machine.Allowed)
	require.NotEmpty(t, run.Machine.Kernel)
	require.Positive(t, run.Machine.Slack)
	require.WithinDuration(t, time.Now(), run.Machine.Started, time.Minute)
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing temporary stays")

	again, _, err := boomctl(t, "bench", path)
	require.NoError(t, err)
	require.Equal(t, picture, again)
}

// One CPU asked for that there is, one that there is not.
func TestBenchOnCores(t *testing.T) {
	cpus, err := affinity.Available()
	require.NoError(t, err)
	last := cpus.CPUs()[cpus.Len()-1]
	asked := affinity.Of(last, 8000)
	text, _, err := boomctl(t, "bench", "--cores", asked.String(), "--only", "clock.nanotime,line", "--time", "1ms", "--json")
	require.NoError(t, err)
	run, err := microbench.Read(strings.NewReader(text))
	require.NoError(t, err)
	require.Len(t, run.Results, 3)
	require.Equal(t, []int{last}, run.Results[0].CPUs)
	require.Empty(t, run.Results[0].Failed)
	require.Equal(t, "there is no CPU 8000", run.Results[1].Failed)
	require.Equal(t, "it needs two CPUs that this process may use", run.Results[2].Failed)
}

// Ctrl-C keeps what was measured.
func TestBenchInterrupted(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	// Where interrupts are ignored, as in a shell's background, processes would begin so.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, os.Interrupt)
	defer signal.Stop(heard)
	for delay := 50 * time.Millisecond; ; delay *= 2 {
		require.Less(t, delay, 30*time.Second, "it never listened to the signal")
		cmd := exec.CommandContext(t.Context(), self, "bench", "--time", "1m", "--only", "clock.nanotime", "--json")
		cmd.Env = append(os.Environ(), runDemo+"=1")
		var out strings.Builder
		cmd.Stdout = &out
		require.NoError(t, cmd.Start())
		time.Sleep(delay)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		if cmd.Wait() != nil {
			continue // nobody listened yet, and the process ended by it
		}
		run, err := microbench.Read(strings.NewReader(out.String()))
		require.NoError(t, err)
		require.Contains(t, strings.Join(run.Notes, "\n"), "interrupted in round 1 of 7")
		require.Less(t, run.Took, 8*time.Second, "the measurement under way ends too")
		return
	}
}
