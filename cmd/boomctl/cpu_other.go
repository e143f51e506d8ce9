//go:build !linux

package main

import (
	"errors"
	"fmt"
	"runtime"
)

func pin(cpu int) error {
	return fmt.Errorf("--cpu %d: pinning needs Linux, and this is %s: %w", cpu, runtime.GOOS, errors.ErrUnsupported)
}
