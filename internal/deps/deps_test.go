package deps

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/boomnet-go/boomnet"

// layers are the library's packages from the bottom up. A package may import
// those of lower layers, none of its own and none above.
var layers = [][]string{
	{"clock", "affinity", "stats", "capture/pcapng"},
	{"dns", "stats/prometheus", "capture/packets"},
	{"stream"},
	{"proto/ws/frame"},
	{"proto/ws"},
	{"endpoint"},
	{"reactor/internal/syswait"},
	{"reactor/idle", "reactor/ring", "reactor/selector"},
	{"capture/tape"},
	{"reactor"},
	{"control", "capture"},
	{""}, // the root, which is documentation
}

// allowed are the packages of others that the library may bring in.
var allowed = []string{
	"golang.org/x/sys/unix",
	"golang.org/x/net/dns/dnsmessage",
	"github.com/valyala/bytebufferpool",
	"github.com/klauspost/compress",
	"github.com/klauspost/compress/flate",
	"github.com/klauspost/compress/fse",
	"github.com/klauspost/compress/huff0",
	"github.com/klauspost/compress/internal/cpuinfo",
	"github.com/klauspost/compress/internal/le",
	"github.com/klauspost/compress/internal/regmask",
	"github.com/klauspost/compress/internal/snapref",
	"github.com/klauspost/compress/zstd",
	"github.com/klauspost/compress/zstd/internal/xxhash",
}

// free are the folders whose packages are not the library: they may import what
// they like, and no library package imports them.
var free = []string{"cmd", "examples", "internal", "proto/ws/autobahn"}

func isFree(path string) bool {
	return slices.ContainsFunc(free, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

// pkg is a package as `go list -json` shows it.
type pkg struct {
	ImportPath string
	Standard   bool
	Deps       []string // all it brings in, itself excluded
}

// list asks go for every package of this module and all that they bring in.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-deps", "-json=ImportPath,Standard,Deps", module+"/...")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

// layer returns the layer of a path inside the module, -1 when it has none.
func layer(path string) int {
	return slices.IndexFunc(layers, func(l []string) bool { return slices.Contains(l, path) })
}

// inside returns the path of a package inside the module.
func inside(importPath string) (path string, ok bool) {
	if importPath == module {
		return "", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// violations says which packages break the rule, and how.
func violations(pkgs []pkg) (found []string) {
	standard := make(map[string]bool)
	for _, p := range pkgs {
		standard[p.ImportPath] = p.Standard
	}
	for _, p := range pkgs {
		path, ours := inside(p.ImportPath)
		if !ours {
			continue
		}
		if layer(path) < 0 && isFree(path) {
			continue
		}
		if layer(path) < 0 {
			found = append(found, fmt.Sprintf("%s is in no layer", p.ImportPath))
			continue
		}
		for _, dep := range p.Deps {
			switch to, ours := inside(dep); {
			case ours && layer(to) < 0:
				found = append(found, fmt.Sprintf("%s brings in %s, which is not of the library", p.ImportPath, dep))
			case ours && layer(to) >= layer(path):
				found = append(found, fmt.Sprintf("%s imports %s: imports go down only", p.ImportPath, dep))
			case !ours && !standard[dep] && dep != "C" && !slices.Contains(allowed, dep):
				found = append(found, fmt.Sprintf("%s brings in %s, which is not on the list", p.ImportPath, dep))
			}
		}
	}
	return found
}

// watch walks through the module. `go test` keeps the result of a test for as
// long as what the test itself looked at stays the same, and does not know what
// the go command looked at.
func watch(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("../..", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
			return nil
		}
		return err
	}))
}

func TestLibrary(t *testing.T) {
	watch(t)
	pkgs := list(t)
	require.Empty(t, violations(pkgs))

	// Every layer's packages were seen: the tables do not outlive them.
	for _, l := range layers {
		for _, path := range l {
			if path == "" {
				continue
			}
			require.True(t, slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == module+"/"+path }),
				"package %s is in the table and not in the module", path)
		}
	}
}

func TestViolations(t *testing.T) {
	at := func(path string) string { return module + "/" + path }
	std := pkg{ImportPath: "net", Standard: true}
	for _, c := range []struct {
		name string
		pkg  pkg
		want string // "": none
	}{
		{"standard library", pkg{ImportPath: at("dns"), Deps: []string{"net"}}, ""},
		{"allowed", pkg{ImportPath: at("stream"), Deps: []string{"golang.org/x/sys/unix"}}, ""},
		{"down", pkg{ImportPath: at("reactor"), Deps: []string{at("stream"), at("endpoint")}}, ""},
		{"not the library", pkg{ImportPath: at("cmd/boomctl"), Deps: []string{"example.com/x"}}, ""},
		{"examples", pkg{ImportPath: at("examples"), Deps: []string{at("reactor")}}, ""},
		{"another module", pkg{ImportPath: "example.com/x", Deps: []string{"example.com/y"}}, ""},
		{"foreign", pkg{ImportPath: at("dns"), Deps: []string{"example.com/x"}},
			at("dns") + " brings in example.com/x, which is not on the list"},
		{"near miss", pkg{ImportPath: at("dns"), Deps: []string{"golang.org/x/sys/cpu"}},
			at("dns") + " brings in golang.org/x/sys/cpu, which is not on the list"},
		{"up", pkg{ImportPath: at("stream"), Deps: []string{at("proto/ws")}},
			at("stream") + " imports " + at("proto/ws") + ": imports go down only"},
		{"sideways", pkg{ImportPath: at("stats"), Deps: []string{at("clock")}},
			at("stats") + " imports " + at("clock") + ": imports go down only"},
		{"helper", pkg{ImportPath: at("stream"), Deps: []string{at("internal/exchange")}},
			at("stream") + " brings in " + at("internal/exchange") + ", which is not of the library"},
		{"looks free", pkg{ImportPath: at("cmdline")}, at("cmdline") + " is in no layer"},
		{"unknown", pkg{ImportPath: at("proto/new")}, at("proto/new") + " is in no layer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := violations([]pkg{std, c.pkg})
			if c.want == "" {
				require.Empty(t, got)
			} else {
				require.Equal(t, []string{c.want}, got)
			}
		})
	}
}
