package stats

import "math"

// Snapshot is what a Histogram had counted at one moment, or, after Sub, between
// two. It is a plain value: one goroutine at a time uses it. The zero value is
// empty. None of its methods allocates.
type Snapshot struct {
	count    int64
	min, max int64 // of values counted; both 0 when there is none
	resets   uint64
	counts   [buckets]int64
}

// Count is how many values were counted.
func (s *Snapshot) Count() int64 { return s.count }

// Min is the smallest value, exact unless Sub was called; 0 when there is none.
func (s *Snapshot) Min() int64 { return s.min }

// Max is the largest value, exact (also above MaxTracked) unless Sub was called;
// 0 when there is none.
func (s *Snapshot) Max() int64 { return s.max }

// Mean is the average of the values to the precision of the buckets; 0 when
// there is none. Values above MaxTracked count as MaxTracked.
func (s *Snapshot) Mean() float64 {
	if s.count == 0 {
		return 0
	}
	var sum float64
	for i, n := range s.counts {
		if n != 0 {
			sum += float64(n) * (float64(lowest(i)) + float64(highest(i))) / 2
		}
	}
	return sum / float64(s.count)
}

// ValueAtQuantile returns the value that a share q (0 to 1) of all values does
// not exceed: 0.5 is the median, 0.99 the 99th percentile, 0 the smallest and 1
// the largest value. It is never below the exact answer and at most 1/64 above
// it; answers above MaxTracked are the largest value. 0 when there is none.
func (s *Snapshot) ValueAtQuantile(q float64) int64 {
	switch {
	case s.count == 0 || !(q > 0): // NaN, too
		return s.min
	case q >= 1:
		return s.max
	}
	// The next smaller q, so that 0.07 of 100 values are 7 of them and not 8.
	rank := int64(math.Ceil(math.Nextafter(q, 0) * float64(s.count)))
	last := len(s.counts) - 1
	for i, n := range s.counts[:last] {
		if rank -= n; rank <= 0 {
			return min(highest(i), s.max)
		}
	}
	return s.max
}

// Each calls do with every bucket that counted something, in order of size: how
// many values there were from low to high, both included. Above MaxTracked high
// is the largest value.
func (s *Snapshot) Each(do func(low, high, count int64)) {
	for i, n := range s.counts {
		if n == 0 {
			continue
		}
		high := highest(i)
		if i == len(s.counts)-1 {
			high = max(high, s.max)
		}
		do(lowest(i), high, n)
	}
}

// Merge adds what other counted.
func (s *Snapshot) Merge(other *Snapshot) {
	if other.count == 0 {
		return
	}
	if s.count == 0 {
		*s = *other
		return
	}
	for i, n := range other.counts {
		s.counts[i] += n
	}
	s.count += other.count
	s.min, s.max = min(s.min, other.min), max(s.max, other.max)
}

// Sub takes away what the same Histogram had counted earlier, so that s tells of
// the time between. Min and Max are then those of the buckets: Min at most 1/64
// too small, Max at most 1/64 too large. Where earlier has more than s, because
// it is not of the same Histogram, nothing is left. After a Reset between the two
// s stays as it is: it tells of the time since then.
func (s *Snapshot) Sub(earlier *Snapshot) {
	if s.resets != earlier.resets {
		return
	}
	s.count = 0
	first, last := -1, -1
	for i := range s.counts {
		n := max(s.counts[i]-earlier.counts[i], 0)
		s.counts[i] = n
		s.count += n
		if n == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
	}
	if s.count == 0 {
		s.min, s.max = 0, 0
		return
	}
	s.min = max(lowest(first), s.min)
	if last < len(s.counts)-1 { // the last bucket holds everything above MaxTracked
		s.max = min(highest(last), s.max)
	}
}
