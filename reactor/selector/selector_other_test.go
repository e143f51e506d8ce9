//go:build !linux

package selector

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// What needs Linux says so, and on what it was tried.
func TestUnsupported(t *testing.T) {
	for _, k := range []Kind{Epoll, Direct} {
		_, err := New(k)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, runtime.GOOS)
		require.ErrorContains(t, err, k.String())
	}
}
