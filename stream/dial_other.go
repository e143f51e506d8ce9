//go:build !linux

package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

// Dial needs Linux. Elsewhere the error says so, and wraps errors.ErrUnsupported;
// a [Stream] of one's own, and what stands on it, works on every system.
func (o *Options) Dial(context.Context, string) (Stream, error) {
	return nil, fmt.Errorf("stream: non-blocking sockets need Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
