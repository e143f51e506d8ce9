package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var tlsVersions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// helloServer answers one connection after the other with "hello", and puts the
// state of each on the channel.
func helloServer(t *testing.T, config *tls.Config) (target string, states <-chan tls.ConnectionState) {
	l := listen(t)
	config.Certificates = []tls.Certificate{goodCertificate()}
	out := make(chan tls.ConnectionState, 10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			c := tls.Server(raw, config)
			if c.HandshakeContext(context.Background()) == nil {
				out <- c.ConnectionState()
				_, _ = io.WriteString(c, "hello")
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return "tls://" + l.Addr().String(), out
}

// hello dials, reads to the end, and returns the state of the connection.
func hello(t *testing.T, config *tls.Config, target string) tls.ConnectionState {
	s, err := (&Options{TLS: config}).Dial(testCtx(t), target)
	require.NoError(t, err)
	defer s.Close()
	got, err := readAll(t, s.(waiting))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, "hello", string(got))
	return s.(Secured).ConnectionState()
}

func TestTLSResumes(t *testing.T) {
	for _, version := range tlsVersions {
		target, states := helloServer(t, &tls.Config{MaxVersion: version})
		config := &tls.Config{RootCAs: testAuthority().pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		for i := range 3 {
			state := hello(t, config, target)
			require.Equal(t, version, state.Version)
			require.Equal(t, i > 0, state.DidResume, "connection %d of %s", i, tls.VersionName(version))
			require.Equal(t, i > 0, (<-states).DidResume)
		}
		config.ClientSessionCache = nil
		require.False(t, hello(t, config, target).DidResume)
	}
}

// A cache knows a session by the server's name alone: with it comes the client
// certificate of the connection that it was made on.
func TestTLSSharedCacheSharesTheClientCertificate(t *testing.T) {
	for _, version := range tlsVersions {
		target, states := helloServer(t, &tls.Config{MaxVersion: version, ClientAuth: tls.RequireAnyClientCert})
		cache := tls.NewLRUClientSessionCache(4)
		first, second := goodCertificate(), testAuthority().issue(time.Now().Add(time.Hour))
		for _, c := range []struct {
			cache      tls.ClientSessionCache
			mine, seen tls.Certificate
		}{{cache, first, first}, {cache, second, first}, {nil, second, second}} {
			hello(t, &tls.Config{RootCAs: testAuthority().pool(), ClientSessionCache: c.cache, Certificates: []tls.Certificate{c.mine}}, target)
			require.Equal(t, c.seen.Certificate[0], (<-states).PeerCertificates[0].Raw)
		}
	}
}

func TestTLSNegotiatesALPN(t *testing.T) {
	for _, version := range tlsVersions {
		target, states := helloServer(t, &tls.Config{MaxVersion: version, NextProtos: []string{"fix", "http/1.1"}})
		state := hello(t, &tls.Config{RootCAs: testAuthority().pool(), NextProtos: []string{"http/1.1"}}, target)
		require.Equal(t, "http/1.1", state.NegotiatedProtocol)
		require.Equal(t, "http/1.1", (<-states).NegotiatedProtocol)

		_, err := (&Options{TLS: &tls.Config{RootCAs: testAuthority().pool(), NextProtos: []string{"h9"}}}).Dial(testCtx(t), target)
		failedIn(t, Securing, err)
		require.ErrorContains(t, err, "no application protocol")
	}
}

func TestTLSClientCertificate(t *testing.T) {
	mine := goodCertificate() // of the same authority
	for _, version := range tlsVersions {
		target, states := helloServer(t, &tls.Config{MaxVersion: version, ClientAuth: tls.RequireAnyClientCert})
		for _, config := range []*tls.Config{
			{Certificates: []tls.Certificate{mine}},
			{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &mine, nil }},
		} {
			config.RootCAs = testAuthority().pool()
			hello(t, config, target)
			require.Equal(t, mine.Certificate[0], (<-states).PeerCertificates[0].Raw)
		}
		// Without one: in TLS 1.3 the refusal comes with the first read.
		s, err := (&Options{TLS: &tls.Config{RootCAs: testAuthority().pool()}}).Dial(testCtx(t), target)
		if err == nil {
			_, err = readAll(t, s.(waiting))
			require.NoError(t, s.Close())
		} else {
			failedIn(t, Securing, err)
		}
		var alert *net.OpError
		require.ErrorAs(t, err, &alert)
		require.Contains(t, err.Error(), "remote error: tls:")
	}
}

func TestKeyLogFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "keys.log")
	for i := range 2 { // appended
		w, err := KeyLogFile(name)
		require.NoError(t, err)
		target, states := helloServer(t, &tls.Config{})
		hello(t, &tls.Config{RootCAs: testAuthority().pool(), KeyLogWriter: w}, target)
		<-states
		require.NoError(t, w.Close())
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, i+1, strings.Count(string(text), "CLIENT_TRAFFIC_SECRET_0 "), "%s", text)
	}
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	full, err := KeyLogFile("/dev/full")
	require.NoError(t, err)
	defer full.Close()
	target, _ := helloServer(t, &tls.Config{})
	_, err = (&Options{TLS: &tls.Config{RootCAs: x509.NewCertPool(), KeyLogWriter: full}}).Dial(testCtx(t), target)
	failedIn(t, Securing, err)
	require.ErrorContains(t, err, "no space left")
}
