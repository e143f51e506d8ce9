//go:build external && linux

package main

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExternalCompletionInBash(t *testing.T) {
	s := startShell(t, bashSetup, "bash", "--norc", "--noprofile", "-i")
	testShell(t, s)
	s.keys(t, "boomctl co\t")
	require.Contains(t, s.until(t, "connect"), "completion")
}

// With the package bash-completion the script is loaded when it is needed.
func TestExternalCompletionLoadedByBash(t *testing.T) {
	s := startShell(t, "bind 'set enable-bracketed-paste off'; mkdir -p ~/.local/share/bash-completion/completions; "+
		"cp ~/boomctl.bash ~/.local/share/bash-completion/completions/boomctl; source /usr/share/bash-completion/bash_completion",
		"bash", "--norc", "--noprofile", "-i")
	testShell(t, s)
}

func TestExternalCompletionInZsh(t *testing.T) {
	s := startShell(t, "PS1='ready> '; unsetopt beep prompt_sp prompt_cr; autoload -U compinit; compinit -u -D; source ~/boomctl.zsh", "zsh", "-f", "-i")
	testShell(t, s)
	s.keys(t, "boomctl co\t\t")
	require.Contains(t, s.until(t, "-- Print what makes"), "-- Connect to a WebSocket")
}

// A script on fpath is a function of its own name.
func TestExternalCompletionLoadedByZsh(t *testing.T) {
	s := startShell(t, "unsetopt beep prompt_sp prompt_cr; mkdir ~/functions; cp ~/boomctl.zsh ~/functions/_boomctl; "+
		"fpath=(~/functions $fpath); autoload -U compinit; compinit -u -D", "zsh", "-f", "-i")
	testShell(t, s)
}

func TestExternalCompletionInFish(t *testing.T) {
	s := startShell(t, "source ~/boomctl.fish", "fish", "--private")
	testShell(t, s)
	s.keys(t, "clear; complete -C 'boomctl connect --cac'\r")
	s.until(t, "--cacert\tTrust the certificates in this PEM file instead of the system's")
}

// What the shells and shellcheck say of the scripts themselves.
func TestExternalCompletionScriptsAreGood(t *testing.T) {
	for _, c := range [][]string{
		{"bash", "-n", "completion/boomctl.bash"},
		{"zsh", "-n", "completion/boomctl.zsh"},
		{"fish", "-n", "completion/boomctl.fish"},
		{"shellcheck", "completion/boomctl.bash"},
	} {
		path, err := exec.LookPath(c[0])
		require.NoError(t, err)
		out, err := exec.Command(path, c[1:]...).CombinedOutput()
		require.NoError(t, err, "%v: %s", c, out)
	}
}
