//go:build boomnet_wait

package syswait

import (
	"math/bits"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/clock"
)

// The time stamp counter says when a wait is over: it can be read without Go
// code and costs a third of the clock. It is measured against CLOCK_MONOTONIC
// once; an error of a thousandth is of no account for waits of microseconds.

func rdtsc() uint64
func cpuid(leaf uint32) (eax, ebx, ecx, edx uint32)

// sample is a reading of both clocks at one moment.
type sample struct {
	ticks uint64
	nanos int64
}

// now is the closest of a few readings.
func now() (best sample) {
	closest := int64(-1)
	for range 5 {
		before := clock.Nano()
		ticks := rdtsc()
		after := clock.Nano()
		if d := after - before; closest < 0 || d < closest {
			closest, best = d, sample{ticks, before + d/2}
		}
	}
	return best
}

// minBase is how long the counter is measured for at least.
const minBase = 2 * time.Millisecond

// shift is the number of binary places of ticksPerNano.
const shift = 24

var (
	started = now()

	calibrated   sync.Once
	ticksPerNano uint64 // 0: the counter is not usable, or was not measured
)

// Usable reports whether the processor's time stamp counter can be waited by: it
// ticks at one rate, in sleep too (the flags constant_tsc and nonstop_tsc of
// /proc/cpuinfo). Hypervisors may hide that. The first call measures the counter,
// which may take 2 ms; before it, and where it says no, a Wait takes a single
// look.
func Usable() bool {
	calibrated.Do(func() {
		if invariant() {
			ticksPerNano = calibrate(started)
			offsetOfP = findP()
			tickable = findTicks(offsetOfP)
		}
	})
	return ticksPerNano != 0
}

// invariant asks the processor (bit 8 of EDX of leaf 8000_0007h, Intel's SDM
// 17.17.1, AMD's APM volume 3 E.4.6).
func invariant() bool {
	const leaf, bit = 0x80000007, 1 << 8
	if most, _, _, _ := cpuid(0x80000000); most < leaf {
		return false
	}
	_, _, _, edx := cpuid(leaf)
	return edx&bit != 0
}

// calibrate returns how many ticks there have been in a nanosecond since from, 0
// when the counter cannot be believed.
func calibrate(from sample) uint64 {
	to := now()
	for to.nanos-from.nanos < int64(minBase) {
		time.Sleep(minBase)
		to = now()
	}
	return rate(from, to)
}

// rate is ticks in a nanosecond with shift binary places; 0 when it is below 0.1
// or above 16.
func rate(from, to sample) uint64 {
	if to.nanos <= from.nanos || to.ticks <= from.ticks {
		return 0
	}
	nanos := uint64(to.nanos - from.nanos)
	hi, lo := bits.Mul64(to.ticks-from.ticks, 1<<shift)
	if hi >= nanos {
		return 0
	}
	r, _ := bits.Div64(hi, lo, nanos)
	if r < 1<<shift/10 || r > 16<<shift {
		return 0
	}
	return r
}

// toTicks converts at most MaxWait: 30 bits, by at most 28.
func toTicks(d time.Duration) uint64 { return uint64(d) * ticksPerNano >> shift }
