package main

import (
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
)

// sample is what was spent up to a moment on the reactor's goroutine.
type sample struct {
	wall, thread, process int64
	messages              int
	bytes, reads          int64
	allocs                uint64
}

// take makes the sample. Counting allocations stops the world, for microseconds of
// the thread's own: too few to matter in a second.
func (s *sample) take(messages int, bytes, reads int64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	*s = sample{
		wall: clock.Nano(), thread: cpu(unix.CLOCK_THREAD_CPUTIME_ID), process: cpu(unix.CLOCK_PROCESS_CPUTIME_ID),
		messages: messages, bytes: bytes, reads: reads, allocs: m.Mallocs,
	}
}

// cpu is the processor time of this thread or process so far, in ns.
func cpu(clock int32) int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(clock, &t) // cannot fail with these clocks
	return t.Nano()
}
