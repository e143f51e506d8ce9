//go:build external && linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/pty"
)

// typed are command lines as a person types them, with a tab where Tab is
// pressed, and the arguments that boomctl gets.
var typed = []struct{ keys, args string }{
	{"boomctl exch\t", "<exchange>"},
	{"boomctl connect --cac\tca.pem", "<connect><--cacert><ca.pem>"},
	{"boomctl connect --cacert cert\t", "<connect><--cacert><certificate.pem>"},
	{"boomctl connect --cacert=cert\t", "<connect><--cacert=certificate.pem>"},
	{"boomctl connect --cacert=sub\tx", "<connect><--cacert=subfolder/x>"},
	{"boomctl demo --selector di\t", "<demo><--selector><direct>"},
	{"boomctl demo --selector=di\t", "<demo><--selector=direct>"},
	{"boomctl demo --selector=di\t --fo\t1s", "<demo><--selector=direct><--for><1s>"},
	{"boomctl completion zs\t", "<completion><zsh>"},
	{"boomctl connect ws://127.0.0.1:1/a --compr\t", "<connect><ws://127.0.0.1:1/a><--compress>"},
	{"boomctl connect 'ws://127.0.0.1:1/a?b=c&d' --compr\t", "<connect><ws://127.0.0.1:1/a?b=c&d><--compress>"},
	{"boomctl connect -H 'a: b' --compr\t", "<connect><-H><a: b><--compress>"},
	{"~/bin/boomctl ver\t", "<version>"},
}

// shell is one that is typed into, in a terminal and a home of its own.
type shell struct {
	*exec.Cmd
	terminal *os.File
}

// startShell starts an interactive shell where boomctl completes by this very
// test binary, and otherwise only prints its arguments.
func startShell(t *testing.T, setup string, name string, args ...string) *shell {
	t.Helper()
	path, err := exec.LookPath(name)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	home := t.TempDir()
	for _, dir := range []string{"bin", "work/subfolder", "config"} {
		require.NoError(t, os.MkdirAll(filepath.Join(home, dir), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(home, "work/certificate.pem"), nil, 0o600))
	program := fmt.Sprintf("#!/bin/sh\nif [ \"$1\" = __complete ]; then %s=1 exec '%s' \"$@\"; fi\nprintf got; printf '<%%s>' \"$@\"; echo\n", runDemo, self)
	require.NoError(t, os.WriteFile(filepath.Join(home, "bin/boomctl"), []byte(program), 0o700))
	for file, script := range map[string]string{"boomctl.bash": completionBash, "boomctl.zsh": completionZsh, "boomctl.fish": completionFish} {
		require.NoError(t, os.WriteFile(filepath.Join(home, file), []byte(script), 0o600))
	}
	// Where this is not there, fish makes completions of all manual pages, in the
	// background and longer than the test.
	require.NoError(t, os.MkdirAll(filepath.Join(home, ".local/share/fish/generated_completions"), 0o700))
	master, slave := pty.Open(t, 120, 40)
	s := &shell{Cmd: exec.Command(path, args...), terminal: master}
	s.Dir = filepath.Join(home, "work")
	s.Env = []string{"HOME=" + home, "XDG_CONFIG_HOME=" + home + "/config", "TERM=xterm", "LANG=C.UTF-8", "PS1=ready> ",
		"PATH=" + filepath.Join(home, "bin") + ":/usr/local/bin:/usr/bin:/bin"}
	s.Stdin, s.Stdout, s.Stderr = slave, slave, slave
	s.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, s.Start())
	require.NoError(t, slave.Close())
	hung := time.AfterFunc(demoLimit, func() { _ = s.Process.Kill() })
	t.Cleanup(func() {
		hung.Stop()
		_ = s.Process.Kill()
		_ = s.Wait()
	})
	s.keys(t, setup+"\recho set-up-'is'-done\r")
	s.until(t, "set-up-is-done")
	return s
}

func (s *shell) keys(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(s.terminal, text)
	require.NoError(t, err)
}

// escapes are what a terminal takes as commands.
var escapes = regexp.MustCompile("\x1b(\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(\x07|\x1b\\\\)|[()][A-Z0-9]|[=>])|[\x07\r]|.\x08")

// until reads what the shell shows until that has text, and returns it without
// control sequences.
func (s *shell) until(t *testing.T, text string) string {
	t.Helper()
	require.NoError(t, s.terminal.SetReadDeadline(time.Now().Add(demoLimit)))
	var shown bytes.Buffer
	buf := make([]byte, 4096)
	for {
		n, err := s.terminal.Read(buf)
		shown.Write(buf[:n])
		plain := escapes.ReplaceAllString(shown.String(), "")
		if strings.Contains(plain, text) {
			return plain
		}
		require.NoError(t, err, "no %q in:\n%s", text, plain)
	}
}

// testShell types what a person does.
func testShell(t *testing.T, s *shell) {
	for _, c := range typed {
		s.keys(t, c.keys+"\r")
		s.until(t, "got"+c.args+"\n")
	}
}

const bashSetup = "PS1='ready> '; bind 'set enable-bracketed-paste off'; bind 'set show-all-if-ambiguous on'; source ~/boomctl.bash"
