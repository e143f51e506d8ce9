package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"
)

// versionCmd is `boomctl version`.
type versionCmd struct {
	JSON bool `name:"json" help:"Print one JSON object. What is not known is null."`
}

func (*versionCmd) about() about {
	return about{examples: []example{
		{"For a bug report.", "boomctl version"},
		{"The revision alone.", "boomctl version --json | jq -r .revision"},
	}}
}

// Run prints what is known of this build.
func (c *versionCmd) Run(k *kong.Kong) error {
	b := thisBuild()
	if c.JSON {
		return json.NewEncoder(k.Stdout).Encode(b)
	}
	return b.write(k.Stdout)
}

// versionFlag is --version: one line.
type versionFlag bool

// BeforeReset is called by kong when the flag is there, whatever else is.
func (versionFlag) BeforeReset(k *kong.Kong) error {
	_, err := fmt.Fprintln(k.Stdout, "boomctl", thisBuild().Version)
	k.Exit(exitOK)
	return err
}

// build is what a program was built from, as far as the linker wrote it down.
type build struct {
	Version  string       `json:"version"`  // of the main module; "(devel)": not known
	Revision *string      `json:"revision"` // of version control; null: built without
	Time     *string      `json:"time"`     // of that revision, RFC 3339
	Modified *bool        `json:"modified"` // the tree had changes beside the revision
	Go       string       `json:"go"`
	OS       string       `json:"os"`
	Arch     string       `json:"arch"`
	Level    *string      `json:"arch_level"` // GOAMD64, GOARM64, …
	Tags     []string     `json:"tags"`
	Cgo      *bool        `json:"cgo"`
	Modules  []moduleJSON `json:"dependencies"`
}

type moduleJSON struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Replace string `json:"replace,omitempty"` // what stood in for it
}

func thisBuild() *build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{GoVersion: runtime.Version()}
	}
	return newBuild(info)
}

func newBuild(info *debug.BuildInfo) *build {
	b := &build{
		Version: info.Main.Version, Go: info.GoVersion, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Tags: []string{}, Modules: []moduleJSON{},
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = &s.Value
		case "vcs.time":
			b.Time = &s.Value
		case "vcs.modified":
			b.Modified = new(s.Value == "true")
		case "CGO_ENABLED":
			b.Cgo = new(s.Value == "1")
		case "-tags":
			b.Tags = strings.Split(s.Value, ",")
		case "GO" + strings.ToUpper(runtime.GOARCH):
			b.Level = new(s.Key + "=" + s.Value)
		}
	}
	for _, d := range info.Deps {
		m := moduleJSON{Path: d.Path, Version: d.Version}
		if d.Replace != nil {
			m.Replace = strings.TrimSpace(d.Replace.Path + " " + d.Replace.Version)
		}
		b.Modules = append(b.Modules, m)
	}
	return b
}

func (b *build) write(w io.Writer) error {
	var s strings.Builder
	fmt.Fprintf(&s, "boomctl %s\n", b.Version)
	revision := "not known: built without version control"
	if b.Revision != nil {
		revision = *b.Revision
		if b.Time != nil {
			revision += " of " + *b.Time
		}
		if b.Modified != nil && *b.Modified {
			revision += ", with changes that were not committed"
		}
	}
	fmt.Fprintf(&s, "  revision  %s\n", revision)
	fmt.Fprintf(&s, "  built by  %s for %s/%s", b.Go, b.OS, b.Arch)
	if b.Level != nil {
		fmt.Fprintf(&s, ", %s", *b.Level)
	}
	switch {
	case b.Cgo == nil:
	case *b.Cgo:
		s.WriteString(", with cgo")
	default:
		s.WriteString(", without cgo")
	}
	s.WriteByte('\n')
	if len(b.Tags) > 0 {
		fmt.Fprintf(&s, "  tags      %s\n", strings.Join(b.Tags, ","))
	}
	for i, m := range b.Modules {
		label := ""
		if i == 0 {
			label = "needs"
		}
		fmt.Fprintf(&s, "  %-8s  %s %s", label, m.Path, m.Version)
		if m.Replace != "" {
			fmt.Fprintf(&s, " => %s", m.Replace)
		}
		s.WriteByte('\n')
	}
	_, err := io.WriteString(w, s.String())
	return err
}
