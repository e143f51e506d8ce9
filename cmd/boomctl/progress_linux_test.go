package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/pty"
)

// On a terminal the bar appears after a while, moves, and goes without a trace; on
// anything else there is none.
func TestProgressOnATerminal(t *testing.T) {
	master, slave := pty.Open(t, 90, 24)
	p := newProgress(slave, []int64{1000, 1000})
	require.NotNil(t, p.w)
	p.at(0, 500, 5, p.began.Add(progressAfter/2)) // too early
	require.False(t, p.shown)
	now := p.began.Add(time.Second)
	p.at(0, 500, 5, now)
	p.at(0, 600, 6, now.Add(progressEvery/2)) // too soon after that
	p.at(1, 500, 15, now.Add(time.Second))
	p.end()
	p.end()
	buf := make([]byte, 4096)
	shown := ""
	for !strings.HasSuffix(shown, "\r\x1b[K") || strings.Count(shown, "\x1b[K") < 3 {
		n, err := master.Read(buf)
		require.NoError(t, err)
		shown += string(buf[:n])
	}
	require.Equal(t, 3, strings.Count(shown, "\x1b[K"), "%q", shown)
	require.Contains(t, shown, "\r[########------------------------]  25 %  500 B of 2.00 kB  500 B/s  3s left\x1b[K")
	require.Contains(t, shown, "]  75 %  1.50 kB of 2.00 kB  750 B/s  1s left\x1b[K")

	t.Setenv("TERM", "dumb")
	require.Nil(t, newProgress(slave, []int64{1}).w)
}
