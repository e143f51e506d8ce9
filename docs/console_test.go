package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// step is a command of a console fence with what it prints.
type step struct {
	where   string
	command string
	output  string
}

// steps are the commands of all pages.
func steps(t *testing.T) []step {
	t.Helper()
	var all []step
	for _, p := range pages(t) {
		for _, f := range p.Fences {
			if f.Lang != "console" {
				continue
			}
			n := f.Line
			first := len(all)
			for line := range strings.Lines(f.Text) {
				if command, ok := strings.CutPrefix(line, "$ "); ok {
					all = append(all, step{where: fmt.Sprintf("%s:%d", p.Path, n), command: strings.TrimSpace(command)})
				} else {
					require.Greaterf(t, len(all), first, "%s:%d: output before a command", p.Path, n)
					all[len(all)-1].output += line
				}
				n++
			}
		}
	}
	return all
}

const boomctlByGo = "go run ./cmd/boomctl"

// boomctl is the part of a shell command that calls it, arguments and all.
var boomctl = regexp.MustCompile(`\bboomctl\b(?: (?:'[^']*'|"[^"]*"|[^'"|&>#])+)?`)

// plain are commands of the system that the pages tell people to use.
var plain = []string{"cat", "chrt", "curl", "git", "go", "grep", "ip", "ls", "lscpu", "mkdir", "openssl", "perf", "ping", "ps", "ss", "strace", "sudo", "sysctl", "taskset", "tcpdump", "ulimit", "echo", "cd", "boomctl", "make", "printf", "nproc", "export"}

// TestCommands checks every command, and runs those of which the page shows the
// output.
func TestCommands(t *testing.T) {
	bin := t.TempDir()
	goTool(t, "..", "build", "-buildvcs=false", "-o", bin+"/", "./cmd/boomctl")
	examples := t.TempDir()
	goTool(t, "..", "build", "-buildvcs=false", "-o", examples+"/", "./examples/...")
	all := steps(t)
	require.NotEmpty(t, all)
	for _, s := range all {
		t.Run(s.where, func(t *testing.T) {
			t.Parallel()
			command := strings.ReplaceAll(s.command, boomctlByGo, "boomctl")
			word, _, _ := strings.Cut(command, " ")
			word, _, isVar := strings.Cut(word, "=")
			require.True(t, isVar || slices.Contains(plain, word), "%s: is there such a command? add it to the list", word)
			for _, call := range boomctl.FindAllString(command, -1) {
				// --help ends it before anything is done, but not before a wrong flag.
				out, err := shell(bin, bin, call+" --help").CombinedOutput()
				require.NoError(t, err, "%s\n%s", call, out)
			}
			if rest, ok := strings.CutPrefix(command, "go run ./examples/"); ok {
				// As above; package flag knows -h.
				out, err := shell(examples, examples, "./"+rest+" -h").CombinedOutput()
				require.NoError(t, err, "%s", out)
			}
			if rest, ok := strings.CutPrefix(command, "go test "); ok {
				testsExist(t, rest)
			}
			if s.output != "" {
				dir := t.TempDir()
				real := startExchange(t, dir, command)
				check(t, shell(dir, bin, strings.ReplaceAll(command, address, real)), s.output, real)
			}
		})
	}
}

// shell runs a command in dir with the programs in bin at hand.
func shell(dir, bin, command string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return cmd
}

var selects = regexp.MustCompile(`-(?:run|bench) '?([^' ]+)'?`)

// testsExist asks go test whether what a page tells to run is there.
func testsExist(t *testing.T, args string) {
	t.Helper()
	fields := strings.Fields(args)
	packages := slices.DeleteFunc(fields, func(f string) bool { return !strings.HasPrefix(f, "./") })
	require.NotEmpty(t, packages, "a go test command names its package")
	for _, m := range selects.FindAllStringSubmatch(args, -1) {
		if m[1] == "^$" || m[1] == "." {
			continue
		}
		out := goTool(t, "..", append([]string{"test", "-list", m[1]}, packages...)...)
		require.Regexp(t, `(?m)^(Test|Benchmark|Fuzz|Example)`, out, "%s selects nothing in %v", m[1], packages)
	}
}
