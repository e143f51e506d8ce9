package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBuild(t *testing.T) {
	level := "GO" + strings.ToUpper(runtime.GOARCH)
	b := newBuild(&debug.BuildInfo{
		GoVersion: "go1.99", Main: debug.Module{Version: "v1.2.3"},
		Deps: []*debug.Module{
			{Path: "example.com/a", Version: "v1.0.0"},
			{Path: "example.com/b", Version: "v2.0.0", Replace: &debug.Module{Path: "../b"}},
		},
		Settings: []debug.BuildSetting{
			{Key: "-tags", Value: "boomnet_poison,netns"}, {Key: "CGO_ENABLED", Value: "0"}, {Key: level, Value: "v3"},
			{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-24T10:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		},
	})
	var text bytes.Buffer
	require.NoError(t, b.write(&text))
	require.Equal(t, "boomctl v1.2.3\n"+
		"  revision  abc of 2026-11-24T10:00:00Z, with changes that were not committed\n"+
		"  built by  go1.99 for "+runtime.GOOS+"/"+runtime.GOARCH+", "+level+"=v3, without cgo\n"+
		"  tags      boomnet_poison,netns\n"+
		"  needs     example.com/a v1.0.0\n"+
		"            example.com/b v2.0.0 => ../b\n", text.String())
	object, err := json.Marshal(b)
	require.NoError(t, err)
	require.JSONEq(t, `{"version": "v1.2.3", "revision": "abc", "time": "2026-11-24T10:00:00Z", "modified": true,
		"go": "go1.99", "os": "`+runtime.GOOS+`", "arch": "`+runtime.GOARCH+`", "arch_level": "`+level+`=v3", "tags": ["boomnet_poison", "netns"],
		"cgo": false, "dependencies": [{"path": "example.com/a", "version": "v1.0.0"}, {"path": "example.com/b", "version": "v2.0.0", "replace": "../b"}]}`,
		string(object))
	require.Equal(t, "2026-11-24", manualDate(b))
}

// What is not known is said to be unknown.
func TestBuildWithoutInformation(t *testing.T) {
	b := newBuild(&debug.BuildInfo{GoVersion: "go1.99"})
	var text bytes.Buffer
	require.NoError(t, b.write(&text))
	require.Equal(t, "boomctl (devel)\n"+
		"  revision  not known: built without version control\n"+
		"  built by  go1.99 for "+runtime.GOOS+"/"+runtime.GOARCH+"\n", text.String())
	object, err := json.Marshal(b)
	require.NoError(t, err)
	require.Contains(t, string(object), `"revision":null,"time":null,"modified":null,`)
	require.Contains(t, string(object), `"tags":[],"cgo":null,"dependencies":[]`)
}

// A built program knows its modules.
func TestVersionOfAProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "boomctl")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-tags", "boomnet_poison", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command(path, "version", "--json").Output()
	require.NoError(t, err)
	var b build
	require.NoError(t, json.Unmarshal(out, &b))
	require.Equal(t, runtime.Version(), b.Go)
	require.Equal(t, []string{"boomnet_poison"}, b.Tags)
	require.Nil(t, b.Revision)
	require.NotNil(t, b.Level)
	require.Contains(t, string(out), `"path":"github.com/alecthomas/kong","version":"v1.`)
	out, err = exec.Command(path, "connect", "--version").Output()
	require.NoError(t, err)
	require.Equal(t, "boomctl "+b.Version+"\n", string(out))
}
