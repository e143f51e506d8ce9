package markdown

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	p := Parse("# One `a.B`\n\nSee [two](#two) and `[no](link)`.\n\n```go extra\nx := 1\n```\n\n" +
		"## Two\n\n| a | b |\n|---|---|\n| `x` | 1 \\| 2 |\n\n## Two\n\n  ```text\n  # none\n  ```\n")
	require.Equal(t, []Fence{{"go", "x := 1\n", 6}, {"text", "  # none\n", 18}}, p.Fences)
	require.Equal(t, []Heading{{"One `a.B`", "one-ab"}, {"Two", "two"}, {"Two", "two-1"}}, p.Headings)
	require.Equal(t, []Link{{"#two", 3}}, p.Links)
	require.Equal(t, []Span{{"a.B", 1}, {"[no](link)", 3}, {"x", 13}}, p.Spans)
	require.Equal(t, [][]string{{"`x`", "1 | 2"}}, p.Rows)
}

func TestAnchor(t *testing.T) {
	require.Equal(t, "stream-would-block", Anchor("`stream: would block`"))
	require.Equal(t, "a--b_c-2", Anchor("A & b_c 2!"))
}
