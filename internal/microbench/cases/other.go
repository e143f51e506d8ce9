//go:build !linux

package cases

import "github.com/boomnet-go/boomnet/internal/microbench"

// What these measure is Linux's.
func syscalls() []microbench.Case  { return nil }
func loopbacks() []microbench.Case { return nil }
func timers() []microbench.Case    { return nil }
