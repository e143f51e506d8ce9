package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
	"github.com/boomnet-go/boomnet/internal/term"
)

var update = flag.Bool("update", false, "write the pictures in testdata anew")

// topologyFakes are the machines of which there is a picture.
var topologyFakes = map[string]func() machines.Machine{
	"two-socket": machines.TwoSocketSMT,
	"epyc":       machines.EPYC,
	"container":  machines.Container,
	"big-little": machines.BigLittle,
	"hybrid":     machines.Hybrid,
	"holes":      machines.Holes,
	"odd":        machines.Odd,
}

func TestTopologyPictures(t *testing.T) {
	for name, fake := range topologyFakes {
		t.Run(name, func(t *testing.T) {
			requirePicture(t, "topology-"+name, func(c *term.Canvas) { drawTopology(c, affinity.Read(fake())) })
		})
	}
}

// requirePicture compares what draw draws in 80 columns with testdata/NAME.txt.
func requirePicture(t *testing.T, name string, draw func(*term.Canvas)) {
	t.Helper()
	const width = 80
	c := term.NewCanvas(width, false)
	draw(c)
	got := c.String()
	for line := range strings.Lines(got) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), width+1, line)
		require.NotContains(t, line, "…\n", "nothing is cut off")
	}
	golden(t, name, got)
}

// boomctl runs the command line in a process.
func boomctl(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), runDemo+"=1")
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.String(), complaints.String(), err
}

func TestTopologyCommand(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, machines.TwoSocketSMT().WriteTo(dir))
	picture, _, err := boomctl(t, "topology", "--sysfs", dir)
	require.NoError(t, err)
	want, err := os.ReadFile("testdata/topology-two-socket.txt")
	require.NoError(t, err)
	require.Equal(t, string(want), picture)

	text, _, err := boomctl(t, "topology", "--sysfs", dir, "--json")
	require.NoError(t, err)
	file := filepath.Join(dir, "machine.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	again, _, err := boomctl(t, "topology", "--from", file)
	require.NoError(t, err)
	require.Equal(t, picture, again, "a machine looked at on another one")

	plan, _, err := boomctl(t, "topology", "--from", file, "place", "2", "--policy", "pack", "--near-nic", "eth0", "--except", "8-9", "--avoid-smt")
	require.NoError(t, err)
	require.Equal(t, `2 threads, pack
  0  cpu 10, package 1, node 1, core 2, L3 32MiB with 8-15,24-31, sibling 26
  1  cpu 11, package 1, node 1, core 3, L3 32MiB with 8-15,24-31, sibling 27
for the rest of the program: 0-9,12-25,28-31
excluded: 8-9 (kept for something else)
          0-7,16-23 (far from the NIC)
          26-31 (SMT sibling)
`, plan)
	plan, _, err = boomctl(t, "topology", "--from", file, "--json", "place", "1", "--node", "1")
	require.NoError(t, err)
	require.JSONEq(t, `{"cpus":[8],"rest":"0-7,9-31","warnings":null,"excluded":[{"why":"outside the CPUs asked for","cpus":"0-7,16-23"}]}`, plan)

	_, complaint, err := boomctl(t, "topology", "--from", file, "place", "3", "--policy", "fixed", "--cpus", "1,2")
	require.Error(t, err)
	require.Contains(t, complaint, "too few CPUs: 3 wanted, 2 asked for by number: [1 2]")
	for want, args := range map[string][]string{
		"exclude each other":  {"--from", file, "--sysfs", dir},
		"no such file":        {"--sysfs", file + "x"},
		"--node 7: no such":   {"--from", file, "place", "1", "--node", "7"},
		"not a list of CPUs":  {"place", "1", "--cpus", "a"},
		"--from ":             {"--from", filepath.Join(dir, "sys/devices/system/cpu/online")},
		"must be one of unbo": {"place", "1", "--policy", "everywhere"},
	} {
		_, complaint, err := boomctl(t, append([]string{"topology"}, args...)...)
		require.Error(t, err)
		require.Contains(t, complaint, want)
	}
	require.NoError(t, os.WriteFile(file, []byte(`{"cpus":[{"id":3},{"id":99999}]}`), 0o600))
	_, complaint, err = boomctl(t, "topology", "--from", file)
	require.Error(t, err)
	require.Contains(t, complaint, "CPU 99999: must be 0 to 8191, in ascending order")
}

func TestTopologyOfThisMachine(t *testing.T) {
	picture, _, err := boomctl(t, "topology")
	require.NoError(t, err)
	require.Contains(t, picture, "this process\n  may use ")
}
