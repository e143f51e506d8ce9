package cases

import (
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/stats"
)

// counters are what counting costs.
func counters() []microbench.Case {
	return []microbench.Case{
		{Name: "stats.counter", What: "Counter.Add by its one writer", Run: func(b *microbench.B) error {
			c := stats.NewBlock("bench").Counter("n", "", "")
			b.Batches(func(n int) {
				for range n {
					c.Add(1)
				}
			})
			return nil
		}},
		{Name: "stats.histogram", What: "Histogram.Record of values up to a millisecond in ns", Run: func(b *microbench.B) error {
			h := stats.NewBlock("bench").Histogram("h", "ns", "")
			b.Batches(func(n int) {
				v := int64(1)
				for range n {
					h.Record(v)
					v = (v*5 + 1) & (1<<20 - 1)
				}
			})
			return nil
		}},
	}
}
