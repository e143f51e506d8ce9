package docs

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sources parses the Go files below a directory that are no tests.
func sources(t *testing.T, dir string, do func(*ast.File)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			do(f)
		}
		return err
	})
	require.NoError(t, err)
}

// ours are the folders whose errors a user can meet.
var ours = []string{"affinity", "capture", "clock", "cmd/boomctl", "control", "dns", "endpoint", "internal/doctor", "internal/exchange", "internal/feed", "internal/tasks", "proto/ws", "reactor", "stats", "stream"}

// theirs are those of Go's own packages.
var theirs = []string{"context", "crypto/tls", "crypto/x509", "internal/poll", "io", "net", "syscall"}

// literals are the string literals of these folders.
func literals(t *testing.T) string {
	t.Helper()
	var dirs []string
	for _, d := range ours {
		dirs = append(dirs, filepath.Join("..", d))
	}
	for _, d := range theirs {
		dirs = append(dirs, filepath.Join(build.Default.GOROOT, "src", d))
	}
	var all strings.Builder
	for _, d := range dirs {
		sources(t, d, func(f *ast.File) {
			ast.Inspect(f, func(n ast.Node) bool {
				if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
					if s, err := strconv.Unquote(l.Value); err == nil {
						all.WriteString(s + "\n")
					}
				}
				return true
			})
		})
	}
	return all.String()
}

// TestErrorTextsExist: each text that the page quotes is in the code.
func TestErrorTextsExist(t *testing.T) {
	code := literals(t)
	n := 0
	for _, row := range page(t, "troubleshooting.md").Rows {
		quoted := regexp.MustCompile("^`(.*)`$").FindStringSubmatch(row[0])
		if quoted == nil {
			continue
		}
		n++
		for part := range strings.SplitSeq(quoted[1], "…") {
			if strings.Trim(part, " :;,()\"") != "" && !composed(code, strings.TrimSuffix(part, ": "), 2) {
				t.Errorf("%q of `%s` is in no string of the code", part, quoted[1])
			}
		}
	}
	require.NotZero(t, n)
}

// composed reports whether text is made of at most n strings of the code, cut at
// the ends of words: errors are put together from a few.
func composed(code, text string, n int) bool {
	if text == "" || strings.Contains(code, text) {
		return true
	}
	if n == 1 {
		return false
	}
	for i := len(text) - 1; i > 0; i-- {
		if word(text[i-1]) != word(text[i]) && strings.Contains(code, text[:i]) && composed(code, text[i:], n-1) {
			return true
		}
	}
	return false
}

func word(b byte) bool { return b != ' ' && b != ':' && b != ',' }

// TestSentinelsAreExplained: each sentinel error of the library is in the page.
func TestSentinelsAreExplained(t *testing.T) {
	said := text(t, "troubleshooting.md")
	n := 0
	for _, p := range library {
		dir := filepath.Join("..", strings.TrimPrefix(p, boomnet))
		for _, f := range parsed(t, dir) {
			for _, d := range f.Decls {
				g, ok := d.(*ast.GenDecl)
				if !ok || g.Tok != token.VAR && g.Tok != token.CONST {
					continue
				}
				for _, s := range g.Specs {
					for _, id := range s.(*ast.ValueSpec).Names {
						if !regexp.MustCompile("^Err[A-Z]").MatchString(id.Name) {
							continue
						}
						n++
						if sentinel := name(p) + "." + id.Name; !strings.Contains(said, "`"+sentinel+"`") {
							t.Errorf("troubleshooting.md does not explain `%s`", sentinel)
						}
					}
				}
			}
		}
	}
	require.Greater(t, n, 30)
}

// parsed are the files of one folder that are no tests.
func parsed(t *testing.T, dir string) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, n := range names {
		if strings.HasSuffix(n, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), n, nil, 0)
		require.NoError(t, err)
		files = append(files, f)
	}
	return files
}
