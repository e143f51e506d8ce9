package main

import (
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/reactor"
)

// prepareBench sets this process up: a processor of Go's for each of two busy threads
// and more, and no garbage collection between.
func prepareBench() error {
	reactor.TuneProcess(reactor.Tuning{Reactors: 2, MemoryLimit: 1 << 30})
	return nil
}

// timerSlack is how late the kernel may wake this thread, in nanoseconds; 0: unknown.
func timerSlack() int64 {
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return int64(slack)
}
