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
// ever, it preempts the goroutine, takes the P of a system call at each of its looks,
// and looks every 20 µs or so from then on. A goroutine that was started, see
// [Waiter.Start], counts up itself at the end of each stay, which lasts 2 ms at the
// most: what it runs from one wait to the next looks like a goroutine of its own. So
// the monitor neither preempts nor takes, and looks each 10 ms.
//
// The P may be taken all the same, by a stop of the world or because others have
// work, which shows in the runtime's record of the thread (m.p). Then a stay ends
// within 30 µs: the monitor has just looked, there is time to leave, take another P
// and enter again before it looks once more. Without that the monitor would fall
// asleep when all Ps are idle, and has to be woken at the end of the stay: 14 µs,
// seen 40 times a second before the count was kept up.
//
// Where these words are is found out, or checked, at the start. Where m.p is not
// found, stays are of 10 µs; where the count is not, or no P is to spare, nothing is
// counted up.
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
	counting
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

// Start says that the calling goroutine, which is locked to its thread, waits again
// and again until Stop and has a P for itself: as long as GOMAXPROCS is more than
// there are such goroutines, the monitor does not preempt it, unless it works for
// 10 ms without a Wait or Tick. A change of GOMAXPROCS is seen within a second.
func (w *Waiter) Start() { w.start() }

// Stop undoes Start.
func (w *Waiter) Stop() { w.stop() }

// Tick is for work that goes on for long without a Wait: it puts off a preemption by
// 10 ms. It costs 2 ns.
func (w *Waiter) Tick() { w.tick() }

// Pause is a Wait for d and nothing else.
func (w *Waiter) Pause(d time.Duration) {
	p := Waiter{pinned: w.pinned, counting: w.counting}
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
