package procfs

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestOf(t *testing.T) {
	fsys := Of(fstest.MapFS{
		"proc/7/comm":      {Data: []byte("seven")},
		"proc/self/comm":   {Data: []byte("mine")},
		"proc/selfish":     {Data: []byte("not a process")},
		"sys/class/net/lo": {Data: []byte("../../devices/virtual/net/lo"), Mode: fs.ModeSymlink},
	}, 7)
	for name, want := range map[string]string{"proc/self/comm": "seven", "proc/7/comm": "seven", "proc/selfish": "not a process"} {
		got, err := fs.ReadFile(fsys, name)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	entries, err := fs.ReadDir(fsys, "proc/self")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	target, err := fs.ReadLink(fsys, "sys/class/net/lo")
	require.NoError(t, err)
	require.Equal(t, "../../devices/virtual/net/lo", target)
	info, err := fs.Lstat(fsys, "sys/class/net/lo")
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink)
	_, err = fs.ReadFile(Of(fstest.MapFS{}, 8), "proc/self/comm")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
