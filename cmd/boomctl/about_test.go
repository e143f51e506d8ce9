package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// helpOf is what `boomctl args… --help` prints.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	parser := newParser(new(cli))
	parser.Stdout = &out
	ended := false
	parser.Exit = func(status int) {
		require.Zero(t, status)
		ended = true
	}
	_, _ = parser.Parse(append(args, "--help")) // it goes on, and fails, as Exit returned
	require.True(t, ended)
	return out.String()
}

// Every command has examples, they end its help, and each is a command line that
// boomctl takes, of this command.
func TestExamples(t *testing.T) {
	root := newParser(new(cli)).Model.Node
	for _, n := range append(root.Leaves(true), root) {
		t.Run(n.FullPath(), func(t *testing.T) {
			examples := aboutNode(n).examples
			require.NotEmpty(t, examples, "%v: give it a method about, with examples", n.Target.Type())
			help := helpOf(t, strings.Fields(n.Path())...)
			_, shown, found := strings.Cut(help, "\nExamples:\n")
			require.True(t, found, help)
			for _, e := range examples {
				require.True(t, strings.HasSuffix(e.what, "."), "%q is a sentence", e.what)
				require.Contains(t, shown, "  # "+e.what+"\n")
				calls := 0
				for _, line := range strings.Split(e.lines, "\n") {
					require.Contains(t, shown, "\n  "+line+"\n")
					for _, args := range boomctlCalls(line) {
						calls++
						ctx, err := newParser(new(cli)).Parse(args)
						require.NoError(t, err, line)
						if n != root {
							require.Equal(t, n.FullPath(), ctx.Selected().FullPath(), line)
						}
					}
				}
				require.Positive(t, calls, e.lines)
			}
		})
	}
}

// Flags and arguments all say what they are.
func TestHelpOfEveryFlag(t *testing.T) {
	root := newParser(new(cli)).Model.Node
	for _, n := range append(root.Leaves(true), root) {
		require.True(t, strings.HasSuffix(n.Help, "."), "%s: %q is a sentence", n.FullPath(), n.Help)
		for _, v := range n.Values() {
			require.NotEmpty(t, v.Help, "%s %s", n.FullPath(), v.ShortSummary())
		}
		for _, f := range n.Flags {
			require.Contains(t, helpOf(t, strings.Fields(n.Path())...), "--"+f.Name)
		}
	}
}

func TestHelpHasStatusesAndEnvironment(t *testing.T) {
	help := helpOf(t, "connect")
	require.Contains(t, help, "\nExit status:\n  0  A clean end: ")
	require.Contains(t, help, "\n  7  A protocol violation")
	require.Contains(t, help, "\nEnvironment:\n  HTTPS_PROXY ")
	require.Contains(t, helpOf(t, "demo"), "\n  NO_COLOR  If ")
	for _, line := range strings.Split(help, "\n") {
		if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "      ") {
			require.LessOrEqual(t, len(line), helpWidth, line)
		}
	}
}

// boomctlCalls finds the arguments of each boomctl in a line of shell. It knows
// single quotes, and what ends a command.
func boomctlCalls(line string) (calls [][]string) {
	var words []string
	var word strings.Builder
	endWord := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	endCommand := func() {
		endWord()
		if i := slices.Index(words, "boomctl"); i >= 0 {
			calls = append(calls, words[i+1:])
		}
		words = nil
	}
	quoted := false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
			word.WriteRune(r)
		case r == ' ':
			endWord()
		case strings.ContainsRune("|&;<>()", r):
			endCommand()
		default:
			word.WriteRune(r)
		}
	}
	endCommand()
	return calls
}

func TestBoomctlCalls(t *testing.T) {
	require.Equal(t, [][]string{{"connect", "ws://a?b&c", "-q"}, {"man"}},
		boomctlCalls("echo 'boomctl|' | timeout 3 boomctl connect 'ws://a?b&c' -q >out; source <(boomctl man)"))
	require.Empty(t, boomctlCalls("mkdir -p boom"))
}

// Kong takes what is written for a person: its own usage errors end with 2.
func TestUsageIsShort(t *testing.T) {
	var stdout, stderr bytes.Buffer
	parser := newParser(new(cli))
	parser.Stdout, parser.Stderr = &stdout, &stderr
	status := -1
	parser.Exit = func(s int) { status = s }
	_, err := parser.Parse([]string{"exchange", "--rat", "3"})
	parser.FatalIfErrorf(err)
	require.Positive(t, status)
	require.Contains(t, stderr.String(), `unknown flag --rat, did you mean`)
	require.LessOrEqual(t, strings.Count(stdout.String(), "\n"), 3, stdout.String())
	require.Contains(t, stdout.String(), "--help")
}
