package term

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeKey(t *testing.T) {
	for _, c := range []struct {
		in   string
		last bool
		want Key
		n    int
	}{
		{"", true, 0, 0},
		{"q", false, 'q', 1},
		{"qs", false, 'q', 1},
		{"é", false, 'é', 2},
		{"\xc3", false, 0, 0},
		{"\xc3", true, KeyUnknown, 1},
		{"\xffx", false, KeyUnknown, 1},
		{"\r", false, KeyEnter, 1},
		{"\n", false, KeyEnter, 1},
		{"\b", false, KeyBackspace, 1},
		{"\x7f", false, KeyBackspace, 1},
		{"\t", false, KeyTab, 1},
		{"\x03", false, KeyCtrlC, 1},
		{"\x1b", false, 0, 0},
		{"\x1b", true, KeyEscape, 1},
		{"\x1bq", false, KeyEscape, 1},
		{"\x1b[", false, 0, 0},
		{"\x1b[", true, KeyUnknown, 2},
		{"\x1b[A", false, KeyUp, 3},
		{"\x1bOB", false, KeyDown, 3},
		{"\x1b[5~x", false, KeyPageUp, 4},
		{"\x1b[6~", false, KeyPageDown, 4},
		{"\x1b[1;5C", false, KeyUnknown, 6},
		{"\x1b[1", false, 0, 0},
		{"\x1b[1111111111111111111111", false, KeyUnknown, maxSequence},
	} {
		k, n := DecodeKey([]byte(c.in), c.last)
		require.Equal(t, c.want, k, "%q", c.in)
		require.Equal(t, c.n, n, "%q", c.in)
	}
}

// Whatever comes, it is taken off in steps that never exceed it.
func FuzzDecodeKey(f *testing.F) {
	f.Add([]byte("q\x1b[A\x1b\x1bOB\xc3\xa9\x1b[1;5C"))
	f.Fuzz(func(t *testing.T, p []byte) {
		for len(p) > 0 {
			_, n := DecodeKey(p, true)
			require.Positive(t, n)
			require.LessOrEqual(t, n, len(p))
			if _, early := DecodeKey(p, false); early > 0 {
				require.LessOrEqual(t, early, len(p))
			}
			p = p[n:]
		}
	})
}
