package affinity

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// Topology is what the kernel tells of a machine: its CPUs, what they share, and
// what this process may use of them. It is a value without references to the
// machine: it can be kept, compared and written as JSON, and read back elsewhere.
//
// Packages, dies, cores, caches and nodes are lists of CPU sets rather than a
// tree, because they need not nest: a node may be a part of a package or hold
// several, a cache may be shared by a core, a cluster or a die. Within one list no
// CPU is in two sets (caches: of one level and type).
//
// Whatever could not be read is unknown, -1, 0 or an empty set, and Problems says
// why.
type Topology struct {
	CPUs     []CPU   `json:"cpus"`     // all that are present, ascending
	Packages []Group `json:"packages"` // sockets
	Dies     []Group `json:"dies"`     // by package; mostly one in each
	Cores    []Group `json:"cores"`    // their CPUs are SMT siblings
	Caches   []Cache `json:"caches"`   // the largest level first
	Nodes    []Node  `json:"nodes"`    // NUMA; empty where the kernel knows no NUMA
	NICs     []NIC   `json:"nics"`     // of this network namespace, by name

	Isolated Set `json:"isolated"`  // off the scheduler's balancing: isolcpus, isolated cpuset partitions
	NohzFull Set `json:"nohz_full"` // without a tick while one thread runs

	Process  Process   `json:"process"`
	Problems []Problem `json:"problems"`
}

// CPU is one logical CPU, a hardware thread.
type CPU struct {
	ID      int  `json:"id"`      // the kernel's number
	Online  bool `json:"online"`  // nothing else is known of a CPU that is not
	Package int  `json:"package"` // the kernel's number of its package, -1: unknown
	Die     int  `json:"die"`     // of its die in the package, -1: unknown
	Core    int  `json:"core"`    // of its core in the package, -1: unknown
	Node    int  `json:"node"`    // of its NUMA node, -1: unknown

	Kind         CoreKind `json:"kind,omitempty"`     // where cores differ
	Capacity     int      `json:"capacity,omitempty"` // what it can do beside the fastest, which has 1024; 0: unknown
	MaxFrequency int64    `json:"max_hz,omitempty"`   // of its clock, in hertz; 0: unknown
}

// CoreKind tells cores apart on a machine that has fast and slow ones. It is
// empty where all are alike.
type CoreKind string

// The kinds of cores.
const (
	Performance CoreKind = "performance" // Intel's P, ARM's big: the fastest
	Efficiency  CoreKind = "efficiency"  // Intel's E, ARM's little: anything slower
)

// Group is a package, a die or a core.
type Group struct {
	ID   int `json:"id"` // the kernel's number, -1: unknown; those of dies and cores repeat in each package
	CPUs Set `json:"cpus"`
}

// CacheType says what a cache holds.
type CacheType string

// The types of caches.
const (
	Unified     CacheType = "unified"
	Data        CacheType = "data"
	Instruction CacheType = "instruction"
)

// Cache is one cache with the CPUs that share it.
type Cache struct {
	Level int       `json:"level"` // from 1
	Type  CacheType `json:"type"`
	Size  int64     `json:"size,omitempty"` // bytes, 0: unknown
	CPUs  Set       `json:"cpus"`
}

// String is "L3", "L1d" or "L1i".
func (c Cache) String() string {
	name := fmt.Sprintf("L%d", c.Level)
	switch c.Type {
	case Data:
		name += "d"
	case Instruction:
		name += "i"
	}
	return name
}

// Node is a NUMA node: memory, and the CPUs next to it, if any.
type Node struct {
	ID       int   `json:"id"`
	CPUs     Set   `json:"cpus"`
	Memory   int64 `json:"memory,omitempty"`   // bytes, 0: unknown
	Distance []int `json:"distance,omitempty"` // to each node as the firmware says, 10 to itself
}

// NIC is a network interface.
type NIC struct {
	Name    string   `json:"name"`
	Virtual bool     `json:"virtual,omitempty"` // without a device: lo, a VLAN, a bond, a container's end of a veth pair
	Lower   []string `json:"lower,omitempty"`   // the interfaces that it works through: of a VLAN, of a bond
	Driver  string   `json:"driver,omitempty"`
	Device  string   `json:"device,omitempty"` // as the bus names it: 0000:3b:00.0
	Up      bool     `json:"up,omitempty"`
	Speed   int64    `json:"speed,omitempty"` // bits a second, 0: unknown

	Node int   `json:"node"`           // NUMA node, -1: unknown, or equally near to all
	CPUs Set   `json:"cpus"`           // those next to it; empty: unknown
	IRQs []IRQ `json:"irqs,omitempty"` // its interrupts, ascending
}

// IRQCPUs are the CPUs that take interrupts of n.
func (n NIC) IRQCPUs() Set {
	var s Set
	for _, irq := range n.IRQs {
		s = s.Or(irq.CPUs)
	}
	return s
}

// IRQ is an interrupt and where it is handled.
type IRQ struct {
	Number int `json:"irq"`
	CPUs   Set `json:"cpus"` // in effect where the kernel tells, else those allowed; empty: unknown
}

// Process is what this process may use.
type Process struct {
	// Allowed are the CPUs that its threads may run on: the truth, whatever the
	// reason. Cpuset only explains it.
	Allowed Set    `json:"allowed"`
	Cgroup  string `json:"cgroup,omitempty"` // path of the group that limits CPUs; empty: unknown
	Cpuset  Set    `json:"cpuset"`           // of that group, in effect; empty: unknown or all

	// Quota is the CPU time that the group, or one above it, may use in each
	// Period, of all its threads together; 0: unlimited.
	Quota  time.Duration `json:"quota_ns,omitempty"`
	Period time.Duration `json:"period_ns,omitempty"`
}

// pinnable are the CPUs that a thread of the process may be pinned to: those of its
// mask; for a policy that wants isolated ones these, too, which isolcpus= has taken
// out of every mask, unless the cgroup lacks them.
func (t *Topology) pinnable(p Policy) Set {
	if !p.PreferIsolated && !p.OnlyIsolated {
		return t.Process.Allowed
	}
	isolated := t.Isolated
	if t.Process.Cpuset != (Set{}) {
		isolated = isolated.And(t.Process.Cpuset)
	}
	return t.Process.Allowed.Or(isolated)
}

// QuotaCPUs is the quota as a number of CPUs, 0 when there is none.
func (p Process) QuotaCPUs() float64 {
	if p.Period <= 0 {
		return 0
	}
	return float64(p.Quota) / float64(p.Period)
}

// Local reads the topology of this machine. It takes milliseconds, opens some
// dozens of files a CPU, and allocates: call it at start. Any goroutine may.
//
// It does not fail: without /sys there are still the CPUs of this process's mask,
// each a core of its own.
func Local() *Topology {
	allowed, err := Available()
	t, r := read(os.DirFS("/"), allowed)
	if err != nil {
		r.report("the mask of this process", Unreadable, err.Error())
		t.Problems = r.found()
	}
	return t
}

// CPU returns the CPU with the kernel's number id, and whether there is one.
func (t *Topology) CPU(id int) (c CPU, ok bool) {
	i, ok := slices.BinarySearchFunc(t.CPUs, id, func(c CPU, id int) int { return c.ID - id })
	if !ok {
		return CPU{}, false
	}
	return t.CPUs[i], true
}

// Present are all CPUs.
func (t *Topology) Present() Set {
	var s Set
	for _, c := range t.CPUs {
		s.Add(c.ID)
	}
	return s
}

// Online are the CPUs that run.
func (t *Topology) Online() Set {
	var s Set
	for _, c := range t.CPUs {
		if c.Online {
			s.Add(c.ID)
		}
	}
	return s
}

// Siblings are the CPUs of cpu's core, cpu among them; empty when it is not known.
func (t *Topology) Siblings(cpu int) Set {
	if i := holder(t.Cores, cpu, func(g Group) Set { return g.CPUs }); i >= 0 {
		return t.Cores[i].CPUs
	}
	return Set{}
}

// LastCache returns the largest cache of cpu, the one that most CPUs share, and
// whether one is known.
func (t *Topology) LastCache(cpu int) (c Cache, ok bool) {
	i := holder(t.Caches, cpu, func(c Cache) Set { return c.CPUs })
	if i < 0 {
		return Cache{}, false
	}
	return t.Caches[i], true
}

// holder is the index of the first of groups that holds cpu, -1 if none does.
func holder[G any](groups []G, cpu int, cpus func(G) Set) int {
	return slices.IndexFunc(groups, func(g G) bool { return cpus(g).Contains(cpu) })
}
