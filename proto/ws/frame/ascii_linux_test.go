package frame

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A text that lies at the end, or the start, of mapped memory: a read beyond it
// would be a fault.
func TestASCIIPrefixReadsNothingElse(t *testing.T) {
	page := os.Getpagesize()
	m, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Munmap(m)) }()
	require.NoError(t, unix.Mprotect(m[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(m[2*page:], unix.PROT_NONE))
	for n := range 200 {
		require.Equal(t, n, asciiPrefix(m[page:page+n]))
		require.Equal(t, n, asciiPrefix(m[2*page-n:2*page]))
	}
}
