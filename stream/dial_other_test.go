//go:build !linux

package stream

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// What needs Linux says so, and on what it was tried.
func TestUnsupported(t *testing.T) {
	_, err := new(Options).Dial(context.Background(), "tcp://127.0.0.1:1")
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, runtime.GOOS)
}
