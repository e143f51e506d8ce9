//go:build !linux

package reactor

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/boomnet-go/boomnet/stream"
)

func ProbeCPU(context.Context, string, *stream.Options) (cpu int, err error) {
	return -1, fmt.Errorf("reactor: SO_INCOMING_CPU needs Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
