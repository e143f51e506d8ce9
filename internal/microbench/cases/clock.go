package cases

import (
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/internal/microbench"
)

// clocks are ways to tell the time.
func clocks() (all []microbench.Case) {
	if hasTSC {
		all = append(all, microbench.Case{
			Name: "clock.tsc", What: "RDTSC in an assembly function: cycles of the time stamp counter, no ordering",
			Run: batches(func(n int) {
				var sum uint64
				for range n {
					sum += tsc()
				}
				microbench.Sink += sum
			}),
		})
	}
	return append(all, microbench.Case{
		Name: "clock.nanotime", What: "clock.Nano: CLOCK_MONOTONIC through the vDSO, as every network read does once", Clock: true,
		Run: batches(func(n int) {
			var sum int64
			for range n {
				sum += clock.Nano()
			}
			microbench.Sink += uint64(sum)
		}),
	}, microbench.Case{
		Name: "clock.time-now", What: "time.Now: both CLOCK_MONOTONIC and CLOCK_REALTIME through the vDSO", Clock: true,
		Run: batches(func(n int) {
			var sum int
			for range n {
				sum += time.Now().Nanosecond()
			}
			microbench.Sink += uint64(sum)
		}),
	})
}

// batches is a case that has nothing to set up.
func batches(op func(n int)) func(*microbench.B) error {
	return func(b *microbench.B) error {
		b.Batches(op)
		return nil
	}
}
