//go:build !linux

package jitter

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/boomnet-go/boomnet/clock"
)

// threadSource needs Linux: only that counts the switches of one thread.
type threadSource struct{ clock.Monotonic }

func newThreadSource(int) (*threadSource, error) {
	return nil, fmt.Errorf("jitter: the counters are those of Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

func (*threadSource) close()                    {}
func (*threadSource) Read(*Counters)            {}
func (*threadSource) ReadBeneath(*Beneath) bool { return false }

func threadID() int           { return 0 }
func runDelayOfThread() int64 { return 0 }

type machineCount struct{}

func countMachine(int) *machineCount    { return nil }
func (*machineCount) machine() *Machine { return nil }
