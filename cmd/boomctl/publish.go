package main

import (
	"fmt"
	"os"

	"github.com/boomnet-go/boomnet/stats"
)

// publish makes the counters file of this process, which other processes can read.
// A command does its work without it, too: then the answer is nil, and why is said
// on standard error.
func publish(name string) *stats.File {
	file, err := stats.Create(stats.FileConfig{Name: name})
	if err != nil {
		fmt.Fprintf(os.Stderr, "boomctl: no other process can read the counters: %v\n", err)
		return nil
	}
	return file
}
