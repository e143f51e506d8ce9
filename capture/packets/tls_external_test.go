//go:build external

package packets

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serverTap is the connection of a server, with what it reads and writes in order.
type serverTap struct{ tappedConn }

func (c serverTap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.tap.mu.Lock()
		c.tap.segs = append(c.tap.segs, segment{true, bytes.Clone(b[:n])})
		c.tap.mu.Unlock()
	}
	return n, err
}

// fromClient returns how many bytes have come.
func (p *tap) fromClient() (n int) {
	for _, s := range p.segments() {
		if s.fromClient {
			n += len(s.data)
		}
	}
	return n
}

// client is OpenSSL's against a server of crypto/tls that sends back what it gets.
type client struct {
	tap  tap
	keys lockedBuffer
	in   io.WriteCloser
	done chan error
}

func startOpenSSL(t *testing.T, args ...string) *client {
	t.Helper()
	openssl, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl must be installed")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	cmd := exec.CommandContext(ctx, openssl, append([]string{"s_client", "-connect", l.Addr().String(),
		"-servername", "feed.example", "-alpn", "http/1.1"}, args...)...)
	c := &client{done: make(chan error, 1)}
	c.in, err = cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	conn, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	config := serverConfig()
	config.KeyLogWriter = &c.keys
	server := tls.Server(serverTap{tappedConn{conn, &c.tap, false}}, config)
	go func() {
		_, err := io.Copy(server, server)
		_ = server.Close()
		c.done <- err
	}()
	return c
}

// says types a line, and waits until more bytes have come: OpenSSL takes commands only
// at the begin of what it reads at once.
func (c *client) says(t *testing.T, line string) {
	t.Helper()
	had := c.tap.fromClient()
	_, err := io.WriteString(c.in, line+"\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return c.tap.fromClient() > had }, 20*time.Second, time.Millisecond)
}

// shaken waits until the handshake is over, as far as the client knows.
func (c *client) shaken(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		b := c.keys.Bytes()
		return bytes.Contains(b, []byte(clientTraffic.String())) || bytes.Contains(b, []byte(masterSecret.String()))
	}, 20*time.Second, time.Millisecond)
}

func TestExternalOpenSSL(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"TLS_AES_128_GCM_SHA256":                  {"-tls1_3", "-ciphersuites"},
		"TLS_AES_256_GCM_SHA384":                  {"-tls1_3", "-ciphersuites"},
		"TLS_CHACHA20_POLY1305_SHA256":            {"-tls1_3", "-ciphersuites"},
		"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384":   {"-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"},
		"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if len(args) == 2 {
				args = append(args, name)
			}
			c := startOpenSSL(t, args...)
			c.shaken(t)
			want := "hello\n"
			c.says(t, "hello")
			if args[0] == "-tls1_3" {
				for _, command := range []string{"K", "k"} { // KeyUpdate, that asks for one and does not
					c.says(t, command)
					c.says(t, "after "+command)
					want += "after " + command + "\n"
				}
			}
			c.says(t, "Q")
			require.NoError(t, <-c.done)
			for _, size := range sizes {
				r := open(keyLog(t, c.keys.Bytes()), c.tap.segments(), size)
				require.Equal(t, name, tls.CipherSuiteName(r.o.Facts().Suite))
				if strings.Contains(name, "CHACHA20") {
					var is *SuiteError
					require.ErrorAs(t, r.errs[0], &is)
					require.ErrorAs(t, r.errs[1], &is)
					continue
				}
				checkOpened(t, r, []byte(want), []byte(want))
				require.Equal(t, "http/1.1", r.o.Facts().ALPN)
				require.Equal(t, "feed.example", r.o.Facts().ServerName)
			}
		})
	}
}

// OpenSSL begins a second handshake, which crypto/tls declines.
func TestExternalRenegotiation(t *testing.T) {
	t.Parallel()
	c := startOpenSSL(t, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256")
	c.shaken(t)
	c.says(t, "hello")
	c.says(t, "R")
	require.Error(t, <-c.done)
	r := open(keyLog(t, c.keys.Bytes()), c.tap.segments(), 0)
	require.ErrorIs(t, r.errs[1], ErrRenegotiation)
	require.NoError(t, r.errs[0])
	require.Equal(t, "hello\n", string(r.data[1]))
}
