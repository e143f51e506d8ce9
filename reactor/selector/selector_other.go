//go:build !linux

package selector

import (
	"errors"
	"fmt"
	"runtime"
)

func newEpoll(BusyPoll) (Selector, error) { return nil, unsupported(Epoll, "epoll(7) and eventfd(2)") }
func newDirect() (Selector, error)        { return nil, unsupported(Direct, "ppoll(2) and eventfd(2)") }

func unsupported(k Kind, needs string) error {
	return fmt.Errorf("selector: %v needs Linux, for %s, and this is %s: %w", k, needs, runtime.GOOS, errors.ErrUnsupported)
}
