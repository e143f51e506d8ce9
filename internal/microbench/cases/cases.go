// Package cases are the benchmarks of boomctl bench, one file for each topic: what a
// reactor's turn is made of, each part alone, done as the library does it.
//
// Results go into a sum that ends in microbench.Sink, so that the compiler drops no
// work; a test would see a loop that it emptied. Where the library has a benchmark
// of the same thing, the figures agree:
//
//	go test -run '^$' -bench . ./clock ./stats ./proto/ws/... ./reactor/...
package cases

import (
	"slices"

	"github.com/boomnet-go/boomnet/internal/microbench"
)

// All are the cases that this system has, in the order in which they are shown.
func All() []microbench.Case {
	return slices.Concat(clocks(), lines(), rings(), syscalls(), loopbacks(), timers(), frames(), masks(), utf8s(), counters())
}
