package main

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureStart is when the recordings in the pictures began.
var captureStart = time.Date(2026, 11, 25, 9, 31, 0, 123_456_000, time.UTC)

func after(d time.Duration) *time.Time {
	at := captureStart.Add(d)
	return &at
}

// TestCaptureInfoPictures: one that is whole, and one with all that can be wrong.
func TestCaptureInfoPictures(t *testing.T) {
	peer := &tape.Peer{Local: netip.MustParseAddrPort("192.0.2.1:40112"), Remote: netip.MustParseAddrPort("198.51.100.7:443"), Layer: tape.AboveTLS}
	whole := &captureInfo{
		Files:    []capture.FileInfo{{Path: "feed.pcapng.zst", Size: 12_345_678, Compression: "zstd"}},
		Software: "boomnet v1.4.0",
		Summary: &recording.Summary{
			Reactor: "record", Start: captureStart, End: *after(3*time.Minute + 250*time.Millisecond), Records: 81_234, Turns: 40_021,
			Traffic: recording.Traffic{MessagesIn: 40_000, BytesIn: 9_876_543, MessagesOut: 1, BytesOut: 812}, Complete: true, Replays: true,
			Conns: []recording.ConnSummary{{
				Num: 1, Endpoint: "btcusdt", Target: "tls://exchange.example:443", Peer: peer, TLS: "TLS 1.3", Deflate: true,
				Opened: after(21 * time.Millisecond), Closed: after(3 * time.Minute), Why: "endpoint: connection 1 lost while closing: closed with 1000",
				Traffic: recording.Traffic{MessagesIn: 40_000, BytesIn: 9_876_543, MessagesOut: 1, BytesOut: 812},
			}},
		},
	}
	requirePicture(t, "capture-info", func(c *term.Canvas) { drawCaptureInfo(c, whole) })

	wrong := *whole
	sum := *whole.Summary
	wrong.Summary = &sum
	sum.Complete, wrong.Comment = false, "cut: from 09:31:00"
	sum.Obstacles = []string{"12 records were lost", "4096 bytes received are missing", "it is truncated: at byte 123456"}
	broken := sum.Conns[0]
	broken.Closed, broken.Why, broken.Undecode, broken.MissingIn = nil, "", "4096 bytes are missing", 4096
	failed := recording.ConnSummary{Num: 2, Endpoint: "ethusdt", Target: "tls://exchange.example:443", Closed: after(time.Second), Why: "stream: connecting: connection refused"}
	sum.Conns = []recording.ConnSummary{broken, failed}
	requirePicture(t, "capture-info-wrong", func(c *term.Canvas) { drawCaptureInfo(c, &wrong) })

	sum.Replays = false
	c := term.NewCanvas(40, true)
	drawCaptureInfo(c, &wrong) // narrow and in colours: nothing breaks
	require.Positive(t, c.Lines())
}

func TestCaptureStatsPicture(t *testing.T) {
	s := &recording.Series{
		Endpoint: "btcusdt", Messages: 40_000, Bytes: 8_000_000, Wire: 8_160_000, Largest: 4096, First: captureStart, Last: *after(40 * time.Second),
		LongestGap: 1200 * time.Millisecond, GapAt: *after(7 * time.Second), Busiest: 4000, NoEvent: 3, Future: 2,
	}
	for i := range 40 {
		s.PerSecond = append(s.PerSecond, uint32(i*100))
	}
	for i := range int64(1000) {
		s.Between.Record(i * i)
		s.Event.Record(1_000_000 + i*1000)
	}
	all := &recording.Stats{Start: s.First, End: s.Last, Series: []*recording.Series{s}}
	requirePicture(t, "capture-stats", func(c *term.Canvas) { drawCaptureStats(c, all, true) })
	none := term.NewCanvas(80, false)
	drawCaptureStats(none, new(recording.Stats), true)
	require.Equal(t, " no messages\n", none.String())
}

func TestReplayPicture(t *testing.T) {
	r := &replayResult{
		Reactor: "record", Turns: 40_021, Recorded: 3 * time.Minute, Took: 212 * time.Millisecond, LeftOut: []string{"orders"},
		Endpoints: []replayEndpoint{{"btcusdt", 2, 1, 40_000, 9_000_000, 1}}, Divergences: 12,
	}
	for i := range 11 {
		r.First = append(r.First, fmt.Sprintf("tape: turn %d, endpoint btcusdt, connection 1: something else is written", i+10))
	}
	requirePicture(t, "replay", func(c *term.Canvas) { drawReplay(c, r) })
}

func TestSparkline(t *testing.T) {
	require.Equal(t, "", sparkline(nil, 10))
	require.Equal(t, "▁▄█", sparkline([]uint32{1, 4, 8}, 10))
	require.Equal(t, " █", sparkline([]uint32{0, 0, 0, 5}, 2))
	require.Equal(t, "  ", sparkline([]uint32{0, 0}, 2))
	require.Len(t, []rune(sparkline(make([]uint32, 100_000), 64)), 64)
}

func TestMoment(t *testing.T) {
	local := captureStart.In(time.Local)
	for text, want := range map[string]time.Time{
		"2026-11-25T09:31:07.5Z": time.Date(2026, 11, 25, 9, 31, 7, 500_000_000, time.UTC),
		"+90s":                   captureStart.Add(90 * time.Second),
		"09:31:07.25":            time.Date(local.Year(), local.Month(), local.Day(), 9, 31, 7, 250_000_000, time.Local),
		"2026-11-25 09:31:07":    time.Date(2026, 11, 25, 9, 31, 7, 0, time.Local),
	} {
		var m moment
		require.NoError(t, m.UnmarshalText([]byte(text)), text)
		require.True(t, want.Equal(m.of(captureStart)), "%s: %v", text, m.of(captureStart))
	}
	for _, text := range []string{"", "+", "+-1s", "25:00:00", "soon"} {
		require.Error(t, new(moment).UnmarshalText([]byte(text)), text)
	}
	require.True(t, new(moment).of(captureStart).IsZero())
}

func TestPrintable(t *testing.T) {
	require.Equal(t, `a\n\x1b[2J\xff é\\ \u200b`, printable([]byte("a\n\x1b[2J\xff é\\ \u200b")))
}

func TestReadingProgressLine(t *testing.T) {
	p := &progress{sizes: []int64{1e9, 3e9}, total: 4e9}
	require.Equal(t, "[########------------------------]  25 %  1.00 GB of 4.00 GB  500 MB/s  6s left", p.line(1e9, 1000, 2*time.Second))
	require.Equal(t, "12,345 records  8.00 GB  4.00 GB/s", p.line(8e9, 12_345, 2*time.Second), "compressed: more than there is")
}
