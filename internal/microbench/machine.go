package microbench

import (
	"io/fs"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// Machine is where and when a run was made, so that saved runs can be told apart.
// Texts are empty where the machine does not tell.
type Machine struct {
	Host     string       `json:"host,omitempty"`
	CPU      string       `json:"cpu,omitempty"` // the model
	CPUs     int          `json:"cpus"`          // online
	Allowed  affinity.Set `json:"allowed"`       // those that the process may use
	Virtual  bool         `json:"virtual,omitempty"`
	Kernel   string       `json:"kernel,omitempty"`
	OS       string       `json:"os"`
	Arch     string       `json:"arch"`
	Go       string       `json:"go"`
	Program  string       `json:"program,omitempty"` // boomctl's version, and the revision if it is known
	Clock    string       `json:"clock_source,omitempty"`
	Governor string       `json:"governor,omitempty"`       // of the frequency, of the first CPU
	Slack    int64        `json:"timer_slack_ns,omitempty"` // of this process's threads
	Load     float64      `json:"load"`                     // one-minute average at the start
	Started  time.Time    `json:"started"`
}

// ReadMachine reads what /proc and /sys below root tell. Program, Slack and Started
// are the caller's.
func ReadMachine(root fs.FS, t *affinity.Topology) Machine {
	m := Machine{
		CPUs: t.Online().Len(), Allowed: t.Process.Allowed,
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(),
		Host:     line(root, "proc/sys/kernel/hostname"),
		Kernel:   line(root, "proc/sys/kernel/osrelease"),
		Clock:    line(root, "sys/devices/system/clocksource/clocksource0/current_clocksource"),
		Governor: line(root, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
	}
	load, _, _ := strings.Cut(line(root, "proc/loadavg"), " ")
	if v, err := strconv.ParseFloat(load, 64); err == nil && v >= 0 {
		m.Load = v
	}
	info, _ := fs.ReadFile(root, "proc/cpuinfo") // then the model is not known
	for text := range strings.Lines(string(info)) {
		key, value, _ := strings.Cut(text, ":")
		switch value = strings.Join(strings.Fields(value), " "); strings.TrimSpace(key) {
		case "model name":
			m.CPU = value
		case "CPU part": // ARM has numbers only
			if m.CPU == "" {
				m.CPU = "part " + value
			}
		case "flags":
			m.Virtual = m.Virtual || strings.Contains(" "+value+" ", " hypervisor ")
		}
		if m.CPU != "" && strings.TrimSpace(text) == "" {
			break // the first CPU stands for all
		}
	}
	return m
}

// line is the first line of a small file, "" if it cannot be read.
func line(root fs.FS, path string) string {
	text, _ := fs.ReadFile(root, path)
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(first)
}

// FastClock says whether the clock source is read without a system call, as far as
// its name tells. An unknown one counts as fast.
func (m *Machine) FastClock() bool {
	switch m.Clock {
	case "", "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter":
		return true
	}
	return false
}

// Ticks are times of CPUs as /proc/stat counts them, in hundredths of a second.
type Ticks struct {
	Stolen map[int]int64 // of each CPU, by the hypervisor
	All    int64         // of all CPUs, whatever for
}

// ReadTicks reads proc/stat below root; without it nothing was ever stolen.
func ReadTicks(root fs.FS) Ticks {
	t := Ticks{Stolen: map[int]int64{}}
	text, _ := fs.ReadFile(root, "proc/stat")
	for l := range strings.Lines(string(text)) {
		f := strings.Fields(l)
		if len(f) < 9 || !strings.HasPrefix(f[0], "cpu") {
			continue
		}
		cpu, err := strconv.Atoi(f[0][len("cpu"):])
		if err != nil {
			continue // the line of all CPUs
		}
		// user nice system idle iowait irq softirq steal; guest time is in user.
		for _, s := range f[1:9] {
			v, _ := strconv.ParseInt(s, 10, 64)
			t.All += v
			t.Stolen[cpu] = v
		}
	}
	return t
}

// Steal is the share of all time since before that the hypervisor kept.
func (t Ticks) Steal(before Ticks) float64 {
	stolen := int64(0)
	for cpu, v := range t.Stolen {
		stolen += v - before.Stolen[cpu]
	}
	if all := t.All - before.All; all > 0 && stolen > 0 {
		return min(float64(stolen)/float64(all), 1)
	}
	return 0
}
