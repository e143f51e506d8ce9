//go:build !linux

package idle

import "runtime"

// yieldAll lets other goroutines run; threads are left to the system.
func yieldAll() { runtime.Gosched() }
