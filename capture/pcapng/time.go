package pcapng

import (
	"math"
	"math/bits"
)

const (
	microResolution = 6 // of an interface that says nothing
	nanoResolution  = 9
	second          = 1_000_000_000 // in nanoseconds
)

// nanoseconds converts a time of the file: units of resolution (if_tsresol), to
// which offset seconds (if_tsoffset) and offsetNS nanoseconds are added. What is
// finer than a nanosecond is cut off; what int64 does not hold, before 1677 or after
// 2262, becomes the nearest that it does.
func nanoseconds(units uint64, resolution uint8, offset int64, offsetNS int32) int64 {
	if offset == 0 && offsetNS == 0 && units <= math.MaxInt64/1000 {
		switch resolution { // nearly every file
		case nanoResolution:
			return int64(units)
		case microResolution:
			return int64(units) * 1000
		}
	}
	t, add := seconds(units, resolution, offset), int64(offsetNS)
	switch {
	case add > 0 && t > math.MaxInt64-add:
		return math.MaxInt64
	case add < 0 && t < math.MinInt64-add:
		return math.MinInt64
	}
	return t + add
}

// seconds is nanoseconds with an offset of seconds.
func seconds(units uint64, resolution uint8, offset int64) int64 {
	sec, ns := split(units, resolution)
	if offset < 0 {
		back := -uint64(offset) // two's complement: right for the least int64 too
		if sec < back {
			return before1970(back-sec, ns)
		}
		sec -= back
	} else {
		sum, carry := bits.Add64(sec, uint64(offset), 0)
		if carry != 0 {
			return math.MaxInt64
		}
		sec = sum
	}
	hi, lo := bits.Mul64(sec, second)
	lo, carry := bits.Add64(lo, ns, 0)
	if hi+carry != 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}

// before1970 is ns nanoseconds after the moment that is sec seconds before 1970.
func before1970(sec, ns uint64) int64 {
	hi, lo := bits.Mul64(sec, second)
	lo, borrow := bits.Sub64(lo, ns, 0)
	if hi-borrow != 0 || lo > math.MaxInt64 {
		return math.MinInt64
	}
	return -int64(lo)
}

// split turns units into seconds and nanoseconds.
func split(units uint64, resolution uint8) (sec, ns uint64) {
	n := uint(resolution & 0x7f)
	if resolution&0x80 != 0 { // units of 2^-n s
		if n < 64 {
			sec = units >> n
			units -= sec << n
		}
		hi, lo := bits.Mul64(units, second) // fraction · 10^9, then 2^n out of it
		if n < 64 {
			return sec, lo>>n | hi<<(64-n)
		}
		return sec, hi >> (n - 64)
	}
	if n > 28 { // 2^64 · 10^-29 s is less than a nanosecond
		return 0, 0
	}
	if n <= 19 { // 10^19 is the greatest power of ten in 64 bits
		unit := pow10(n)
		sec, units = units/unit, units%unit
	}
	if n <= 9 {
		return sec, units * pow10(9-n)
	}
	return sec, units / pow10(n-9)
}

func pow10(n uint) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
