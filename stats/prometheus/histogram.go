package prometheus

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// bound is a bucket's: values below it are counted. label is its le.
type bound struct {
	below int64
	label string
}

// Exponents of two of the buckets that there are by default, in nanoseconds.
const (
	firstBucket = 8
	lastBucket  = 33
)

// bounds makes the buckets of times.
//
// A clock's reading is cut to nanoseconds: a value of 255 is one of 255 to 256 ns,
// and so is counted by le = 256 ns. Powers of two are where buckets of cells end.
func bounds(list []time.Duration) ([]bound, error) {
	if len(list) > MaxBuckets {
		return nil, fmt.Errorf("prometheus: %d Buckets, at most %d", len(list), MaxBuckets)
	}
	var b []bound
	if len(list) == 0 {
		for i := firstBucket; i <= lastBucket; i++ {
			b = append(b, seconds(1<<i))
		}
		return b, nil
	}
	for i, d := range list {
		if d <= 0 || d > stats.MaxTracked || i > 0 && d <= list[i-1] {
			return nil, fmt.Errorf("prometheus: Buckets[%d] is %v: they must ascend, from 1ns to %v", i, d, time.Duration(stats.MaxTracked))
		}
		b = append(b, seconds(int64(d)))
	}
	return b, nil
}

func seconds(ns int64) bound {
	return bound{ns, strconv.FormatFloat(float64(ns)/1e9, 'g', -1, 64)}
}

// otherBuckets is how many buckets others makes: up to 2^40 - 1, stats.MaxTracked.
const otherBuckets = 21

// others are the buckets of what is no time in nanoseconds: by powers of four, up to
// the last integer before each, which counts exactly.
func others(u unit) (b []bound) {
	for i := range otherBuckets {
		below := int64(1) << (2 * i)
		b = append(b, bound{below, strconv.FormatFloat(float64(below-1)/u.per, 'g', -1, 64)})
	}
	return b
}

// cumulate returns how many values each bucket counts, and the sum of all values,
// those above MaxTracked as that.
func cumulate(h *stats.Snapshot, buckets []bound) (counts []int64, sum float64) {
	counts = make([]int64, len(buckets))
	var below int64
	next := 0
	h.Each(func(low, high, n int64) {
		high = min(high, stats.MaxTracked)
		for next < len(buckets) && buckets[next].below <= high {
			counts[next] = below
			next++
		}
		below += n
		sum += float64(n) * (float64(low) + float64(high)) / 2
	})
	for ; next < len(buckets); next++ {
		counts[next] = below
	}
	return counts, sum
}

// milli is a number rounded to a thousandth.
func milli(v float64) float64 { return math.Round(v*1e3) / 1e3 }
