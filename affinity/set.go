// Package affinity pins threads to CPUs.
//
// A reactor that is to react in microseconds has a CPU of its own, and its thread
// never leaves it. In Go that takes two steps, in this order, on the goroutine
// that will do the work:
//
//	runtime.LockOSThread()         // 1: this goroutine and its thread are one
//	err := affinity.Pin(3)         // 2: the thread runs on CPU 3 only
//	…                              // 3: work, and end without unlocking
//
// Why so:
//
//   - Before LockOSThread the goroutine may move to another thread at any moment,
//     and Pin would have pinned a thread that others use.
//   - A new thread inherits the mask of the thread that starts it. The first call
//     of LockOSThread makes the runtime keep a thread with the process's own mask
//     that starts all later ones, so nothing else lands on the reactor's CPU. A
//     thread pinned before that would hand its mask on.
//   - After runtime.UnlockOSThread the thread would go back to the runtime, still
//     pinned, and run ordinary goroutines on the reactor's CPU. A goroutine that
//     ends locked takes its thread with it.
//
// Locking does not stop the scheduler from preempting the goroutine, and other
// processes may still use the CPU: isolate it (isolcpus, cpusets) where that
// matters. Since Go 1.25 GOMAXPROCS follows the mask of the process when it
// changes, with a stop of the world: a program with reactors sets it explicitly.
//
// CPUs are known by the kernel's numbers, as in /proc/cpuinfo. [Available] says
// which ones this process may use: inside a container they need not begin at 0
// nor be without gaps.
//
// # Which CPU
//
// [Local] reads what sysfs tells of the machine, and [Topology.Place] chooses CPUs
// by a [Policy]:
//
//	plan, err := affinity.Local().Place(2, affinity.Policy{
//		Kind:      affinity.KindPack, // near each other
//		NearNIC:   "eth0",            // and near the interface
//		AvoidSMT:  true,              // a core each
//		AvoidCPU0: true,
//	})
//
// What decides how well a reactor runs on a CPU:
//
//   - SMT siblings share one core. Work on the sibling takes execution units and
//     the caches next to the core from the reactor, whatever the scheduler does:
//     leave the sibling idle.
//   - CPUs below one last-level cache hand a line to each other in tens of
//     nanoseconds; between packages it takes several times as long. Reactors that
//     talk to each other are packed, those that do not are spread.
//   - A network interface is near one NUMA node: its buffers are written to that
//     node's memory and, with DDIO and its like, to that package's cache. Its
//     interrupts run where /proc/irq says: near the reactor, not on its CPU.
//   - CPU 0 takes what can run anywhere: interrupts without a place, timers,
//     kernel threads.
//   - An isolated CPU (isolcpus=domain, or an isolated cpuset partition) is left
//     out when the scheduler balances load: nothing comes onto it but what asks for
//     it by its affinity mask, as Pin does. A thread that is not pinned never gets
//     there; two that are pinned there share it, and nobody moves one away.
//     isolcpus=managed_irq keeps most interrupts of queues away besides.
//   - On a nohz_full CPU the timer tick, 100 to 1000 a second of some microseconds
//     each, stops while exactly one thread is runnable, and RCU callbacks run
//     elsewhere. Each entry into the kernel and each park gets dearer, as the time
//     is accounted for there: it is for a reactor that spins, alone on its CPU, and
//     does no good to one that parks. At least one CPU, by default CPU 0, keeps
//     the time for all.
//   - A cgroup's quota (cpu.max) counts the time that spinning takes. A group that
//     has used it up stands still until the period, mostly 100 ms, is over.
//
// [Set], [Placement], [Read] and [Topology.Place] work on every system, the rest
// is for Linux.
package affinity

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// MaxCPUs is how many CPUs a Set has room for, numbered from 0: as many as the
// largest kernels are built for.
const MaxCPUs = 8192

// ErrList says that a text is not a list of CPUs.
var ErrList = errors.New("affinity: not a list of CPUs")

// Set is a set of CPUs. It is a value of 1 KiB that can be copied and compared;
// the zero value is the empty set.
type Set struct{ words [MaxCPUs / 64]uint64 }

// Of returns the set of the CPUs given. It panics like Add.
func Of(cpus ...int) Set {
	var s Set
	for _, cpu := range cpus {
		s.Add(cpu)
	}
	return s
}

// Parse reads a list of CPUs as the kernel writes it: numbers and ranges divided
// by commas, "0-3,8,10-11". Space around them is ignored. An empty text and
// "(null)", which sysfs gives where there is nothing to tell, are the empty set.
// Errors wrap ErrList.
func Parse(list string) (Set, error) {
	var s Set
	if list = strings.TrimSpace(list); list == "" || list == "(null)" {
		return s, nil
	}
	for item := range strings.SplitSeq(list, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(item), "-")
		first, err := number(from)
		last := first
		if err == nil && isRange {
			last, err = number(to)
		}
		if err == nil && last < first {
			err = errors.New("the range runs backwards")
		}
		if err != nil {
			return Set{}, fmt.Errorf("%w: %q: %w", ErrList, item, err)
		}
		for cpu := first; cpu <= last; cpu++ {
			s.Add(cpu)
		}
	}
	return s, nil
}

func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, errors.New("not a number")
	}
	if n >= MaxCPUs {
		return 0, fmt.Errorf("a CPU above %d", MaxCPUs-1)
	}
	return int(n), nil
}

// Add puts cpu into the set. It panics when cpu is not in 0 to MaxCPUs-1.
func (s *Set) Add(cpu int) {
	if cpu < 0 || cpu >= MaxCPUs {
		panic(fmt.Sprintf("affinity: CPU %d is not in 0 to %d", cpu, MaxCPUs-1))
	}
	s.words[cpu/64] |= 1 << (cpu % 64)
}

// Contains reports whether cpu, any number, is in the set.
func (s Set) Contains(cpu int) bool {
	return cpu >= 0 && cpu < MaxCPUs && s.words[cpu/64]&(1<<(cpu%64)) != 0
}

// Len is the number of CPUs in the set.
func (s Set) Len() int {
	n := 0
	for _, w := range s.words {
		n += bits.OnesCount64(w)
	}
	return n
}

// CPUs returns the CPUs of the set in ascending order.
func (s Set) CPUs() []int {
	var cpus []int
	for i, w := range s.words {
		for ; w != 0; w &= w - 1 {
			cpus = append(cpus, i*64+bits.TrailingZeros64(w))
		}
	}
	return cpus
}

// Or returns the set of the CPUs that are in s or in other.
func (s Set) Or(other Set) Set {
	for i, w := range other.words {
		s.words[i] |= w
	}
	return s
}

// And returns the set of the CPUs that are in s and in other.
func (s Set) And(other Set) Set {
	for i, w := range other.words {
		s.words[i] &= w
	}
	return s
}

// Without returns the set of the CPUs that are in s and not in other.
func (s Set) Without(other Set) Set {
	for i, w := range other.words {
		s.words[i] &^= w
	}
	return s
}

// Within reports whether all CPUs of s are in other.
func (s Set) Within(other Set) bool { return s.And(other) == s }

// First is the lowest CPU of the set, -1 when it is empty.
func (s Set) First() int {
	for i, w := range s.words {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// MarshalText implements encoding.TextMarshaler: the list of String.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, see Parse.
func (s *Set) UnmarshalText(list []byte) (err error) {
	*s, err = Parse(string(list))
	return err
}

// String is the list that Parse reads, "0-3,8,10-11"; empty for the empty set.
func (s Set) String() string {
	var list []byte
	cpus := s.CPUs()
	for len(cpus) > 0 {
		n := 1
		for n < len(cpus) && cpus[n] == cpus[0]+n {
			n++
		}
		if list != nil {
			list = append(list, ',')
		}
		list = strconv.AppendInt(list, int64(cpus[0]), 10)
		if n > 1 {
			list = append(list, '-')
			list = strconv.AppendInt(list, int64(cpus[n-1]), 10)
		}
		cpus = cpus[n:]
	}
	return string(list)
}
