package frame

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bad byte at every place of texts of every length up to three steps of the
// widest loop, at every alignment to a vector.
func TestASCIIPrefixStopsWhereTheTwinStops(t *testing.T) {
	text := bytes.Repeat([]byte("a"), 16+3*64+17)
	for align := range 16 {
		for n := 0; align+n <= len(text); n++ {
			p := text[align : align+n]
			require.Equal(t, n, asciiPrefix(p))
			require.Equal(t, n, asciiPrefixWords(p))
			if align > 1 {
				continue
			}
			for at := range p {
				p[at] = 0x80
				require.Equal(t, at, asciiPrefix(p), "of %d bytes", n)
				require.Equal(t, at, asciiPrefixWords(p), "of %d bytes", n)
				p[at] = 'a'
			}
		}
	}
}

func FuzzASCIIPrefix(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef\xe2\x82\xac"), 3)
	f.Add(bytes.Repeat([]byte{0x7f}, 200), 0)
	f.Fuzz(func(t *testing.T, p []byte, from int) {
		p = p[int(uint(from)%uint(len(p)+1)):]
		require.Equal(t, asciiPrefixWords(p), asciiPrefix(p))
	})
}
