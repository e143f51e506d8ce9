package harness

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMachine(t *testing.T) {
	const stat = "cpu  100 0 50 800 10 5 5 30 7 0\ncpu0 1 2 3\nintr 5\n"
	m := parseMachine("0.25 0.10 0.05 1/100 1234\n", stat)
	require.Equal(t, Machine{load: 0.25, stolen: 30, jiff: 1000}, m)
	require.Equal(t, "load at the start 0.25, steal 0.5 %", m.Judge(Machine{stolen: 35, jiff: 2000}))
	require.Contains(t, m.Judge(Machine{stolen: 60, jiff: 2000}), "NOISY")
	require.Contains(t, Machine{load: 0.6}.Judge(Machine{}), "NOISY")
	require.Equal(t, Machine{}, parseMachine("", ""))
}

func TestCleanEnv(t *testing.T) {
	require.Equal(t, []string{"HOME=/x", "TLSX=1"}, cleanEnv([]string{"TLS=1", "HOME=/x", "RECORDS=1", "TLSX=1", "ANCHORS_CA=y", "PROFILE=z"}))
}

func TestStartPinned(t *testing.T) {
	var before, after unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	cpu := 0
	for !before.IsSet(cpu) {
		cpu++
	}
	cmd := exec.Command("grep", "Cpus_allowed_list", "/proc/self/status")
	var out bytes.Buffer
	cmd.Stdout = &out
	require.NoError(t, StartPinned(cmd, cpu))
	require.NoError(t, cmd.Wait())
	require.Len(t, strings.Fields(out.String()), 2)
	require.NotContains(t, out.String(), "-", "one CPU, not a range")
	require.NoError(t, unix.SchedGetaffinity(0, &after))
	require.Equal(t, before, after)

	require.Error(t, StartPinned(exec.Command("true"), 1023), "there is no such CPU")
}

func TestMedian(t *testing.T) {
	require.Zero(t, Median(nil))
	require.Equal(t, 2.0, Median([]float64{3, 1, 2}))
	require.Equal(t, 2.5, Median([]float64{4, 1, 3, 2}))
}
