package main

import (
	"fmt"
	"math/rand/v2"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
)

// steadyMemory is how many bytes of different frames there are before they repeat:
// more than a compressor looks back.
const steadyMemory = 8 << 20

// steady sleeps between its writes, so that others can use its CPU. One that comes
// late is made up for by the next.
func steady(p peer, w work) error {
	frames, frame := newUpdates(w)
	// Without this the kernel may add 50 µs to each sleep.
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	rest := frames
	next := clock.Nano() + startDelay
	for left := w.n; left > 0; left -= w.each {
		size := frame * min(left, w.each)
		if size > len(rest) {
			rest = frames
		}
		sleepUntil(next)
		if err := p.send(rest[:size], frame); err != nil {
			return err
		}
		rest = rest[size:]
		next += int64(w.param) * 1000
	}
	return nil
}

// newUpdates makes frames as newFrames does, of as many writes as steadyMemory takes,
// whose texts are as different as those of a real feed: updates of order books.
func newUpdates(w work) (frames []byte, frame int) {
	one, frame := newFrames(w)
	random := rand.New(rand.NewPCG(1, 2))
	for n := 0; len(frames) == 0 || len(frames)+len(one) <= steadyMemory && n < w.n; n += w.each {
		frames = append(frames, one...)
		for at := len(frames) - len(one); at < len(frames); at += frame {
			update(frames[at+frame-w.size:at+frame], random)
		}
	}
	return frames, frame
}

// update fills p behind the stamp with levels of a book.
func update(p []byte, random *rand.Rand) {
	var memory [512]byte
	text := fmt.Appendf(memory[:0], `","e":"depthUpdate","s":"BTCUSDT","U":%d,"b":[`, random.Uint32())
	for rest := p[minPayload:]; len(rest) > 0; {
		rest = rest[copy(rest, text):]
		text = fmt.Appendf(text[:0], `["%d.%02d","%d.%05d"],`, 67000+random.IntN(300), random.IntN(100), random.IntN(9), random.IntN(100000))
	}
}

// sleepUntil sleeps until a time of CLOCK_MONOTONIC, unless it is past; without the
// scheduler's knowledge, as system.
func sleepUntil(at int64) {
	until := unix.NsecToTimespec(at)
	for {
		_, _, e := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, timerAbstime, uintptr(unsafe.Pointer(&until)), 0, 0, 0)
		if e != unix.EINTR {
			return
		}
	}
}

const timerAbstime = 1 // TIMER_ABSTIME
