package ws

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/stream"
)

// stampedScript is a script whose reads have the stamps that a test gives them.
type stampedScript struct {
	script
	asked stream.Timestamps
	stamp stream.Stamp
}

func (s *stampedScript) Timestamps() stream.Timestamps { return s.asked }
func (s *stampedScript) Stamp() stream.Stamp           { return s.stamp }

func TestKernelTime(t *testing.T) {
	s := &stampedScript{asked: stream.TimestampsHardware}
	c := New(s, nil, nil) // by the machine's clock
	require.True(t, c.Stamped())
	require.Zero(t, c.KernelTime(), "nothing was read")

	before := clock.Nano()
	s.stamp = stream.Stamp{Software: time.Now().UnixNano(), Hardware: 42}
	s.reads = [][]byte{join(text("a"), text("b"))}
	_, err := c.Fill()
	require.NoError(t, err)
	require.Equal(t, s.stamp, c.Stamp())
	at := c.KernelTime()
	require.GreaterOrEqual(t, at, before-int64(c.wall.Bound()))
	require.LessOrEqual(t, at, c.Received()+int64(c.wall.Bound()))
	require.InDelta(t, at, c.KernelTime(), float64(10*time.Microsecond), "one for all messages of a read")

	s.stamp = stream.Stamp{Hardware: 42}
	require.Zero(t, c.KernelTime(), "the kernel has not stamped it")
	require.Zero(t, testing.AllocsPerRun(100, func() { c.KernelTime() }))
}

func TestNoKernelTimeUnlessAskedFor(t *testing.T) {
	for _, s := range []stream.Stream{new(script), &stampedScript{stamp: stream.Stamp{Software: 1}}} {
		c := New(s, testOptions(), nil)
		require.False(t, c.Stamped())
		require.Zero(t, c.Stamp())
		require.Zero(t, c.KernelTime())
	}
}

func BenchmarkKernelTime(b *testing.B) {
	s := &stampedScript{asked: stream.TimestampsSoftware, stamp: stream.Stamp{Software: time.Now().UnixNano()}}
	c := New(s, nil, nil)
	b.ReportAllocs()
	for b.Loop() {
		c.KernelTime()
	}
}
