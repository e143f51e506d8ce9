package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/doctor"
	"github.com/boomnet-go/boomnet/internal/machines"
	"github.com/boomnet-go/boomnet/internal/term"
)

// doctorFakes are the machines of which there is a report.
var doctorFakes = map[string]func() machines.Machine{
	"tuned":     machines.Tuned,
	"stock":     machines.Stock,
	"container": machines.Container,
	"odd":       machines.Odd,
}

func examineFake(t *testing.T, fsys fs.FS) *doctor.Report {
	t.Helper()
	r, err := doctor.Examine(fsys, doctor.Options{Now: time.Date(2026, time.September, 1, 0, 0, 0, 0, time.UTC), GOMAXPROCS: 16})
	require.NoError(t, err)
	return r
}

func TestDoctorPictures(t *testing.T) {
	for name, fake := range doctorFakes {
		t.Run(name, func(t *testing.T) {
			const width = 80
			c := term.NewCanvas(width, false)
			drawReport(c, examineFake(t, fake()), false)
			got := c.String()
			for line := range strings.Lines(got) {
				require.LessOrEqual(t, utf8.RuneCountInString(line), width+1, line)
			}
			golden(t, "doctor-"+name, got)
		})
	}
}

// What a report tells to type is whole, however narrow the terminal is.
func TestDoctorCommandsAreWhole(t *testing.T) {
	r := examineFake(t, machines.Stock())
	for _, width := range []int{40, 80, 200} {
		c := term.NewCanvas(width, false)
		drawReport(c, r, true)
		drawn := strings.Join(strings.Fields(strings.ReplaceAll(c.String(), "\\\n", "")), " ")
		for _, f := range r.Findings {
			require.Contains(t, drawn, f.Why[:20])
			for _, command := range f.Mend {
				require.Contains(t, drawn, command)
				require.NoError(t, exec.Command("sh", "-n", "-c", strings.Join(wrapCommand(command, width), "\n")).Run(), command)
			}
		}
	}
}

func TestWrapCommand(t *testing.T) {
	require.Equal(t, []string{`echo 'a b  c' \`, `>/a/file/of/a/long/name; \`, "done"}, wrapCommand(`echo 'a b  c'  >/a/file/of/a/long/name; done`, 16))
	for _, command := range []string{`printf '%s|' 'a  b' c 'd e f'   g`, "printf x"} {
		want, err := exec.Command("sh", "-c", command).Output()
		require.NoError(t, err)
		for width := 3; width < 40; width++ {
			got, err := exec.Command("sh", "-c", strings.Join(wrapCommand(command, width), "\n")).Output()
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "at %d columns", width)
		}
	}
}

// status is the exit status of a process.
func status(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	return exit.ExitCode()
}

func TestDoctorCommand(t *testing.T) {
	good, bad := t.TempDir(), t.TempDir()
	require.NoError(t, machines.Tuned().WriteTo(good))
	require.NoError(t, machines.Stock().WriteTo(bad))

	out, _, err := boomctl(t, "doctor", "--sysfs", good)
	require.Equal(t, 0, status(t, err), out)
	require.Contains(t, out, "reactor cores 2-7 (as a placement would choose), interface eth0\n")
	_, _, err = boomctl(t, "doctor", "--sysfs", good, "--strict")
	require.Equal(t, doctorBad, status(t, err), "what GOMAXPROCS is there is unknown")
	_, _, err = boomctl(t, "doctor", "--sysfs", good, "--strict", "--skip", "gomaxprocs,kernel-version")
	require.Equal(t, 0, status(t, err))
	out, _, err = boomctl(t, "doctor", "--sysfs", bad)
	require.Equal(t, doctorBad, status(t, err))
	require.NotContains(t, out, "\x1b", "no colours where there is no terminal")

	out, _, err = boomctl(t, "doctor", "--sysfs", bad, "--json", "--cores", "8-9", "--nic", "eth0", "--only", "nic-node,numa-balancing")
	require.Equal(t, doctorBad, status(t, err))
	require.JSONEq(t, `{"cores":"8-9","cores_from":"asked for","nic":"eth0","checks":[
		{"check":"numa-balancing","group":"memory","verdict":"bad","seen":"1",
		 "why":"NUMA balancing unmaps pages to see who uses them: page faults on purpose, and pages that move.",
		 "mend":["sysctl -w kernel.numa_balancing=0"],"keep":"/etc/sysctl.d/90-boomnet.conf: kernel.numa_balancing = 0"},
		{"check":"nic-node","group":"network","verdict":"bad","seen":"eth0 on node 0, reactor cores 8-9 on another",
		 "why":"Packets are written to memory and cache of the card's NUMA node: a reactor on another one reads them over the interconnect.",
		 "keep":"cores near it: `+"`boomctl topology place N --near-nic eth0`"+` chooses"}]}`, out)

	out, _, err = boomctl(t, "doctor", "--list")
	require.NoError(t, err)
	for _, c := range doctor.Checks() {
		require.Contains(t, out, "\n  "+c.Name+" ")
	}
	for want, args := range map[string][]string{
		`no check or group "x"`:   {"--only", "x"},
		"online are 0-31":         {"--sysfs", good, "--cores", "99"},
		"no such network":         {"--sysfs", good, "--nic", "eth7"},
		"--sysfs: stat ":          {"--sysfs", good + "/no"},
		"--pid 99: no such proce": {"--sysfs", good, "--pid", "99"},
	} {
		_, complaint, err := boomctl(t, append([]string{"doctor"}, args...)...)
		require.Equal(t, exitFailure, status(t, err), args)
		require.Contains(t, complaint, want)
	}
}

// --pid is about another process: here one whose limit of open files is lower.
func TestDoctorOfProcess(t *testing.T) {
	dir := t.TempDir()
	m := machines.Tuned()
	m.Put("proc/77/limits", "Max open files            100                  100                  files")
	require.NoError(t, m.WriteTo(dir))
	for pid, want := range map[string]string{"": "ok", "77": "bad"} {
		args := []string{"doctor", "--json", "--only", "open-files", "--sysfs", dir}
		if pid != "" {
			args = append(args, "--pid", pid)
		}
		out, _, _ := boomctl(t, args...)
		var r doctor.Report
		require.NoError(t, json.Unmarshal([]byte(out), &r))
		require.Equal(t, doctor.Verdict(want), r.Findings[0].Verdict, out)
	}
}

// golden compares with a file in testdata, which -update writes.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
