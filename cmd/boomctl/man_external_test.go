//go:build external && linux

package main

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mandoc and groff have nothing to say against the page, and show what it says.
func TestExternalManual(t *testing.T) {
	page := manual(newParser(new(cli)).Model.Node, thisBuild())
	for _, c := range [][]string{
		{"mandoc", "-T", "lint"},
		{"groff", "-man", "-t", "-ww", "-z", "-K", "utf8", "-"},
		{"mandoc", "-T", "utf8"},
	} {
		path, err := exec.LookPath(c[0])
		require.NoError(t, err)
		command := exec.Command(path, c[1:]...)
		command.Stdin = strings.NewReader(page)
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%v: %s", c, out)
		if c[2] == "utf8" {
			shown := escapes.ReplaceAllString(string(out), "")
			require.Contains(t, shown, "--max-message=SIZE")
			require.Contains(t, shown, "EXIT STATUS")
		} else {
			require.Empty(t, string(out), "%v", c)
		}
	}
}
