package affinity

import (
	"errors"
	"fmt"
	"strings"
)

// Kind names a way to choose CPUs.
type Kind uint8

const (
	// KindUnbound leaves every thread where the kernel puts it.
	KindUnbound Kind = iota
	// KindFixed takes the CPUs of Policy.CPUs in their order.
	KindFixed
	// KindSpread puts threads as far apart as can be: on packages, nodes, dies and
	// caches in turn. Each has the most memory bandwidth and cache. Siblings are
	// used when all cores have a thread.
	KindSpread
	// KindPack puts threads as near together as can be, below one core, cache or
	// node if they fit: what they hand to each other has the shortest way. SMT
	// siblings are the nearest of all: AvoidSMT leaves them idle.
	KindPack
	// KindShared is KindSpread, and when there are fewer CPUs than threads they are
	// dealt out again from the first. A warning tells who shares.
	KindShared
)

var kindNames = []string{"unbound", "fixed", "spread", "pack", "shared"}

// String is the name that ParseKind reads.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind understands "unbound", "fixed", "spread", "pack" and "shared", and as
// others call them "max-spread" and "max-pack".
func ParseKind(s string) (Kind, error) {
	for i, name := range kindNames {
		if s == name || i >= int(KindSpread) && i <= int(KindPack) && s == "max-"+name {
			return Kind(i), nil
		}
	}
	return 0, fmt.Errorf("affinity: placement %q, must be one of %s", s, strings.Join(kindNames, ", "))
}

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler, see ParseKind.
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKind(string(text))
	return err
}

// Policy says how CPUs are chosen for threads that are to have one each. The zero
// value leaves them unbound. All conditions hold together, for KindFixed too.
//
// Among CPUs that are equally good isolated ones come first if they are preferred,
// fast cores before slow ones, and CPU 0's core last. The same topology and policy
// always give the same plan.
type Policy struct {
	Kind Kind
	CPUs []int // for KindFixed, at least one for each thread; without it none

	// AvoidSMT uses one CPU of each core; with AvoidCPU0 none of CPU 0's core. It
	// is worth what keeps other work off the siblings too.
	AvoidSMT  bool
	AvoidCPU0 bool // not CPU 0, which takes what can run anywhere
	AvoidSlow bool // only the fastest kind of core, where cores differ

	// Either of these takes isolated CPUs also where they are not in the mask, as
	// isolcpus= has taken them out of every mask and Pin reaches them.
	PreferIsolated bool // isolated CPUs before all others
	OnlyIsolated   bool // and no others

	NearNIC string // only CPUs next to this interface; empty: anywhere
	Within  Set    // only these; empty: any. For a node: Topology.Nodes[0].CPUs
	Except  Set    // not these, which are for something else
}

// ErrTooFewCPUs says that a placement wants more CPUs than there are for it. The
// error is a *TooFewCPUsError.
var ErrTooFewCPUs = errors.New("affinity: too few CPUs")

// ErrNoNIC says that there is no such network interface.
var ErrNoNIC = errors.New("affinity: no such network interface")

// TooFewCPUsError says how many CPUs are missing, and why the others do not count.
type TooFewCPUsError struct {
	Wanted   int
	Remain   Set
	Excluded []Exclusion
}

// Error is one line with all of it.
func (e *TooFewCPUsError) Error() string {
	s := fmt.Sprintf("%v: %d wanted, %s", ErrTooFewCPUs, e.Wanted, remain(e.Remain))
	for i, x := range e.Excluded {
		s += []string{"; excluded ", ", "}[min(i, 1)] + x.String()
	}
	return s
}

// Unwrap makes errors.Is(err, ErrTooFewCPUs) true.
func (*TooFewCPUsError) Unwrap() error { return ErrTooFewCPUs }

func remain(s Set) string {
	switch s.Len() {
	case 0:
		return "none remains"
	case 1:
		return fmt.Sprintf("1 remains (%s)", s)
	}
	return fmt.Sprintf("%d remain (%s)", s.Len(), s)
}

// Exclusion is why a policy does not choose some CPUs. For a CPU with several
// reasons it is the first in the order of the constants.
type Exclusion struct {
	Why  Exclude `json:"why"`
	CPUs Set     `json:"cpus"`
}

// String is "8-15 (not in this process's mask)".
func (x Exclusion) String() string { return fmt.Sprintf("%s (%s)", x.CPUs, x.Why) }

// Exclude is a reason not to choose a CPU.
type Exclude string

// The reasons, in the order in which they are looked at.
const (
	Offline     Exclude = "offline"
	NotAllowed  Exclude = "not in this process's mask"
	NotWithin   Exclude = "outside the CPUs asked for"
	Excepted    Exclude = "kept for something else"
	FarFromNIC  Exclude = "far from the NIC"
	IsCPU0      Exclude = "CPU 0 avoided"
	CPU0Sibling Exclude = "SMT sibling of CPU 0"
	SlowCore    Exclude = "slow core"
	NotIsolated Exclude = "not isolated"
	SMTSibling  Exclude = "SMT sibling"
)

// Plan is where threads are to run, and what one should know about it.
type Plan struct {
	Placements []Placement // one for each thread, for reactor.Config.CPU
	Warnings   []Warning
	Excluded   []Exclusion // what the policy left out
	// Rest is for the rest of the program: what this process may use and no thread
	// has taken; with AvoidSMT the siblings are left out too. Empty: there is none.
	Rest Set
}

// Chosen are the CPUs of all placements.
func (p *Plan) Chosen() Set {
	var s Set
	for _, at := range p.Placements {
		if cpu, fixed := at.CPU(); fixed {
			s.Add(cpu)
		}
	}
	return s
}

// Warning is something that a placement cannot help and that costs latency.
type Warning struct {
	Kind WarningKind `json:"kind"`
	CPUs Set         `json:"cpus"` // that it is about
	Text string      `json:"text"` // for a person
}

// String is the text.
func (w Warning) String() string { return w.Text }

// WarningKind tells warnings apart.
type WarningKind string

// The kinds of warnings.
const (
	WarnShared      WarningKind = "shared"       // several threads on one CPU
	WarnSiblings    WarningKind = "siblings"     // threads on SMT siblings
	WarnSlow        WarningKind = "slow"         // threads on slow cores
	WarnNotIsolated WarningKind = "not isolated" // PreferIsolated, and there were too few
	WarnNothingLeft WarningKind = "nothing left" // no CPU for the rest of the program
	WarnQuota       WarningKind = "quota"        // the cgroup may use less than the threads
	WarnInterrupts  WarningKind = "interrupts"   // NearNIC's interrupts are handled on a thread's CPU
	WarnNICPlace    WarningKind = "nic place"    // NearNIC's place is not known, any CPU counts as near
)
