package clock

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Nano is CLOCK_MONOTONIC itself, so that stamps of other processes compare.
func TestNanoIsClockMonotonic(t *testing.T) {
	kernel := func() int64 {
		var ts unix.Timespec
		require.NoError(t, unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts))
		return ts.Nano()
	}
	before, now, after := kernel(), Nano(), kernel()
	require.LessOrEqual(t, before, now)
	require.LessOrEqual(t, now, after)
}
