package main

import (
	"fmt"
	"io"
	"sync/atomic"

	"github.com/boomnet-go/boomnet/reactor/idle"
)

// ball is a word that two threads hand to each other, what a round trip costs at
// the least.
func ball() pair {
	var word atomic.Uint64
	turn := func(first uint64) func(n uint64) uint64 {
		return func(n uint64) uint64 {
			for i := range n {
				for word.Load() != 2*i+first {
					idle.Pause()
				}
				word.Add(1)
			}
			return n
		}
	}
	produce := turn(0)
	return pair{func(n uint64) { produce(n) }, turn(1)}
}

// printLine prints the round trip of a cache line.
func printLine(w io.Writer, cpus [2]int) error {
	ns, err := measure(ball(), 100_000, cpus)
	if err == nil {
		fmt.Fprintf(w, "round trip of a cache line between CPUs %d and %d: %.0f ns\n", cpus[0], cpus[1], ns)
	}
	return err
}
