package feed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseLine(t *testing.T) {
	for _, c := range []struct {
		line    string
		time    int64
		payload string
		err     error
	}{
		{"1626916403.8469708\t{}", 1626916403_846970800, "{}", nil},
		{"0\t", 0, "", nil},
		{"5\ta\tb\r", 5_000_000_000, "a\tb\r", nil},
		{"5.\tx", 5_000_000_000, "x", nil},
		{".5\tx", 500_000_000, "x", nil},
		{"1.1234567899\tx", 1_123456789, "x", nil},
		{"\tx", 0, "", ErrBadTime},
		{".\tx", 0, "", ErrBadTime},
		{"-1\tx", 0, "", ErrBadTime},
		{"1.2.3\tx", 0, "", ErrBadTime},
		{"1e9\tx", 0, "", ErrBadTime},
		{"99999999999999999999\tx", 0, "", ErrBadTime},
		{strings.Repeat("x", 1000), 0, "", ErrBadTime},
		{"12", 0, "", ErrNoTab},
		{"", 0, "", ErrNoTab},
	} {
		l, err := ParseLine([]byte(c.line))
		require.ErrorIs(t, err, c.err, "%q", c.line)
		require.Equal(t, c.time, l.Time, "%q", c.line)
		require.Equal(t, c.payload, string(l.Payload), "%q", c.line)
	}
}

func TestParseLineAllocatesNothing(t *testing.T) {
	line := []byte("1626916403.8469708\t{}")
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = ParseLine(line) }))
}

func TestReader(t *testing.T) {
	r, err := NewReader(strings.NewReader("1\ta\n\n2\tb\nbad\n3\tc"))
	require.NoError(t, err)
	for _, want := range []string{"a", "b"} {
		l, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, want, string(l.Payload))
	}
	_, err = r.Next()
	require.EqualError(t, err, `line 4: feed: bad time: "bad"`)
	var bad *LineError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 4, bad.Line)
	l, err := r.Next()
	require.NoError(t, err)
	require.Equal(t, Line{Time: 3_000_000_000, Payload: []byte("c")}, l)
	_, err = r.Next()
	require.Equal(t, io.EOF, err)
}

func TestLineLimit(t *testing.T) {
	const limit = 200 << 10 // longer than the buffer
	for _, end := range []string{"", "\n"} {
		for extra, want := range []error{nil, ErrLineLong} {
			r, err := NewReader(strings.NewReader("1\tx\n1\t" + strings.Repeat("y", limit-2+extra) + end))
			require.NoError(t, err)
			r.limit = limit
			_, err = r.Next()
			require.NoError(t, err)
			l, err := r.Next()
			require.ErrorIs(t, err, want)
			if want != nil {
				require.ErrorContains(t, err, "line 2: ")
				continue
			}
			require.Len(t, l.Payload, limit-2)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "feed.gz")
	lines := []Line{
		{0, []byte("")},
		{1626916403_846970800, []byte("{\"a\":\t1}\r")},
		{1626916403_000000001, bytes.Repeat([]byte{0, 0xff}, 200<<10)},
	}
	w, err := Create(path)
	require.NoError(t, err)
	for _, l := range lines {
		require.NoError(t, w.Write(l))
	}
	require.ErrorIs(t, w.Write(Line{0, []byte("a\nb")}), ErrLineFeed)
	require.ErrorIs(t, w.Write(Line{0, make([]byte, MaxLine)}), ErrLineLong)
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Close(), fs.ErrClosed)
	require.ErrorIs(t, w.Write(lines[0]), fs.ErrClosed)

	st, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), st.Mode())
	_, err = Create(path)
	require.ErrorIs(t, err, fs.ErrExist)

	r, err := Open(path)
	require.NoError(t, err)
	for _, want := range lines {
		got, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, want.Time, got.Time)
		require.True(t, bytes.Equal(want.Payload, got.Payload))
	}
	_, err = r.Next()
	require.Equal(t, io.EOF, err)
	require.NoError(t, r.Close())

	info, err := Scan(path)
	require.NoError(t, err)
	require.Equal(t, Info{Messages: 3, Bytes: 9 + 400<<10, Largest: 400 << 10, Last: 1626916403_000000001}, info)
}

func TestBrokenFiles(t *testing.T) {
	dir := t.TempDir()
	_, err := Scan(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "none")

	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte("1\tx\n2\ty\n"))
	require.NoError(t, w.Close())
	for name, c := range map[string]struct {
		data []byte
		says string
		err  error
	}{
		"header":    {[]byte{0x1f, 0x8b, 0}, "gzip header", io.ErrUnexpectedEOF},
		"truncated": {z.Bytes()[:z.Len()-4], "line 3: ", ErrTruncated},
		"checksum":  {append(bytes.Clone(z.Bytes()[:z.Len()-8]), 1, 2, 3, 4, 5, 6, 7, 8), "line 3: ", gzip.ErrChecksum},
		"line":      {[]byte("1\tx\nno tab"), "line 2: ", ErrBadTime},
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, c.data, 0o600))
		_, err := Scan(path)
		require.ErrorIs(t, err, c.err, name)
		require.ErrorContains(t, err, c.says)
		require.ErrorContains(t, err, path)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteErrorIsReported(t *testing.T) {
	w := NewWriter(failing{})
	_ = w.Write(Line{1, []byte("x")})
	require.ErrorContains(t, w.Close(), "disk full")
}

func FuzzParseLine(f *testing.F) {
	for _, s := range []string{"1.5\tx", "\t", "1..\t", "18446744073709551616\t", "0.0000000001\tpayload\t\r", "9223372034.9999999999\tx"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := ParseLine(line)
		if err != nil {
			return
		}
		require.GreaterOrEqual(t, l.Time, int64(0))
		require.True(t, bytes.HasSuffix(line, l.Payload))
		again, err := ParseLine(bytes.TrimSuffix(AppendLine(nil, l), []byte("\n")))
		require.NoError(t, err)
		require.Equal(t, l.Time, again.Time)
		require.True(t, bytes.Equal(l.Payload, again.Payload))
	})
}
