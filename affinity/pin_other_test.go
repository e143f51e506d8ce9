//go:build !linux

package affinity

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// What needs Linux says so, and on what it was tried.
func TestUnsupported(t *testing.T) {
	_, available := Available()
	_, thread := Thread()
	_, current := Current()
	_, confine := Confine(Of(0))
	_, ofThread := OfThread(1)
	for _, err := range []error{available, thread, current, confine, ofThread, Pin(0), Move(1, Of(0))} {
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, runtime.GOOS)
	}
}
