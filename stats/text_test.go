package stats

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	var x Text
	require.Empty(t, x.Value(), "the zero value is ready")
	for _, c := range []struct{ set, want string }{
		{"spin", "spin"},
		{"a longer one than before", "a longer one than before"},
		{"", ""},
		{"12345678", "12345678"},
		{"grün", "grün"},
		{strings.Repeat("x", MaxText), strings.Repeat("x", MaxText)},
		{strings.Repeat("x", MaxText+1), strings.Repeat("x", MaxText)},
		{strings.Repeat("x", MaxText-1) + "ü", strings.Repeat("x", MaxText-1)}, // not half a rune
		{"\x1b[31mred\x07\r\n\u009b", "\uFFFD[31mred\uFFFD\uFFFD\uFFFD\uFFFD"},
		{"\xff\xfe", "\uFFFD"},
	} {
		x.Set(c.set)
		require.Equal(t, c.want, x.Value(), "%q", c.set)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { x.Set("connection reset by peer") }))
}

// A reader gets one of the strings, whole.
func TestTextWhileWritten(t *testing.T) {
	var x Text
	texts := []string{strings.Repeat("a", MaxText), strings.Repeat("b", 7), strings.Repeat("c", 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 20_000 {
			x.Set(texts[i%len(texts)])
		}
	}()
	for {
		got := x.Value()
		if got != "" && got != texts[0] && got != texts[1] && got != texts[2] {
			t.Fatalf("%q was never set", got)
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// An owner that died while it wrote does not hold its readers up.
func TestReadersOfADeadOwner(t *testing.T) {
	var x Text
	x.Set("before")
	x.turn.Store(x.turn.Load() | 1)
	require.Empty(t, x.Value())
	x.Set("after")
	require.Equal(t, "after", x.Value(), "a new owner")

	var e Errors
	e.Add(time.Now(), "one")
	e.Add(time.Now(), "two")
	e.records[0].turn.Add(1)
	require.Len(t, e.Records(), 1)

	var h Histogram
	h.Record(1)
	h.turn.Store(1)
	require.Zero(t, h.Snapshot().Count())
}

func TestErrors(t *testing.T) {
	var e Errors
	require.Empty(t, e.Records())
	at := time.Unix(1_700_000_000, 5)
	later := func(n int) time.Time { return at.Add(time.Duration(n) * time.Second) }
	e.Add(later(0), "refused")
	e.Add(later(1), "reset")
	e.Add(later(2), "refused")
	long := strings.Repeat("y", MaxErrorText)
	e.Add(later(3), long+"1")
	e.Add(later(4), long+"2") // the same when cut
	require.Equal(t, []ErrorRecord{
		{long, 2, later(3), later(4)},
		{"refused", 2, later(0), later(2)},
		{"reset", 1, later(1), later(1)},
	}, e.Records())
	require.Zero(t, e.Forgotten())

	// The one that was not seen for longest makes room.
	for i := range MaxErrors - 3 {
		e.Add(later(10+i), strings.Repeat("z", i+20))
	}
	e.Add(later(100), "one more")
	records := e.Records()
	require.Len(t, records, MaxErrors)
	require.Equal(t, "one more", records[0].Text)
	require.EqualValues(t, 1, e.Forgotten())
	for _, r := range records {
		require.NotEqual(t, "reset", r.Text)
	}
	e.Add(later(101), "reset")
	require.EqualValues(t, 2, e.Forgotten())
	require.EqualValues(t, 1, e.Records()[0].Count, "it counts anew")

	require.Zero(t, testing.AllocsPerRun(100, func() { e.Add(at, "reset") }))
	e.Reset()
	require.Empty(t, e.Records())
	require.Zero(t, e.Forgotten())
	e.Add(at, "\x1b[2J")
	require.Equal(t, "\uFFFD[2J", e.Records()[0].Text)
}

func TestErrorsWhileWritten(t *testing.T) {
	var e Errors
	texts := make([]string, 2*MaxErrors)
	known := make(map[string]bool)
	for i := range texts {
		texts[i] = strings.Repeat(string(rune('a'+i%26)), 1+i)
		known[texts[i]] = true
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 5000 {
			e.Add(time.Unix(int64(i), 0), texts[i*7%len(texts)])
		}
	}()
	for {
		for _, r := range e.Records() {
			if !known[r.Text] || r.Count <= 0 || r.Last.Before(r.First) {
				t.Fatalf("never written: %+v", r)
			}
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
