package main

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

// machine is what the machine says about itself at one moment.
type machine struct {
	load         float64
	stolen, jiff uint64
}

// readMachine leaves zero what it cannot read.
func readMachine() machine {
	load, _ := os.ReadFile("/proc/loadavg")
	stat, _ := os.ReadFile("/proc/stat")
	return parseMachine(string(load), string(stat))
}

func parseMachine(load, stat string) (m machine) {
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

// judge says how quiet the machine was from m to the later one.
func (m machine) judge(later machine) string {
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
