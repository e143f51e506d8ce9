//go:build external && linux

package stream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests speak TLS 1.2 and 1.3 with OpenSSL.

// bothVersions runs a test for each version.
func bothVersions(t *testing.T, test func(t *testing.T, version uint16)) {
	for _, version := range tlsVersions {
		t.Run(tls.VersionName(version), func(t *testing.T) { test(t, version) })
	}
}

func trusting() *tls.Config { return &tls.Config{RootCAs: testAuthority().pool()} }

// dialTLS dials what must be reached.
func dialTLS(t *testing.T, config *tls.Config, target string) *TLS {
	t.Helper()
	s, err := (&Options{TLS: config}).Dial(testCtx(t), target)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s.(*TLS)
}

// refused is the error of a Dial or, when TLS 1.3 lets that succeed, of the first Read.
func refused(t *testing.T, version uint16, config *tls.Config, target string) error {
	t.Helper()
	s, err := (&Options{TLS: config}).Dial(testCtx(t), target)
	if version < tls.VersionTLS13 {
		failedIn(t, Securing, err)
		return err
	}
	require.NoError(t, err)
	defer s.Close()
	_, err = readSome(t, s.(waiting), make([]byte, 10))
	require.ErrorContains(t, err, "stream: tls with "+strings.TrimPrefix(target, "tls://"))
	return err
}

func writeTLS(t *testing.T, s *TLS, p []byte) {
	t.Helper()
	n, err := s.Write(p)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
	for err := s.Flush(); err != nil; err = s.Flush() {
		require.Equal(t, ErrWouldBlock, err)
		require.NoError(t, s.Wait(testCtx(t), true))
	}
}

// readExactly reads want.
func readExactly(t *testing.T, s *TLS, want string) {
	t.Helper()
	got := ""
	for p := make([]byte, len(want)); len(got) < len(want); {
		n, err := readSome(t, s, p[:len(want)-len(got)])
		require.NoError(t, err)
		got += string(p[:n])
	}
	require.True(t, want == got, "%.100q", got)
}

// greeted dials, is sent a line, and leaves in order.
func (s *opensslServer) greeted(t *testing.T, config *tls.Config) tls.ConnectionState {
	t.Helper()
	c := dialTLS(t, config, s.target)
	s.enter(t, "hello\n")
	readExactly(t, c, "hello\n")
	require.NoError(t, c.Close())
	return c.ConnectionState()
}

func TestExternalOpenSSLRoots(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := openssl(t, version, goodCertificate())
		state := s.greeted(t, trusting())
		require.Equal(t, version, state.Version)
		require.Equal(t, goodCertificate().Certificate[0], state.PeerCertificates[0].Raw)

		var authority x509.UnknownAuthorityError
		_, err := (&Options{TLS: &tls.Config{RootCAs: x509.NewCertPool()}}).Dial(testCtx(t), s.target)
		failedIn(t, Securing, err)
		require.ErrorAs(t, err, &authority)
		s.out.until(t, "alert bad certificate") // it is told

		var name x509.HostnameError
		wrong := trusting()
		wrong.ServerName = "other.test"
		_, err = (&Options{TLS: wrong}).Dial(testCtx(t), s.target)
		failedIn(t, Securing, err)
		require.ErrorAs(t, err, &name)
		require.Equal(t, "other.test", name.Host)

		var invalid x509.CertificateInvalidError
		s = openssl(t, version, testAuthority().issue(time.Now().Add(-time.Hour)))
		_, err = (&Options{TLS: trusting()}).Dial(testCtx(t), s.target)
		failedIn(t, Securing, err)
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, x509.Expired, invalid.Reason)
	})
}

func TestExternalOpenSSLClientCertificate(t *testing.T) {
	mine, others := goodCertificate(), newAuthority("another authority").issue(time.Now().Add(time.Hour))
	bothVersions(t, func(t *testing.T, version uint16) {
		ca := pemFile(t, tls.Certificate{Certificate: [][]byte{testAuthority().cert.Raw}})
		s := openssl(t, version, goodCertificate(), "-Verify", "1", "-verify_return_error", "-CAfile", ca)
		listed := trusting()
		listed.Certificates = []tls.Certificate{mine}
		asked := trusting()
		asked.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &mine, nil }
		for _, config := range []*tls.Config{listed, asked} {
			s.greeted(t, config)
		}
		s.out.times(t, "Client certificate\n", 2)

		// Without one. One that the server does not list the authority of is not
		// sent either, unless GetClientCertificate says so.
		none := map[uint16]string{tls.VersionTLS12: "remote error: tls: handshake failure", tls.VersionTLS13: "remote error: tls: certificate required"}[version]
		unlisted := trusting()
		unlisted.Certificates = []tls.Certificate{others}
		insisting := trusting()
		insisting.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &others, nil }
		for _, c := range []struct {
			config *tls.Config
			alert  string
		}{{trusting(), none}, {unlisted, none}, {insisting, "remote error: tls: unknown certificate authority"}} {
			err := refused(t, version, c.config, s.target)
			require.ErrorContains(t, err, c.alert)
			var alert *net.OpError
			require.ErrorAs(t, err, &alert)
		}
	})
}

func TestExternalOpenSSLALPN(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := openssl(t, version, goodCertificate(), "-alpn", "fix,http/1.1")
		config := trusting()
		config.NextProtos = []string{"http/1.1", "fix"} // the server's order decides
		require.Equal(t, "fix", s.greeted(t, config).NegotiatedProtocol)
		s.out.until(t, "ALPN protocols selected: fix")
		require.Empty(t, s.greeted(t, trusting()).NegotiatedProtocol)

		config.NextProtos = []string{"h9"}
		_, err := (&Options{TLS: config}).Dial(testCtx(t), s.target)
		failedIn(t, Securing, err)
		require.ErrorContains(t, err, "remote error: tls: no application protocol")

		// A server that knows nothing of ALPN leaves it out.
		s = openssl(t, version, goodCertificate())
		require.Empty(t, s.greeted(t, config).NegotiatedProtocol)
	})
}

func TestExternalOpenSSLResumption(t *testing.T) {
	const reused = "Reused session-id"
	resumed := func(t *testing.T, s *opensslServer) bool {
		config := trusting()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		require.False(t, s.greeted(t, config).DidResume)
		require.NotContains(t, s.out.String(), reused)
		if !s.greeted(t, config).DidResume {
			return false
		}
		s.out.until(t, reused)
		return true
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		require.True(t, resumed(t, openssl(t, version, goodCertificate())))
		// In TLS 1.3 -no_ticket makes tickets that name an entry of the server's cache.
		require.Equal(t, version == tls.VersionTLS13, resumed(t, openssl(t, version, goodCertificate(), "-no_ticket")))
		if version == tls.VersionTLS13 {
			require.False(t, resumed(t, openssl(t, version, goodCertificate(), "-num_tickets", "0")))
		}

		// In TLS 1.3 tickets follow the handshake, and count once they are read.
		s := openssl(t, version, goodCertificate())
		config := trusting()
		config.ClientSessionCache = tls.NewLRUClientSessionCache(4)
		require.NoError(t, dialTLS(t, config, s.target).Close())
		require.Equal(t, version == tls.VersionTLS12, s.greeted(t, config).DidResume)
		require.True(t, s.greeted(t, config).DidResume)
	})
}

func TestExternalOpenSSLKeyLog(t *testing.T) {
	labels := map[uint16][]string{
		tls.VersionTLS12: {"CLIENT_RANDOM"},
		tls.VersionTLS13: {"CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"},
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		dir := t.TempDir()
		mine, theirs := filepath.Join(dir, "mine"), filepath.Join(dir, "theirs")
		s := openssl(t, version, goodCertificate(), "-keylogfile", theirs)
		for range 2 { // the second is appended
			w, err := KeyLogFile(mine)
			require.NoError(t, err)
			config := trusting()
			config.KeyLogWriter = w
			s.greeted(t, config)
			require.NoError(t, w.Close())
		}
		info, err := os.Stat(mine)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())

		got, want := keyLogLines(t, mine), keyLogLines(t, theirs)
		require.Len(t, got, 2)
		require.Len(t, want, 2)
		for random, secrets := range got {
			require.Len(t, secrets, len(labels[version]))
			for _, label := range labels[version] {
				require.NotEmpty(t, secrets[label])
				require.Equal(t, want[random][label], secrets[label], label)
			}
		}
	})
}

// keyLogLines are a key log's secrets by client random and label.
func keyLogLines(t *testing.T, name string) map[string]map[string]string {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	all := map[string]map[string]string{}
	for line := range strings.Lines(string(text)) {
		if line[0] == '#' {
			continue
		}
		f := strings.Fields(strings.ToLower(line))
		require.Len(t, f, 3, "%q", line)
		if all[f[1]] == nil {
			all[f[1]] = map[string]string{}
		}
		all[f[1]][strings.ToUpper(f[0])] = f[2]
	}
	return all
}

func TestExternalOpenSSLData(t *testing.T) {
	record := func(version uint16, size int) string { // its header in a dump of -msg
		size += map[uint16]int{tls.VersionTLS12: 24, tls.VersionTLS13: 17}[version]
		return fmt.Sprintf(` TLS 1.., RecordHeader \[length 0005\]\n +17 03 03 %02x %02x\n`, size>>8, size&0xff)
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		s := openssl(t, version, goodCertificate(), "-msg")
		c := dialTLS(t, trusting(), s.target)
		seen := map[int]int{}
		for _, size := range []int{1, 1, 1, 16 << 10, 1} {
			seen[size]++ // record by record
			text := strings.Repeat("x", size)
			s.enter(t, text)
			readExactly(t, c, text)
			s.out.times(t, ">>>"+record(version, size), seen[size])
			text = strings.Repeat("y", size)
			writeTLS(t, c, []byte(text))
			s.out.times(t, "<<<"+record(version, size), seen[size])
		}
		require.NoError(t, c.Close())
		s.out.until(t, "DONE") // not: unexpected eof while reading
		require.True(t, strings.Contains(s.out.String(), strings.Repeat("y", 16<<10)))
	})
}

func TestExternalOpenSSLKeyUpdate(t *testing.T) {
	s := openssl(t, tls.VersionTLS13, goodCertificate(), "-msg")
	c := dialTLS(t, trusting(), s.target)
	for i, command := range []string{"k\n", "K\n", "k\n", "K\n"} { // K asks for the client's keys too
		s.enter(t, command)
		text := strings.Repeat("x", i+1) + "\n"
		s.out.times(t, ">>> TLS 1.3, Handshake .*, KeyUpdate", i+1)
		s.enter(t, text)
		readExactly(t, c, text)
		text = strings.Repeat("y", i+1) + "\n"
		writeTLS(t, c, []byte(text))
		s.out.until(t, "\n"+text)
	}
	require.Equal(t, 2, strings.Count(s.out.String(), "<<< TLS 1.3, Handshake [length 0005], KeyUpdate"))
}

func TestExternalOpenSSLRenegotiationRefused(t *testing.T) {
	for _, command := range []string{"r\n", "R\n"} {
		s := openssl(t, tls.VersionTLS12, goodCertificate(), "-msg")
		c := dialTLS(t, trusting(), s.target)
		s.enter(t, command)
		_, err := readSome(t, c, make([]byte, 10))
		require.ErrorContains(t, err, "tls: no renegotiation")
		require.NoError(t, c.Flush())
		s.out.until(t, "Alert .length 0002., warning no_renegotiation")
	}
}

func TestExternalOpenSSLEnd(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		s := openssl(t, version, goodCertificate(), "-rev") // answers with lines reversed
		c := dialTLS(t, trusting(), s.target)
		writeTLS(t, c, []byte("olleh\nCLOSE\n"))
		readExactly(t, c, "hello\n")
		_, err := readSome(t, c, make([]byte, 10))
		require.Equal(t, io.EOF, err) // close_notify
		require.NoError(t, c.Close())

		s = openssl(t, version, goodCertificate())
		c = dialTLS(t, trusting(), s.target)
		s.enter(t, "hello\n")
		readExactly(t, c, "hello\n")
		s.kill()
		_, err = readSome(t, c, make([]byte, 10))
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.ErrorContains(t, err, strings.TrimPrefix(s.target, "tls://"))
	})
}
