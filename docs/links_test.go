package docs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/markdown"
)

func TestLinks(t *testing.T) {
	for _, p := range pages(t) {
		for _, l := range p.Links {
			if strings.Contains(l.Target, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(l.Target, "#")
			to := p
			if file != "" {
				path := filepath.Join(filepath.Dir(p.Path), file)
				if _, err := os.Stat(path); err != nil {
					t.Errorf("%s:%d: %s: %v", p.Path, l.Line, l.Target, err)
					continue
				}
				if anchor == "" {
					continue
				}
				to = page(t, path)
			}
			if !slices.ContainsFunc(to.Headings, func(h markdown.Heading) bool { return h.Anchor == anchor }) {
				t.Errorf("%s:%d: %s: no such heading in %s", p.Path, l.Line, l.Target, to.Path)
			}
		}
	}
}

// TestEveryPageIsInTheIndex: a page that README.md does not name is not found.
func TestEveryPageIsInTheIndex(t *testing.T) {
	var linked []string
	for _, l := range page(t, "README.md").Links {
		linked = append(linked, l.Target)
	}
	for _, p := range pages(t) {
		if p.Path != "README.md" {
			require.Contains(t, linked, p.Path)
		}
	}
}
