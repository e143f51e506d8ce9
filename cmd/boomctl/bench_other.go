//go:build !linux

package main

import (
	"errors"
	"fmt"
	"runtime"
)

func prepareBench() error {
	return fmt.Errorf("bench: measuring needs threads pinned to CPUs, which needs Linux, and this is %s; saved runs can be shown and compared: %w", runtime.GOOS, errors.ErrUnsupported)
}

func timerSlack() int64 { return 0 }
