package ws

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

func TestSendLimitHoldsInEveryWindow(t *testing.T) {
	now := clock.NewManual(int64(time.Hour))
	c, peer := pair(t, &Options{Clock: now, SendLimit: SendLimit{Frames: 5, Per: time.Second}})
	defer func() { _ = peer }()
	var sentAt []int64
	p := []byte("x")
	for range 400 {
		if err := c.WriteText(p); err == nil {
			sentAt = append(sentAt, now.Now())
		} else {
			require.Equal(t, ErrRateLimited, err)
			require.Greater(t, c.SendAt(), now.Now())
		}
		now.Advance(13 * time.Millisecond)
	}
	require.NoError(t, c.Err(), "a refusal changes nothing")
	require.InDelta(t, 5*400*13/1000+5, len(sentAt), 6)
	for i := 5; i < len(sentAt); i++ {
		require.GreaterOrEqual(t, sentAt[i]-sentAt[i-5], int64(time.Second), "six frames within a second")
	}
}

func TestSendLimitRefusesDataOnlyAndCountsAll(t *testing.T) {
	now := clock.NewManual(int64(time.Hour))
	c, _ := pair(t, &Options{Clock: now, SendLimit: SendLimit{Frames: 2, Per: time.Second}})
	require.LessOrEqual(t, c.SendAt(), now.Now())
	require.NoError(t, c.Ping(nil))
	now.Advance(100 * time.Millisecond)
	require.NoError(t, c.WriteFragment(frame.Text, []byte("a"), false))
	require.NoError(t, c.WriteFragment(frame.Text, []byte("b"), true), "a message begun is not cut")
	require.Equal(t, ErrRateLimited, c.WriteText([]byte("x")))
	require.Equal(t, ErrRateLimited, c.WriteFragment(frame.Text, nil, true))
	_, err := c.Claim(frame.Text, 8)
	require.Equal(t, ErrRateLimited, err)
	prepared, err := Prepare(frame.Text, []byte("x"))
	require.NoError(t, err)
	require.Equal(t, ErrRateLimited, c.WritePrepared(prepared))
	require.NoError(t, c.Pong(nil), "control frames go")
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = c.WriteText(nil) }))

	free, _ := pair(t, nil)
	require.Zero(t, free.SendAt())
	require.Zero(t, (*Conn)(nil).SendAt())
	for _, bad := range []SendLimit{{Frames: 1}, {Per: 1}, {Frames: -1, Per: 1}, {Frames: MaxSendLimit + 1, Per: 1}} {
		require.Error(t, bad.check())
	}
	require.NoError(t, SendLimit{}.check())
}
