package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// newMutualTLSServer demands the client certificate that it returns, in files,
// beside the one to trust. It greets over WebSocket with who came, and ends.
func newMutualTLSServer(t *testing.T, version uint16) (url, ca, cert, key string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := upgrade(w, r)
		defer p.Close()
		p.send(1, r.TLS.PeerCertificates[0].Subject.Organization[0])
		p.serve(nil)
	}))
	s.Config.ErrorLog = discardLog
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MaxVersion: version, NextProtos: []string{"http/1.1"}}
	s.StartTLS()
	t.Cleanup(s.Close)

	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return name
	}
	der, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey) // the server's own will do
	require.NoError(t, err)
	cert = write("cert.pem", "CERTIFICATE", s.Certificate().Raw)
	return "wss" + strings.TrimPrefix(s.URL, "https"), cert, cert, write("key.pem", "PRIVATE KEY", der)
}

func TestConnectClientCertificate(t *testing.T) {
	for version, alert := range map[uint16]string{tls.VersionTLS12: "handshake failure", tls.VersionTLS13: "certificate required"} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			url, ca, cert, key := newMutualTLSServer(t, version)
			o := connectTo(t, t.Context(), nil, "--cacert", ca, "--cert", cert, "--key", key, "--count", "1", url)
			require.Equal(t, exitOK, o.status, o.stderr)
			require.Equal(t, "Acme Co\n", o.stdout)
			require.Contains(t, o.stderr, tls.VersionName(version))

			// In TLS 1.3 the refusal is the answer to the upgrade request.
			o = connectTo(t, t.Context(), nil, "--cacert", ca, url)
			require.Equal(t, map[uint16]int{tls.VersionTLS12: exitTLS, tls.VersionTLS13: exitUpgrade}[version], o.status, o.stderr)
			require.Contains(t, o.stderr, "remote error: tls: "+alert)
			require.Empty(t, o.stdout)
		})
	}
}

func TestConnectCertificateFiles(t *testing.T) {
	url, ca, cert, key := newMutualTLSServer(t, 0)
	for _, tc := range []struct {
		stderr string
		args   []string
	}{
		{"no such file", []string{"--cert", cert, "--key", key + ".not"}},
		{"--cert " + key, []string{"--cert", key, "--key", key}}, // no certificate in it
		{"no such file", []string{"--keylog", t.TempDir() + "/none/keys"}},
	} {
		o := connectTo(t, t.Context(), nil, append(tc.args, "--cacert", ca, url)...)
		require.Equal(t, exitUsage, o.status, o.stderr)
		require.Contains(t, o.stderr, tc.stderr)
	}
	for _, args := range [][]string{{"--cert", cert, url}, {"--key", key, url}} {
		_, err := parseConnect(args...)
		require.ErrorContains(t, err, "--cert and --key go together")
	}
}

func TestConnectALPN(t *testing.T) {
	url, ca, cert, key := newMutualTLSServer(t, 0)
	args := []string{"--cacert", ca, "--cert", cert, "--key", key, "--count", "1", url}
	o := connectTo(t, t.Context(), nil, append([]string{"--alpn", "h9", "--alpn", "http/1.1"}, args...)...)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stderr, `, ALPN "http/1.1"`)

	o = connectTo(t, t.Context(), nil, append([]string{"--alpn", "h9"}, args...)...)
	require.Equal(t, exitTLS, o.status, o.stderr)
	require.Contains(t, o.stderr, "no application protocol")
}

func TestConnectKeyLog(t *testing.T) {
	url, ca, cert, key := newMutualTLSServer(t, tls.VersionTLS13)
	keys := filepath.Join(t.TempDir(), "keys")
	for i := range 2 { // the second is appended
		o := connectTo(t, t.Context(), nil, "--cacert", ca, "--cert", cert, "--key", key, "--keylog", keys, "--quiet", "--count", "1", url)
		require.Equal(t, exitOK, o.status, o.stderr)
		require.Contains(t, o.stderr, "WARNING: --keylog: who reads "+keys)
		text, err := os.ReadFile(keys)
		require.NoError(t, err)
		require.Equal(t, i+1, strings.Count(string(text), "CLIENT_TRAFFIC_SECRET_0 "), "%s", text)
	}
	info, err := os.Stat(keys)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}
