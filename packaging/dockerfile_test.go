package packaging

import (
	"os"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"
)

// parse reads a Dockerfile as BuildKit does, and collects what its linter says.
func parse(text string) (stages []instructions.Stage, warnings []string, err error) {
	tree, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, nil, err
	}
	for _, w := range tree.Warnings {
		warnings = append(warnings, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, _ []parser.Range) {
		warnings = append(warnings, rule+": "+message)
	}})
	stages, _, err = instructions.Parse(tree.AST, lint)
	return stages, warnings, err
}

func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	stages, warnings, err := parse(string(text))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Len(t, stages, 2)
	require.Equal(t, "build", stages[0].Name)
	last := stages[1]
	require.Equal(t, "scratch", last.BaseName)
	var user, signal string
	var program []string
	for _, c := range last.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.StopSignalCommand:
			signal = c.Signal
		case *instructions.EntrypointCommand:
			require.False(t, c.PrependShell, "scratch has no shell")
			program = c.CmdLine
		case *instructions.RunCommand:
			require.Fail(t, "scratch runs nothing")
		case *instructions.CopyCommand:
			require.Equal(t, "build", c.From)
		}
	}
	require.Equal(t, "65532:65532", user)
	require.Equal(t, "SIGTERM", signal)
	require.Equal(t, []string{"/program"}, program)
}

// What goes wrong in Dockerfiles is seen by parse.
func TestParseSeesMistakes(t *testing.T) {
	_, _, err := parse("FROM scratch\nCOPPY a b\n")
	require.ErrorContains(t, err, "unknown instruction: COPPY")
	_, _, err = parse("FROM scratch\nCOPY --frm=build a b\n")
	require.Error(t, err)
	_, warnings, err := parse("FROM scratch as Build\nCOPY a b\n")
	require.NoError(t, err)
	require.NotEmpty(t, warnings)
}
