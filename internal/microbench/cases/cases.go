// Package cases are the benchmarks of boomctl bench, one file for each topic: what a
// reactor's turn is made of, each part alone, done as the library does it.
//
// A case of this package and a benchmark of package testing for the same thing agree:
// a test measures some both ways.
package cases

import (
	"slices"

	"github.com/boomnet-go/boomnet/internal/microbench"
)

// All are the cases that this system has, in the order in which they are shown.
func All() []microbench.Case {
	return slices.Concat(clocks(), lines(), rings(), syscalls(), loopbacks(), timers(), frames(), masks(), utf8s(), counters())
}
