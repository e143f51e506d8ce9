package jitter

import "fmt"

// Cause is what made a gap, as far as counters tell. They are asked in this order;
// the first that has moved is the cause.
type Cause uint8

// The causes. The first five are made by the Go runtime: the thread waited of its
// own accord, came back with another P, or had to handle a signal.
const (
	// GCStop: a switch or a change of P, and the garbage collector has stopped
	// the world since the last look.
	GCStop Cause = iota
	// OtherStop is the same with a stop for another reason: ReadMemStats, a
	// goroutine profile, GOMAXPROCS.
	OtherStop
	// Switch is a voluntary context switch: the scheduler took the goroutine off
	// its P, which for a locked one means that its thread waits for a futex; or
	// the loop made a system call that blocks.
	Switch
	// ChangeOfP: the thread came back from a system call and its P was taken,
	// while the kernel had left it on its CPU. Where it had not, that is why the
	// P was taken, and the cause is Migration or Preemption.
	ChangeOfP
	// Signal: a signal was handled on the thread, and nothing else has happened.
	// It is how Go's monitor asks for a preemption (SIGURG): in vain where the P
	// is pinned, and so again and again.
	Signal
	// Migration: the kernel has moved the thread to another CPU.
	Migration
	// Preemption is an involuntary switch: the kernel ran another thread.
	Preemption
	// PageFault: memory was touched that was not mapped.
	PageFault
	// Interrupt: the thread kept its CPU and yet did not run, so something
	// beneath it did: an interrupt, the host of a virtual machine.
	Interrupt
	// Unknown: as Interrupt, but the CPU has counted no interrupt and no stolen
	// time since the last look: firmware (SMI), a change of frequency, a stalled
	// bus; or the host without telling.
	Unknown

	causes = iota
)

// names are the causes in JSON.
var names = [causes]string{
	"gc-stop", "other-stop", "voluntary-switch", "change-of-p",
	"signal", "migration", "preemption", "page-fault", "interrupt-or-host", "unknown",
}

// Causes returns all causes in their order.
func Causes() []Cause {
	all := make([]Cause, causes)
	for i := range all {
		all[i] = Cause(i)
	}
	return all
}

// GoMade reports whether the Go runtime made the gap.
func (c Cause) GoMade() bool { return c <= Signal }

// String is the name in JSON: "gc-stop".
func (c Cause) String() string {
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// MarshalText implements encoding.TextMarshaler.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Cause) UnmarshalText(text []byte) error {
	for i, name := range names {
		if name == string(text) {
			*c = Cause(i)
			return nil
		}
	}
	return fmt.Errorf("jitter: unknown cause %q", text)
}

// Counters are what is cheap to read on the thread itself, in about 3 µs.
type Counters struct {
	Voluntary, Involuntary int64  // context switches of the thread
	Faults                 int64  // page faults of the thread
	Signals                int64  // looks that found that it had handled a signal
	CPU                    int    // where it runs
	P                      int    // which P it holds
	GCStops, OtherStops    uint64 // stops of the world since the process began
}

// Beneath is what the CPU counts beneath its threads. Reading it takes tens of
// microseconds, milliseconds on a machine with hundreds of CPUs.
type Beneath struct {
	Interrupts int64 // of all kinds
	Steal      int64 // in ticks of 10 ms: what the host kept for itself
}

// since reports whether anything was counted after an earlier reading.
func (b Beneath) since(earlier Beneath) bool {
	return b.Interrupts != earlier.Interrupts || b.Steal != earlier.Steal
}

// classify is the cause of a gap, from the counters of the look before it and
// those after it. Where only what is beneath the thread is left it is Interrupt.
func classify(before, after *Counters) Cause {
	switch {
	case after.Voluntary != before.Voluntary || after.P != before.P && after.Involuntary == before.Involuntary:
		switch {
		case after.GCStops != before.GCStops:
			return GCStop
		case after.OtherStops != before.OtherStops:
			return OtherStop
		case after.Voluntary != before.Voluntary:
			return Switch
		}
		return ChangeOfP
	case after.CPU != before.CPU:
		return Migration
	case after.Involuntary != before.Involuntary:
		return Preemption
	case after.Signals != before.Signals:
		return Signal
	case after.Faults != before.Faults:
		return PageFault
	}
	return Interrupt
}
