package stats

import (
	"math"
	"math/bits"
	"runtime"
	"sync/atomic"
)

// Bounds and precision of a Histogram.
//
// Values below 128 have a bucket each. Above, each power of two is cut into 64
// buckets of the same width, so a bucket is never wider than 1/64 of the values
// in it:
//
//	value   0 … 127   128 … 255   256 … 511   …   2^39 … 2^40-1
//	width      1          2           4                2^33
const (
	// MaxTracked is the largest value with a bucket of its own: 2^40-1, in
	// nanoseconds 18 minutes. Larger ones are counted with it.
	MaxTracked = 1<<maxBits - 1

	maxBits = 40
	subBits = 6 // 2^6 buckets for each power of two
	buckets = (maxBits-subBits-1)<<subBits + 2<<subBits
)

// Histogram counts values, usually nanoseconds, by size, with a precision of
// 1/64 (1.6 %). One goroutine at a time records, any takes snapshots; nobody
// waits. The zero value is an empty histogram outside of any Block. A Histogram
// must not be copied.
type Histogram struct {
	turn   atomic.Uint64 // odd while Reset is under way, else twice the number of resets
	max    atomic.Int64
	gap    atomic.Int64 // MaxInt64 - the smallest value: zero memory has none
	counts [buckets]atomic.Int64
}

// Record counts v. A negative v, as clocks of two machines may give, counts as 0.
// Only the owner may call it. It does not allocate.
func (h *Histogram) Record(v int64) {
	v = max(v, 0)
	// In this order: who sees the count of a value sees it between min and max.
	if v > h.max.Load() {
		store(&h.max, v)
	}
	if gap := math.MaxInt64 - v; gap > h.gap.Load() {
		store(&h.gap, gap)
	}
	n := &h.counts[bucket(v)]
	store(n, n.Load()+1)
}

// Snapshot returns what was counted so far. Any goroutine may call it; it
// allocates the Snapshot, about 18 KiB.
func (h *Histogram) Snapshot() *Snapshot {
	s := new(Snapshot)
	h.ReadInto(s)
	return s
}

// ReadInto replaces the content of s with what was counted so far. Any goroutine
// may call it. It does not allocate.
//
// Values recorded meanwhile may be counted or not. Count and quantiles always
// agree with each other. Of a Reset it sees all or nothing.
func (h *Histogram) ReadInto(s *Snapshot) {
	for range readTries {
		if turn := h.turn.Load(); turn&1 == 0 {
			h.copyTo(s)
			if s.resets = turn / 2; h.turn.Load() == turn {
				return
			}
		}
		runtime.Gosched()
	}
	*s = Snapshot{} // the owner has died while it emptied it
}

func (h *Histogram) copyTo(s *Snapshot) {
	s.count = 0
	for i := range h.counts {
		n := max(h.counts[i].Load(), 0) // less is nothing that an owner writes
		s.counts[i] = n
		s.count += n
	}
	s.min, s.max = 0, 0
	if s.count > 0 {
		s.min, s.max = math.MaxInt64-h.gap.Load(), h.max.Load()
	}
}

// Reset forgets all that was counted. Only the owner may call it. It takes some
// microseconds and does not allocate. Snapshots know of it: see Snapshot.Sub.
func (h *Histogram) Reset() {
	h.turn.Add(1)
	for i := range h.counts {
		store(&h.counts[i], 0)
	}
	store(&h.max, 0)
	store(&h.gap, 0)
	h.turn.Add(1)
}

// bucket is the index of the bucket that counts v ≥ 0.
func bucket(v int64) int {
	u := uint64(min(v, MaxTracked))
	shift := max(bits.Len64(u)-(subBits+1), 0)
	return shift<<subBits + int(u>>shift)
}

// lowest and highest are the bounds of bucket i, both of it.
func lowest(i int) int64 {
	shift := max(i>>subBits-1, 0)
	return int64(i-shift<<subBits) << shift
}

func highest(i int) int64 { return lowest(i+1) - 1 }
