// Package syswait waits on a core of its own in the state that the Go runtime
// has for goroutines in a system call.
//
// A goroutine that spins in Go is preempted by the runtime's monitor thread, for
// one that is locked to its thread at the cost of two futex wakes, some fifty
// times a second, and every stop of the world has to stop it. One that is in a
// system call is left alone: the monitor may at most take its P, which the return
// takes again or replaces, and the world stops without it. So a wait here
//
//	entersyscall → system call that cannot block, words in memory, clock → … → exitsyscall
//	                 └──────────── assembly, repeated ────────────┘
//
// looks busy to the kernel and absent to Go. What the runtime asks of code in
// that state is what the code here keeps to, each rule where it applies:
//
//   - entersyscall and exitsyscall are called by the same frame, which is still
//     there in between: exitsyscall compares stack pointers and throws.
//   - No stack grows: everything in between is nosplit. The stack guard is set so
//     that any check of it ends the process ("stack split at bad time").
//   - No write barrier and no allocation: the P may be somebody else's, and a
//     collection may be under way.
//   - No Go code: not that of the race detector nor of coverage, which would
//     count and record in between.
//   - It looks at nothing but memory that others keep alive and in place: see Call.
//
// # When the P is taken
//
// What the monitor goes by is how often the scheduler has run something on a P.
// When that count stands still for 10 ms, as it does where one goroutine runs for
// ever, it takes the P of a system call at each of its looks, looks every 20 µs or
// so from then on and, when it happens to come between two system calls, preempts:
// 25 times a second, seen, for stays of 10 µs one after the other. So a stay lasts
// until something comes or the P has been taken, which shows in the runtime's
// record of the thread (m.p). The monitor then has just looked: there is time to
// leave, take another P and enter again before it looks once more. And when
// something comes there nearly always is a P.
//
// Where that word is [findP] finds out at the start. Where it cannot, stays are of
// 10 µs.
//
// # Support
//
// All this is unsupported by Go, if widely used: the functions carry push
// linknames, which the linker lets anybody refer to. Should one vanish, the build
// fails at link time. So it is built with the tag boomnet_wait only, on
// linux/amd64; otherwise [Built] is false and Wait takes a single look, the plain
// spin.
package syswait

import "time"

// Word is a place in memory, which others write by atomics, and what it held when
// it was looked at last.
type Word struct {
	At   *uint64
	Seen uint64
}

// Call is a system call that cannot block and answers 0, or EINTR, while there is
// nothing. What it points to, the owner keeps alive, in the heap and so in place.
type Call struct {
	Args [7]uintptr // the number first
	None bool       // there is none to make
}

// Waiter is what a goroutine waits by. The zero value is ready.
type Waiter struct {
	// Words end a wait when one no longer holds what was seen in it.
	Words  []Word
	pinned bool
}

// MaxWait is the longest wait.
const MaxWait = time.Second

// Wait returns the first answer of the system call that is not 0: over 0 what it
// returned, below a negated errno; or 0 when a word has changed or d has passed. d
// is at most MaxWait; up to 0 there is one look. It does not allocate. While it
// waits a pinned P is let go.
func (w *Waiter) Wait(c *Call, d time.Duration) int {
	return w.wait(c, min(max(d, 0), MaxWait))
}

// Pause is a Wait for d and nothing else.
func (w *Waiter) Pause(d time.Duration) {
	p := Waiter{pinned: w.pinned}
	p.Wait(&nothing, d)
}

var nothing = Call{None: true}

// Pin keeps the calling goroutine, which is locked to its thread, on its P until
// Unpin: no preemption, no signal that asks for one (SIGURG is blocked on the
// thread), and no stop of the world but in a Wait. In between it must not block, nor
// panic: both end the process, with "schedule: holding locks" and "panic holding
// locks". It costs a system call.
func (w *Waiter) Pin() {
	if !w.pinned {
		w.pinned = true
		pin()
	}
}

// Unpin undoes Pin. It reports whether there was anything to undo.
func (w *Waiter) Unpin() bool {
	if !w.pinned {
		return false
	}
	w.pinned = false
	unpin()
	return true
}

// Pinned reports whether the P is pinned.
func (w *Waiter) Pinned() bool { return w.pinned }
