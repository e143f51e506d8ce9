package clock

import "time"

// Wall converts times of CLOCK_REALTIME, by which the kernel stamps packets, to
// those of CLOCK_MONOTONIC, which everything here is measured in. The zero value
// is ready. One goroutine at a time uses it; it neither allocates nor makes a
// system call.
//
// The two clocks run at the same rate, corrections by NTP or PTP included; their
// distance changes only when the wall clock is set: by hand, by a leap second,
// by a first synchronization. So the distance is sampled once in a while: the
// wall clock between two readings of the other, the closest of a few. A result
// is off by at most Bound, about 0.1 µs; when the clock has been set, by as much
// as that until the next sample, at most 100 ms later, and for a time from
// before the setting for good.
type Wall struct {
	distance int64 // CLOCK_REALTIME minus CLOCK_MONOTONIC
	bound    int64
	sampled  int64 // when, by CLOCK_MONOTONIC
	valid    bool
	read     func() (before, wall, after int64) // nil: the machine's clocks
}

// Converter is a clock that converts times of CLOCK_REALTIME itself, as Wall does:
// one that belongs to a recording.
type Converter interface{ Monotonic(wall, now int64) int64 }

const (
	// wallInterval is how long a sample is used, in nanoseconds.
	wallInterval = int64(100 * time.Millisecond)
	// wallRetry is how long at least when results lie in the future, which says
	// that the clock was set, or that the times are some other clock's.
	wallRetry = int64(time.Millisecond)
	// wallReadings is how many readings a sample is the best of.
	wallReadings = 5
)

// Monotonic converts wall, in nanoseconds since 1970. now is the present time by
// CLOCK_MONOTONIC, a recent one will do: it decides whether to sample anew, which
// costs about 0.5 µs. A result may lie after now, by Bound for one thing.
func (w *Wall) Monotonic(wall, now int64) int64 {
	age := now - w.sampled
	if !w.valid || age >= wallInterval || age <= -wallInterval ||
		age >= wallRetry && wall-w.distance > now+w.bound {
		w.sample()
	}
	return wall - w.distance
}

// Bound is how far off the distance was at most when it was sampled, 0 before.
func (w *Wall) Bound() time.Duration { return time.Duration(w.bound) }

func (w *Wall) sample() {
	read := w.read
	if read == nil {
		read = readWall
	}
	for i := range wallReadings {
		before, wall, after := read()
		// Rounded up: the truth lies within half the time between.
		if bound := (after - before + 1) / 2; i == 0 || bound < w.bound {
			w.bound, w.distance = bound, wall-before-(after-before)/2
		}
		w.sampled, w.valid = after, true
	}
}

func readWall() (before, wall, after int64) {
	before = Nano()
	wall = time.Now().UnixNano()
	return before, wall, Nano()
}
