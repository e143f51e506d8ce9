//go:build external

package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// analyze runs systemd-analyze over the unit with its program at a path that
// exists, and replaced in it what replacer says.
func analyze(t *testing.T, replace []string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err)
	unit, err := os.ReadFile("feedhandler.service")
	require.NoError(t, err)
	dir := t.TempDir()
	program := filepath.Join(dir, "feedhandler")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700))
	text := strings.NewReplacer(append(replace, "/usr/local/bin/feedhandler", program)...).Replace(string(unit))
	copied := filepath.Join(dir, "feedhandler.service")
	require.NoError(t, os.WriteFile(copied, []byte(text), 0o600))
	out, err := exec.Command(path, append(args, copied)...).CombinedOutput()
	return string(out), err
}

func TestExternalUnit(t *testing.T) {
	out, err := analyze(t, nil, "verify", "--man=no", "--recursive-errors=no")
	require.NoError(t, err, out)
	require.Empty(t, out)
}

// A wrong name or value is seen.
func TestExternalUnitWithMistakes(t *testing.T) {
	out, _ := analyze(t, []string{"NoNewPrivileges=yes", "NoNewPrivilege=yes", "Nice=-10", "Nice=-100"},
		"verify", "--man=no", "--recursive-errors=no")
	require.Contains(t, out, "'NoNewPrivilege'")
	require.Contains(t, out, "Nice priority out of range")
}

// It leaves little open: systemd's own score, in tenths, of at most 3.0.
func TestExternalUnitExposure(t *testing.T) {
	out, err := analyze(t, nil, "security", "--offline=true", "--no-pager", "--threshold=30")
	require.NoError(t, err, out)
}
