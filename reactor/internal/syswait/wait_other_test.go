//go:build !(boomnet_wait && linux && amd64)

package syswait

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Without the tag a wait is a look, and a pin nothing.
func TestAWaitIsALook(t *testing.T) {
	require.False(t, Built)
	require.False(t, Usable())
	var w Waiter
	start := time.Now()
	w.Pin()
	w.Wait(&nothing, MaxWait)
	w.Pause(MaxWait)
	require.True(t, w.Unpin())
	require.Less(t, time.Since(start), MaxWait)
}
