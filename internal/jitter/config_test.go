package jitter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/reactor/idle"
)

func TestConfig(t *testing.T) {
	c, err := Config{}.withDefaults()
	require.NoError(t, err)
	require.Equal(t, Config{Loop: LoopPlain, Wait: 5 * time.Microsecond, For: time.Second, WarmUp: 50 * time.Millisecond, Threshold: 3 * time.Microsecond}, c)
	for busy, want := range map[int]int64{0: 0, 30: 2142, 50: 5000, 60: 7500, 99: 495000} {
		c.Busy = busy
		work, wait := c.cycle()
		require.Equal(t, []int64{want, 5000}, []int64{work, wait}, "%d %%", busy)
	}
	c.Busy = 100
	work, wait := c.cycle()
	require.Zero(t, wait)
	require.Positive(t, work)

	for want, c := range map[string]Config{
		`loop "c" is neither plain nor reactor`:                  {Loop: LoopC},
		"idle strategy spin is for a reactor, the loop is plain": {Idle: idle.Spin},
		"busy share -1 % is not between 0 and 100":               {Busy: -1},
		"busy share 101 %":                             {Busy: 101},
		"wait 100ns is not between 1µs and 10ms":       {Wait: 100},
		"time 25h0m0s is not between 10ms and 24h0m0s": {For: 25 * time.Hour},
		"threshold 100ns is not between 500ns and 1s":  {Threshold: 100},
		"warm-up -1ns": {WarmUp: -1},
		"time between collections 1µs is not between 1ms and 24h0m0s":  {GC: time.Microsecond},
		"time between collections -1ns is not between 1ms and 24h0m0s": {GC: -1},
		"time -1s is not between 10ms and 24h0m0s":                     {For: -time.Second},
		"threshold -3µs is not between 500ns and 1s":                   {Threshold: -3 * time.Microsecond},
	} {
		_, err := Run(t.Context(), c)
		require.ErrorContains(t, err, want)
	}
}
