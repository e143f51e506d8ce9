package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/internal/markdown"
)

func TestMain(m *testing.M) { leak.Main(m) }

// limit bounds the life of a program or command under test.
const limit = 30 * time.Second

// pages reads all pages of this directory.
func pages(t *testing.T) []*markdown.Page {
	t.Helper()
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var all []*markdown.Page
	for _, f := range files {
		all = append(all, page(t, f))
	}
	return all
}

func page(t *testing.T, file string) *markdown.Page {
	t.Helper()
	p, err := markdown.Read(file)
	require.NoError(t, err)
	return p
}

// text is the part of a page outside its fences and the fences themselves.
func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(b)
}

// goTool runs the go command in dir.
func goTool(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s\n%s%s", strings.Join(args, " "), out, &stderr)
	return string(out)
}

// address is where the pages have their exchange.
const address = "127.0.0.1:9443"

// startExchange starts what stands in for address when text uses it, writes
// ca.pem into dir when that is over TLS, and returns where it really is.
func startExchange(t *testing.T, dir, text string) (real string) {
	t.Helper()
	if !strings.Contains(text, address) {
		return address
	}
	cfg := exchange.Config{Rate: 100, Seed: 1}
	if strings.Contains(text, "wss://"+address) {
		cfg.TLS = &exchange.TLS{}
	}
	s, err := exchange.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	if s.CA() != nil {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), s.CA(), 0o600))
	}
	return s.Addr().String()
}

// pattern makes a regular expression of what a page says is printed: "…" is any
// text, in a line of its own any lines.
func pattern(said string) string {
	var b strings.Builder
	for line := range strings.Lines(said) {
		if strings.TrimSpace(line) == "…" {
			b.WriteString(`(?:.*\n)*?`)
			continue
		}
		b.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), "…", `.*?`))
	}
	return b.String()
}

// command runs a program and returns its standard output.
func command(name string, args ...string) (string, error) {
	var stderr bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return string(out), nil
}
