package affinity

import (
	"errors"
	"strconv"
)

// ErrUnavailable says that a CPU does not exist or that this process may not use it.
var ErrUnavailable = errors.New("affinity: CPU not available to this process")

// Placement says where a thread runs. The zero value is Unbound: wherever the
// kernel puts it.
type Placement struct{ cpu int } // the CPU's number plus one; 0: unbound

// Unbound leaves the thread where the kernel puts it.
var Unbound = Placement{}

// Fixed pins the thread to one CPU, by the kernel's number. A negative number
// is Unbound.
func Fixed(cpu int) Placement { return Placement{max(cpu, -1) + 1} }

// CPU returns the CPU's number, and whether there is one.
func (p Placement) CPU() (cpu int, fixed bool) { return p.cpu - 1, p.cpu > 0 }

// String is "cpu 3" or "unbound".
func (p Placement) String() string {
	if cpu, ok := p.CPU(); ok {
		return "cpu " + strconv.Itoa(cpu)
	}
	return "unbound"
}
