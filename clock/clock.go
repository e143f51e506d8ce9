// Package clock is the time that everything in boomnet reads: nanoseconds of
// CLOCK_MONOTONIC as an int64. Deadlines, timers, receive times and latencies
// are all differences of such numbers, so they may be compared with the stamps
// of another process on the same machine, and never jump with the wall clock.
//
// Production code uses [Monotonic]. Tests hand a [Manual] clock to whatever
// takes a Clock and move it by hand: a back-off of thirty seconds then takes
// no time at all and its order is exact.
package clock

import (
	"sync/atomic"
	"time"
	_ "unsafe" // go:linkname
)

// Clock tells the time. Implementations are safe for any goroutine and do not
// allocate.
type Clock interface {
	// Now is in nanoseconds from an arbitrary start; it never goes back.
	Now() int64
}

// Nano is CLOCK_MONOTONIC in nanoseconds, read through the vDSO: about 30 ns,
// where unix.ClockGettime makes a system call of more than 300.
//
//go:noescape
//go:linkname Nano runtime.nanotime
func Nano() int64

// Monotonic is the machine's own clock, [Nano]. The zero value is ready.
type Monotonic struct{}

// Now implements Clock.
func (Monotonic) Now() int64 { return Nano() }

// Manual is a clock that stands still until it is moved. The zero value starts
// at 0 and is ready. Any goroutine may read it and move it.
type Manual struct{ now atomic.Int64 }

// NewManual returns a clock that stands at start nanoseconds.
func NewManual(start int64) *Manual {
	m := new(Manual)
	m.now.Store(start)
	return m
}

// Now implements Clock.
func (m *Manual) Now() int64 { return m.now.Load() }

// Advance moves the clock forward by d and returns the new time. It panics when
// d is negative: a clock never goes back.
func (m *Manual) Advance(d time.Duration) int64 {
	if d < 0 {
		panic("clock: Advance by a negative duration")
	}
	return m.now.Add(int64(d))
}
