package jitter

import (
	"math"
	"runtime/metrics"
	"slices"
	"time"
	_ "unsafe" // go:linkname
)

// The runtime's own pair, which many packages use for this number and which it
// has promised to keep (go.dev/issue/67401).

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

// currentP is the P on which the caller runs at this moment.
func currentP() int {
	p := procPin()
	procUnpin()
	return p
}

// stopCounter counts stops of the world. runtime/metrics stops nothing to tell.
type stopCounter struct{ samples []metrics.Sample }

func newStopCounter() *stopCounter {
	c := &stopCounter{samples: []metrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"},
		{Name: "/sched/pauses/total/other:seconds"},
	}}
	c.read() // from now on the histograms are there to be filled
	return c
}

func (c *stopCounter) read() (gc, other uint64) {
	metrics.Read(c.samples)
	return counted(&c.samples[0]), counted(&c.samples[1])
}

// counted is how many values a histogram has.
func counted(s *metrics.Sample) (n uint64) {
	if s.Value.Kind() == metrics.KindFloat64Histogram {
		for _, c := range s.Value.Float64Histogram().Counts {
			n += c
		}
	}
	return n
}

// collections is how many collections this process has completed.
func collections() int64 { return scalar("/gc/cycles/total:gc-cycles") }

// gcPercent is GOGC; -1: off.
func gcPercent() int { return int(int32(scalar("/gc/gogc:percent"))) }

// scalar is one number of runtime/metrics; 0 when there is no such number.
func scalar(name string) int64 {
	s := []metrics.Sample{{Name: name}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(s[0].Value.Uint64())
}

// stoppingTimes are the times that it took to stop the world for the collector.
func stoppingTimes() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return new(metrics.Float64Histogram)
	}
	h := *s[0].Value.Float64Histogram()
	h.Counts = slices.Clone(h.Counts)
	return &h
}

// longestSince is the end of the last bucket that has more than before, in
// nanoseconds.
func longestSince(before, after *metrics.Float64Histogram) int64 {
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if i < len(before.Counts) && after.Counts[i] == before.Counts[i] || after.Counts[i] == 0 {
			continue
		}
		end := after.Buckets[i+1]
		if math.IsInf(end, 1) {
			end = after.Buckets[i]
		}
		return int64(math.Ceil(end * float64(time.Second)))
	}
	return 0
}
