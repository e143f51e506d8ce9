//go:build boomnet_wait

package syswait

import (
	"runtime"
	"sync/atomic"
	"time"
)

// The monitor takes the P of a goroutine, or asks it to give way, when the count of
// what the scheduler has run on it stands still for 10 ms. So a Waiter that was
// started counts up itself. Nobody but the thread that has the P writes the count,
// and nothing else goes by it but the scheduler's look, each 61 runs, at the queue
// that all Ps share.
//
// What the monitor would have taken the P for is that others get to run. So this is
// done only while there is a P more than there are goroutines that do it: it takes
// over what the others leave in their queues.

// Where the counts are in a p.
const (
	offsetOfRuns  = 16 // schedtick: of goroutines run
	offsetOfCalls = 20 // syscalltick: of system calls ended
)

// tickEvery is how long a stay lasts where the count is kept up: less than half of
// the time in which it must have changed.
const tickEvery = 2 * time.Millisecond

// reviewEvery is how often GOMAXPROCS is looked at.
const reviewEvery = time.Second

// counting is a Waiter's part in that.
type counting struct {
	started  bool
	ticks    bool   // the count of the P is kept up
	reviewAt uint64 // when to see again whether that is right
}

// holders are the Waiters that were started and not stopped.
var holders atomic.Int32

// tickable says that the count is where it should be. It is set before the first
// wait.
var tickable bool

// tick counts up on the P of the calling thread; pAt is where m.p is in an m, 0 for
// not to count.
func tick(pAt uintptr)

// counts reads the P of the calling thread, and both of its counts.
//
//go:noescape
func counts(pAt uintptr, of *pCounts)

type pCounts struct {
	p           uintptr
	runs, calls uint32
}

// findTicks checks that the counts are where they should be, by having the runtime
// count.
func findTicks(pAt uintptr) bool {
	if pAt == 0 {
		return false
	}
	const enough, tries = 3, 1000
	for seen := 0; seen < enough; {
		for n := 0; ; n++ {
			if n == tries {
				return false
			}
			var before, called, after pCounts
			aCall(pAt, &before, &called)
			if called.p != before.p {
				continue // it was taken; likewise below
			}
			if called.calls != before.calls+1 || called.runs != before.runs {
				return false
			}
			counts(pAt, &before)
			runtime.Gosched()
			counts(pAt, &after)
			if after.p != before.p {
				continue
			}
			if after.runs == before.runs {
				return false
			}
			seen++
			break
		}
	}
	return true
}

// aCall looks before and after a system call. The rules of wait apply.
//
//go:nosplit
//go:norace
//go:noinline
func aCall(pAt uintptr, before, after *pCounts) {
	counts(pAt, before)
	entersyscall()
	exitsyscall()
	counts(pAt, after)
}

// start, stop and review keep Waiter.ticks.

func (w *Waiter) start() {
	if !w.started {
		w.started = true
		holders.Add(1)
		w.review(rdtsc())
	}
}

func (w *Waiter) stop() {
	if w.started {
		w.started, w.ticks = false, false
		holders.Add(-1)
	}
}

func (w *Waiter) review(now uint64) {
	w.ticks = tickable && int(holders.Load()) < runtime.GOMAXPROCS(0)
	w.reviewAt = now + toTicks(reviewEvery)
}

func (w *Waiter) tick() { tick(w.pAt()) }

// pAt is what to call tick with.
func (w *Waiter) pAt() uintptr {
	if w.ticks {
		return offsetOfP
	}
	return 0
}
