//go:build !linux

package main

import (
	"errors"
	"fmt"
	"runtime"
)

type sockoptsCmd struct{}

func (*sockoptsCmd) Run() error {
	return fmt.Errorf("sockopts: the socket options are those of Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
