package main

import (
	_ "embed"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd is `boomctl completion`: the script of a shell. The scripts name
// no command and no flag: at each press of Tab they ask `boomctl __complete`, which
// has them from kong's model.
//
//	shell ── words up to the cursor ──→ boomctl __complete
//	      ←── action, candidates ──────
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

//go:embed completion/boomctl.bash
var completionBash string

//go:embed completion/boomctl.zsh
var completionZsh string

//go:embed completion/boomctl.fish
var completionFish string

func (*completionCmd) about() about {
	return about{examples: []example{
		{"bash with the package bash-completion.", "mkdir -p ~/.local/share/bash-completion/completions\nboomctl completion bash >~/.local/share/bash-completion/completions/boomctl"},
		{"bash without it: a line for ~/.bashrc.", "source <(boomctl completion bash)"},
		{"zsh: a line for ~/.zshrc, after compinit.", "source <(boomctl completion zsh)"},
		{"zsh, for all users.", "boomctl completion zsh >/usr/local/share/zsh/site-functions/_boomctl"},
		{"fish.", "mkdir -p ~/.config/fish/completions\nboomctl completion fish >~/.config/fish/completions/boomctl.fish"},
	}}
}

// Run prints the script.
func (c *completionCmd) Run(k *kong.Kong) error {
	script := map[string]string{"bash": completionBash, "zsh": completionZsh, "fish": completionFish}[c.Shell]
	_, err := io.WriteString(k.Stdout, script)
	return err
}

// completeCmd is `boomctl __complete -- WORD…`, which the scripts call with the
// words after "boomctl" up to the cursor, the one being typed as the last. It
// prints an action on the first line, and for the action words a candidate on
// each further line, followed by a tab and what it is.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints what the last word could become.
func (c *completeCmd) Run(k *kong.Kong) error {
	words := c.Words
	if len(words) == 0 {
		words = []string{""}
	}
	action, candidates := complete(k.Model.Node, words)
	var b strings.Builder
	b.WriteString(string(action) + "\n")
	for _, c := range candidates {
		b.WriteString(c.value)
		if c.help != "" {
			b.WriteString("\t" + c.help)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(k.Stdout, b.String())
	return err
}
