//go:build boomnet_wait

package syswait

import (
	"time"
	_ "unsafe" // go:linkname

	"golang.org/x/sys/unix"
)

// Built says whether Wait waits.
const Built = true

// The runtime's own. Each has a push linkname, a comment that asks not to change
// its signature, and is nosplit.

//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

func pin() {
	mask(unix.SIG_BLOCK)
	procPin()
}

// unpin lets a signal that is pending through last: what it asks for can be had now.
func unpin() {
	procUnpin()
	mask(unix.SIG_UNBLOCK)
}

const (
	// slice is how long a stay lasts where it cannot be seen that the P was taken.
	// The monitor looks each 20 µs at the most and takes the P of a system call
	// that is still the one of its last look.
	slice = 10 * time.Microsecond
	// grace is how long a stay lasts when the P was taken. The monitor, which hands
	// the P on and looks at others, is done by then and not yet back: 20 µs is what
	// it sleeps, 70 with the usual timer slack. And a stop of the world that took
	// the P may be over, which otherwise would be slept through and woken from.
	grace = 30 * time.Microsecond
	// minRound is less than what a round of loop takes, in nanoseconds.
	minRound = 8
)

// stay is how long loop stays, in ticks of the TSC but for rounds.
type stay struct {
	end    uint64 // when the wait is over
	slice  uint64
	grace  uint64
	rounds uint64  // at most, should the counter lie
	p      uintptr // where m.p is in an m; 0: not known
	tick   uintptr // the same to count up there after each stay; 0: do not
}

// loop is one stay in system-call state. more says that the wait is not over: the
// P was taken, or the slice has ended.
//
//go:noescape
func loop(w *Waiter, c *Call, s *stay) (n int, more bool)

func (w *Waiter) wait(c *Call, d time.Duration) int {
	now := rdtsc()
	if w.started && now >= w.reviewAt {
		w.review(now)
	}
	s := stay{
		end: now + toTicks(d), slice: toTicks(slice), grace: toTicks(grace),
		rounds: uint64(d)/minRound + 1, p: offsetOfP, tick: w.pAt(),
	}
	switch {
	case s.tick != 0:
		s.slice = toTicks(tickEvery)
	case s.p != 0:
		s.slice = toTicks(MaxWait) // until the P is taken
	}
	if w.pinned {
		return waitUnpinned(w, c, &s)
	}
	return wait(w, c, &s)
}

// Both of these are nosplit, so that the runtime finds no point in them at which to
// preempt, and have a straight line from one call to the other, so that coverage
// does not count in between. norace keeps the race detector out. They are frames of
// their own (noinline): in what they would be inlined into there are such points.
//
// Between two stays nothing else is done, so that the monitor finds the goroutine
// running as seldom as can be.

//go:nosplit
//go:norace
//go:noinline
func wait(w *Waiter, c *Call, s *stay) int {
	for {
		entersyscall()
		n, more := loop(w, c, s)
		exitsyscall()
		tick(s.tick)
		if !more {
			return n
		}
	}
}

// waitUnpinned takes no preemption that was asked for meanwhile: from one procPin
// to the next nothing checks the stack.
//
//go:nosplit
//go:norace
//go:noinline
func waitUnpinned(w *Waiter, c *Call, s *stay) int {
	procUnpin()
	n := wait(w, c, s)
	procPin()
	return n
}
