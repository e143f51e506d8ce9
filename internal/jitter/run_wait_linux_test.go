//go:build boomnet_wait && amd64

package jitter

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// The probe keeps to the rules of a pinned P: a call that blocks would end the
// process.
func TestRunWaiting(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // idle.Exclusive demands it
	for _, strategy := range []idle.Strategy{idle.SpinWait, idle.Exclusive} {
		for _, busy := range []int{0, 60, 100} {
			r, err := Run(t.Context(), Config{
				Loop: LoopReactor, CPU: affinity.Fixed(firstCPU(t)), Idle: strategy, Busy: busy,
				GC: 20 * time.Millisecond, For: 200 * time.Millisecond,
			})
			require.NoError(t, err)
			sound(t, r)
			if r.Instead == "" {
				require.Equal(t, strategy.String(), r.Idle)
			}
			require.Positive(t, r.Stops.Count)
		}
	}
}
