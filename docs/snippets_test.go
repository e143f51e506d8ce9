package docs

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const boomnet = "github.com/boomnet-go/boomnet/"

// library are the packages that users import.
var library = []string{
	boomnet + "affinity", boomnet + "capture", boomnet + "capture/pcapng", boomnet + "capture/tape", boomnet + "clock", boomnet + "control", boomnet + "dns", boomnet + "endpoint",
	boomnet + "proto/ws", boomnet + "proto/ws/frame", boomnet + "reactor", boomnet + "reactor/idle",
	boomnet + "reactor/selector", boomnet + "stats", boomnet + "stats/prometheus", boomnet + "stream",
}

// known are the packages that a snippet may use without importing them.
var known = append([]string{
	"bytes", "context", "crypto/hmac", "crypto/sha256", "crypto/tls", "crypto/x509", "encoding/binary", "encoding/hex", "encoding/json",
	"errors", "fmt", "io", "log", "log/slog", "math/rand/v2", "net", "net/http", "net/netip", "os", "os/signal", "runtime", "runtime/debug",
	"runtime/metrics", "slices", "strconv", "strings", "sync", "sync/atomic", "syscall", "time",
	"golang.org/x/sys/unix",
}, library...)

// name is the package's name in code.
func name(importPath string) string {
	if strings.HasSuffix(importPath, "/v2") {
		importPath = path.Dir(importPath)
	}
	return path.Base(importPath)
}

// checker type-checks against what the go command has compiled.
type checker struct {
	fset     *token.FileSet
	importer types.Importer
}

var newChecker = sync.OnceValues(func() (*checker, error) {
	exports := make(map[string]string)
	out, err := command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, known...)...)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		if p, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[p] = file
		}
	}
	c := &checker{fset: token.NewFileSet()}
	c.importer = importer.ForCompiler(c.fset, "gc", func(p string) (io.ReadCloser, error) { return os.Open(exports[p]) })
	return c, nil
})

func typeChecker(t *testing.T) *checker {
	t.Helper()
	c, err := newChecker()
	require.NoError(t, err)
	return c
}

// check type-checks the files of one package.
func (c *checker) check(files ...*ast.File) error {
	config := types.Config{Importer: c.importer}
	_, err := config.Check("page", c.fset, files, nil)
	return err
}

// parse makes a file of declarations, or of statements that become the body of a
// function, and gives it the imports that it needs.
func (c *checker) parse(name, code string, statements bool) (*ast.File, error) {
	if statements {
		code = "func _() error {\n" + code + "\nreturn nil\n}\n"
	}
	bare, err := parser.ParseFile(c.fset, name, "package page\n"+code, 0)
	if err != nil {
		return nil, err
	}
	return parser.ParseFile(c.fset, name, "package page\n"+imports(bare)+code, 0)
}

// imports are the import declarations for what is unresolved in f.
func imports(f *ast.File) string {
	var b strings.Builder
	for _, p := range known {
		if slices.ContainsFunc(f.Unresolved, func(id *ast.Ident) bool { return id.Name == name(p) }) {
			fmt.Fprintf(&b, "import %q\n", p)
		}
	}
	return b.String()
}

// without drops from the prelude what f declares itself.
func without(prelude, f *ast.File) {
	declared := make(map[string]bool)
	for _, d := range f.Decls {
		for _, n := range declares(d) {
			declared[n] = true
		}
	}
	prelude.Decls = slices.DeleteFunc(prelude.Decls, func(d ast.Decl) bool {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
			return declared[receiver(fn)]
		}
		return slices.ContainsFunc(declares(d), func(n string) bool { return declared[n] })
	})
}

func declares(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, n := range s.Names {
					names = append(names, n.Name)
				}
			}
		}
	}
	return names
}

func receiver(fn *ast.FuncDecl) string {
	t := fn.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	if id, ok := t.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func TestSnippetsCompile(t *testing.T) {
	c := typeChecker(t)
	n := 0
	for _, p := range pages(t) {
		for _, f := range p.Fences {
			if f.Lang != "go" || strings.HasPrefix(strings.TrimSpace(f.Text), "package ") {
				continue
			}
			n++
			where := fmt.Sprintf("%s:%d", p.Path, f.Line)
			file, err := c.parse(where, f.Text, false)
			if err != nil {
				file, err = c.parse(where, f.Text, true)
			}
			require.NoError(t, err, where)
			prelude, err := c.parse("prelude", prelude, false)
			require.NoError(t, err)
			without(prelude, file)
			// What only the dropped declarations used is no matter.
			err = c.check(file, prelude)
			if err != nil && !unusedInPrelude.MatchString(err.Error()) {
				t.Errorf("%s\n%s", err, f.Text)
			}
		}
	}
	require.NotZero(t, n)
}

var unusedInPrelude = regexp.MustCompile(`^prelude:.*imported and not used`)

// TestNamesExist looks up every `pkg.Name` of running text.
func TestNamesExist(t *testing.T) {
	c := typeChecker(t)
	packages := make(map[string]*types.Package)
	for _, p := range library {
		pkg, err := c.importer.Import(p)
		require.NoError(t, err)
		packages[name(p)] = pkg
	}
	dotted := regexp.MustCompile(`^\*?([a-z]+)\.([A-Z]\w*)(?:\.([A-Z]\w*))?\b`)
	n := 0
	for _, p := range pages(t) {
		for _, s := range p.Spans {
			m := dotted.FindStringSubmatch(s.Text)
			if m == nil || packages[m[1]] == nil {
				continue
			}
			n++
			object := packages[m[1]].Scope().Lookup(m[2])
			if object == nil {
				t.Errorf("%s:%d: `%s`: no %s in %s", p.Path, s.Line, s.Text, m[2], m[1])
				continue
			}
			if m[3] == "" {
				continue
			}
			if found, _, _ := types.LookupFieldOrMethod(object.Type(), true, object.Pkg(), m[3]); found == nil {
				t.Errorf("%s:%d: `%s`: no %s in %s.%s", p.Path, s.Line, s.Text, m[3], m[1], m[2])
			}
		}
	}
	require.NotZero(t, n)
}
