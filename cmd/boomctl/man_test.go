package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		`--rate 1\n`: `\-\-rate 1\en`, ".hidden": `\&.hidden`, "'tis": `\&\(aqtis`, "µs …": `\[u00B5]s \[u2026]`, "`~^": `\(ga\(ti\(ha`,
	} {
		require.Equal(t, want, escape(text))
	}
}

func TestRoff(t *testing.T) {
	var r roff
	r.macro(".SS", `say "x" <y>`)
	r.paragraphs("One. Two-three.\n\n\tindented -1\n\n.four")
	require.Equal(t, `.SS "say \(dqx\(dq <y>"
One.
Two\-three.
.PP
.RS 4
.nf
indented \-1
.fi
.RE
.PP
\&.four
`, r.String())
}

// All that the model has is in the page.
func TestManual(t *testing.T) {
	root := newParser(new(cli)).Model.Node
	page := manual(root, &build{Version: "v1.2.3", Time: new("2026-11-24T10:00:00Z")})
	require.True(t, strings.HasPrefix(page, `.TH BOOMCTL 1 2026-11-24 "boomctl v1.2.3" "User Commands"`+"\n"), page[:80])
	for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"} {
		require.Equal(t, 1, strings.Count(page, `.SH "`+section+"\"\n"), section)
	}
	for _, n := range withOuter(root)[1:] {
		require.Contains(t, page, `.SS "boomctl `+n.Path())
		for _, f := range n.Flags {
			require.Contains(t, page, escape("--"+f.Name), n.Path())
		}
		for _, e := range aboutNode(n).examples {
			require.Contains(t, page, "\n"+escape(strings.Split(e.lines, "\n")[0])+"\n")
		}
	}
	require.NotContains(t, page, "__complete", "hidden commands are not for people")
	for i, c := range []byte(page) {
		require.Less(t, c, byte(127), "at %d", i)
	}
}
