package affinity

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBootIsolated(t *testing.T) {
	for text, want := range map[string]Set{"": {}, "\n": {}, "2-3,6\n": Of(2, 3, 6), "(null)\n": {}, "x": {}} {
		file := filepath.Join(t.TempDir(), "isolated")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.Equal(t, want, bootIsolated(file), "%q", text)
	}
	require.Zero(t, bootIsolated(filepath.Join(t.TempDir(), "missing")))
}
