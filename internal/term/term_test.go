package term

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCanvas(t *testing.T) {
	c := NewCanvas(20, false)
	c.Left(Bold, 6, "name").Right(Green, 6, "12").Edge(Dim, "end").End()
	c.Put(Plain, "a line that is much too long for it").End()
	c.Left(Plain, 4, "symbols").Put(Red, "x").End()
	c.Put(Plain, "tab\tand\x1b[31mescape").End()
	c.Put(Plain, "12345678901234567890").Edge(Plain, "gone").Put(Plain, "gone").End()
	c.Put(Plain, "now ").PutWhole(Plain, "a command that is longer\x1b").End()
	c.End()
	require.Equal(t, ""+
		"name      12     end\n"+
		"a line that is much…\n"+
		"sym…x\n"+
		"tab and [31mescape\n"+
		"12345678901234567890\n"+
		"now a command that is longer\n"+
		"\n", c.String())
	require.Equal(t, 7, c.Lines())
	require.Equal(t, 20, c.Width())
}

func TestCanvasColour(t *testing.T) {
	c := NewCanvas(5, true)
	c.Put(Green, "open").Put(Plain, "!").Put(Red, "none").End()
	require.Equal(t, "\x1b[32mopen\x1b[0m!\n", c.String())
}

func TestScreen(t *testing.T) {
	var out bytes.Buffer
	s := NewScreen(&out)
	require.NoError(t, s.Leave())
	require.Empty(t, out.String())

	require.NoError(t, s.Enter())
	require.Contains(t, out.String(), hideCursor)
	out.Reset()
	c := NewCanvas(10, false)
	for range 3 {
		c.Put(Plain, "row").End()
	}
	require.NoError(t, s.Show(c, 2))
	require.Equal(t, home+"row"+clearLine+"\r\nrow"+clearLine+clearBelow, out.String(), "nothing is cleared before it is written")
	out.Reset()
	require.NoError(t, s.Leave())
	require.Equal(t, showCursor+leaveAlternate, out.String())
	out.Reset()
	require.NoError(t, s.Leave())
	require.Empty(t, out.String())
}

// countingWriter counts the writes, which a terminal shows one by one.
type countingWriter int

func (w *countingWriter) Write(p []byte) (int, error) { *w++; return len(p), nil }

func TestScreenShowsAFrameInOneWrite(t *testing.T) {
	var writes countingWriter
	c := NewCanvas(200, true)
	for range 1000 {
		c.Put(Green, "a row that is not short at all").Put(Bold, "b").End()
	}
	require.NoError(t, NewScreen(&writes).Show(c, 1000))
	require.EqualValues(t, 1, writes)
}

func TestAppend(t *testing.T) {
	from, to := NewCanvas(9, false), NewCanvas(9, false)
	for _, line := range []string{"a", "b", "c", "d"} {
		from.Put(Plain, line).End()
	}
	to.Append(from, 1, 3)
	to.Append(from, 3, 99)
	to.Append(from, 7, 9)
	require.Equal(t, "b\nc\nd\n", to.String())
}

func TestSizeOfNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, _, ok := Size(w)
	require.False(t, ok)
}

func TestColour(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	defer terminal.Close()
	require.True(t, Colour(terminal))
	t.Setenv("NO_COLOR", "1")
	require.False(t, Colour(terminal))
	t.Setenv("NO_COLOR", "")
	t.Setenv("TERM", "dumb")
	require.False(t, Colour(terminal))
	t.Setenv("TERM", "xterm")
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer file.Close()
	require.False(t, Colour(file))
}

func TestFormats(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 123456: "123,456", -100: "-100"} {
		require.Equal(t, want, Count(n))
	}
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.00 kB", 25_149_000: "25.1 MB", 999_600: "1.00 MB", 123_456: "123 kB"} {
		require.Equal(t, want, Bytes(n))
	}
	for d, want := range map[time.Duration]string{
		0: "0 ns", 812: "812 ns", 11_300: "11.3 µs", 999_900: "1.00 ms", 1_240 * time.Millisecond: "1.24 s", time.Hour: "3600 s",
	} {
		require.Equal(t, want, Duration(d))
	}
	for v, want := range map[float64]string{0: "0.00 ns", 8: "8.00 ns", 44: "44.0 ns", 0.25: "0.25 ns", 7.648: "7.65 ns", 19.601: "19.6 ns", 999.7: "1.00 µs", 5436: "5.44 µs", 2e12: "2000 s"} {
		require.Equal(t, want, Nanoseconds(v))
	}
}
