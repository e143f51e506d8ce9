package jitter

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
)

// machineCount is what a CPU had counted at one moment.
type machineCount struct {
	cpu        int // -1: none, the loop is not pinned
	at         int64
	interrupts []Interrupts
	steal      int64 // ticks
}

// stealTick is the unit of /proc/stat.
const stealTick = 10 * time.Millisecond

func countMachine(cpu int) *machineCount {
	c := &machineCount{cpu: cpu, at: clock.Nano()}
	if cpu < 0 {
		return c
	}
	readOnce("/proc/stat", func(text []byte) { c.steal = stealTicks(text, cpu) })
	readOnce("/proc/interrupts", func(text []byte) {
		eachInterrupt(text, cpu, func(name, about []byte, count int64) {
			c.interrupts = append(c.interrupts, Interrupts{string(name), strings.Join(strings.Fields(string(about)), " "), count})
		})
	})
	return c
}

// readOnce gives f the text of a file of /proc, if there is one.
func readOnce(path string, f func([]byte)) {
	p, err := openProc(path)
	if err != nil {
		return
	}
	defer p.close()
	f(p.read())
}

// machine is what was counted since c.
func (c *machineCount) machine() *Machine {
	later := countMachine(c.cpu)
	m := &Machine{
		Kernel:  kernel(),
		Seconds: time.Duration(later.at - c.at).Seconds(),
		Steal:   (later.steal - c.steal) * int64(stealTick),
	}
	before := map[string]int64{}
	for _, i := range c.interrupts {
		before[i.Name] = i.Count
	}
	for _, i := range later.interrupts {
		if i.Count -= before[i.Name]; i.Count > 0 {
			m.Interrupts = append(m.Interrupts, i)
		}
	}
	slices.SortFunc(m.Interrupts, func(a, b Interrupts) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	if c.cpu >= 0 {
		t := affinity.Local()
		m.Isolated, m.NohzFull = t.Isolated.Contains(c.cpu), t.NohzFull.Contains(c.cpu)
	}
	return m
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return ""
	}
	return unix.ByteSliceToString(u.Release[:])
}
