// Package harness is what the commands that measure have in common: programs of this
// module are built, the feed server is started, processes begin on the CPU they are
// meant for, and the machine says how quiet it was.
package harness

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Above these the neighbours decide, not the clients.
const (
	maxLoad  = 0.5 // runnable threads, one-minute average at the start
	maxSteal = 1.0 // per cent of the time that the hypervisor kept
)

// Machine is what the machine says about itself at one moment.
type Machine struct {
	load         float64
	stolen, jiff uint64
}

// ReadMachine leaves zero what it cannot read.
func ReadMachine() Machine {
	load, _ := os.ReadFile("/proc/loadavg")
	stat, _ := os.ReadFile("/proc/stat")
	return parseMachine(string(load), string(stat))
}

func parseMachine(load, stat string) (m Machine) {
	if f := strings.Fields(load); len(f) > 0 {
		m.load, _ = strconv.ParseFloat(f[0], 64)
	}
	for line := range strings.Lines(stat) {
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != "cpu" {
			continue
		}
		// user nice system idle iowait irq softirq steal; guest time is in user.
		for i, s := range f[1:9] {
			v, _ := strconv.ParseUint(s, 10, 64)
			m.jiff += v
			if i == 7 {
				m.stolen = v
			}
		}
	}
	return m
}

// Judge says how quiet the machine was from m to the later one.
func (m Machine) Judge(later Machine) string {
	steal := 0.0
	if d := later.jiff - m.jiff; d > 0 && later.jiff > m.jiff {
		steal = 100 * float64(later.stolen-m.stolen) / float64(d)
	}
	s := fmt.Sprintf("load at the start %.2f, steal %.1f %%", m.load, steal)
	if m.load > maxLoad || steal > maxSteal {
		s += "  NOISY: these figures decide nothing"
	}
	return s
}
