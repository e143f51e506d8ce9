package docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/markdown"
)

// program is a whole program of a page, or a test file.
type program struct {
	name string // page and line
	text string
	want string // what it prints; of a test file nothing
	real string // where its exchange is
	test bool
}

// programs are the whole programs of all pages.
func programs(t *testing.T) []program {
	t.Helper()
	var all []program
	for _, p := range pages(t) {
		for i, f := range p.Fences {
			if f.Lang != "go" || !strings.HasPrefix(strings.TrimSpace(f.Text), "package ") {
				continue
			}
			g := program{name: fmt.Sprintf("%s_%d", strings.TrimSuffix(p.Path, ".md"), f.Line), text: f.Text}
			if g.test = isTest(f); !g.test {
				require.Truef(t, i+1 < len(p.Fences) && p.Fences[i+1].Lang == "text",
					"%s:%d: a program without a text fence that says what it prints", p.Path, f.Line)
				g.want = p.Fences[i+1].Text
			}
			all = append(all, g)
		}
	}
	return all
}

func isTest(f markdown.Fence) bool { return regexp.MustCompile(`(?m)^func Test`).MatchString(f.Text) }

// module makes a module in a temporary directory with a package for each
// program: one that may import what this module may, and nothing internal.
func module(t *testing.T, all []program) (dir string) {
	t.Helper()
	dir = t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	mod := text(t, "go.mod")
	mod = strings.Replace(mod, "module github.com/boomnet-go/boomnet/docs", "module example.com/pages", 1)
	mod = strings.Replace(mod, "=> ../", "=> "+root, 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), []byte(text(t, "go.sum")), 0o600))
	for _, g := range all {
		file := "main.go"
		if g.test {
			file = "page_test.go"
		}
		require.NoError(t, os.Mkdir(filepath.Join(dir, g.name), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, g.name, file), []byte(g.text), 0o600))
	}
	return dir
}

func TestPrograms(t *testing.T) {
	all := programs(t)
	dir := module(t, all)
	goTool(t, dir, "vet", "./...")
	for i, g := range all { // each with the address of its own exchange
		if !g.test {
			all[i].real = startExchange(t, filepath.Join(dir, g.name), g.text)
			text := strings.ReplaceAll(g.text, address, all[i].real)
			require.NoError(t, os.WriteFile(filepath.Join(dir, g.name, "main.go"), []byte(text), 0o600))
		}
	}
	bin := filepath.Join(dir, "bin")
	require.NoError(t, os.Mkdir(bin, 0o700))
	goTool(t, dir, "build", "-buildvcs=false", "-o", bin+"/", "./...")
	for _, g := range all {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			if g.test {
				goTool(t, dir, "test", "-count=1", "./"+g.name)
				return
			}
			cmd := exec.Command(filepath.Join(bin, g.name))
			cmd.Dir = filepath.Join(dir, g.name)
			check(t, cmd, g.want, g.real)
		})
	}
}

func TestProgramsAreFormatted(t *testing.T) {
	dir := module(t, programs(t))
	out, err := exec.Command("gofmt", "-l", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

const interrupt = "^C\n"

var exitStatus = regexp.MustCompile(`exit status (\d+)\n$`)

// check runs a command and compares what it prints, both outputs together, with
// what the page says of an exchange at address, which really is elsewhere.
func check(t *testing.T, cmd *exec.Cmd, want, real string) {
	t.Helper()
	status := 0
	if m := exitStatus.FindStringSubmatch(want); m != nil {
		_, err := fmt.Sscan(m[1], &status)
		require.NoError(t, err)
		want = strings.TrimSuffix(want, m[0])
	}
	before, after, stop := strings.Cut(want, interrupt)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	out := new(output)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a shell's children are ended with it
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	begun := regexp.MustCompile(`^` + pattern(before))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var err error
	for waiting := true; waiting; {
		select {
		case err = <-ended:
			waiting = false
		case <-ctx.Done():
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			err = errors.Join(ctx.Err(), <-ended)
			waiting = false
		case <-tick.C:
			if stop && begun.MatchString(out.String()) {
				stop = false
				require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			}
		}
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && failed.ExitCode() == status {
		err = nil
	} else if err == nil && status != 0 {
		err = fmt.Errorf("exit status 0, not %d", status)
	}
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `^`+pattern(before+after)+`$`, strings.ReplaceAll(out.String(), real, address))
}

// output collects what a process prints.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}
