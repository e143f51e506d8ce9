//go:build external && linux

package stream

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// opensslServer is an openssl s_server, of Debian's package openssl. It serves
// one connection after the other: what it gets it prints, what the test types
// it sends, but for the commands of one letter a line that its manual lists.
type opensslServer struct {
	target string // tls://127.0.0.1:port
	cmd    *exec.Cmd
	stdin  io.Writer
	out    screen // of stdout and stderr
}

var opensslFlag = map[uint16]string{tls.VersionTLS12: "-tls1_2", tls.VersionTLS13: "-tls1_3"}

// openssl starts a server of one version with a certificate until the test ends.
func openssl(t *testing.T, version uint16, cert tls.Certificate, args ...string) *opensslServer {
	t.Helper()
	path, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl must be installed")
	file := pemFile(t, cert)
	s := &opensslServer{}
	s.cmd = exec.Command(path, append([]string{"s_server", "-accept", "127.0.0.1:0", "-cert", file, "-key", file, opensslFlag[version],
		"-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"}, args...)...) // in TLS 1.2 the suite decides how large a record is
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	s.stdin, err = s.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Log(s.out.String())
		}
	})
	s.target = "tls://" + s.out.until(t, `ACCEPT (127\.0\.0\.1:\d+)\n`)
	return s
}

func (s *opensslServer) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

func (s *opensslServer) enter(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(s.stdin, text)
	require.NoError(t, err)
}

// screen is what a program prints.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// until waits for what matches the expression, and returns its last group.
func (s *screen) until(t *testing.T, expr string) string {
	t.Helper()
	return s.times(t, expr, 1)
}

// times waits until the expression matches n times.
func (s *screen) times(t *testing.T, expr string, n int) string {
	t.Helper()
	re := regexp.MustCompile(expr)
	for ctx := testCtx(t); ; time.Sleep(5 * time.Millisecond) {
		if m := re.FindAllStringSubmatch(s.String(), n); len(m) == n {
			return m[n-1][len(m[n-1])-1]
		}
		require.NoError(t, ctx.Err(), "%s is not in:\n%s", expr, s)
	}
}

// pemFile is a file with a certificate and its key, if it has one.
func pemFile(t *testing.T, cert tls.Certificate) string {
	t.Helper()
	var text []byte
	for _, der := range cert.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	if cert.PrivateKey != nil {
		der, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
		require.NoError(t, err)
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	}
	name := filepath.Join(t.TempDir(), "cert.pem")
	require.NoError(t, os.WriteFile(name, text, 0o600))
	return name
}
