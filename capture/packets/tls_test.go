package packets

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// talk says what the tests expect to find again.
func talk(t *testing.T, s *session) (client, server []byte) {
	t.Helper()
	client, server = []byte("GET / HTTP/1.1\r\n\r\n"), bytes.Repeat([]byte("0123456789"), 5000)
	s.send(t, true, client)
	s.send(t, false, server)
	s.send(t, true, []byte("bye"))
	s.close(t)
	return append(client, "bye"...), server
}

func checkOpened(t *testing.T, r *opened, client, server []byte) {
	t.Helper()
	require.NoError(t, r.errs[0])
	require.NoError(t, r.errs[1])
	require.NoError(t, r.o.End(false))
	require.NoError(t, r.o.End(true))
	require.True(t, bytes.Equal(server, r.data[0]), "of the server: %d bytes, not %d", len(r.data[0]), len(server))
	require.True(t, bytes.Equal(client, r.data[1]), "of the client: %d bytes, not %d", len(r.data[1]), len(client))
	closed := []Alert{{Level: 1}}
	require.Equal(t, [2][]Alert{closed, closed}, r.alerts)
}

var sizes = []int{0, 1, 2, 5, 1 << 20}

func TestOpen(t *testing.T) {
	t.Parallel()
	suites := map[uint16]uint16{
		tls.TLS_AES_128_GCM_SHA256:                  tls.VersionTLS13,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: tls.VersionTLS12,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: tls.VersionTLS12,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:   tls.VersionTLS12,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:   tls.VersionTLS12,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256:         tls.VersionTLS12,
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384:         tls.VersionTLS12,
	}
	for suite, version := range suites {
		t.Run(tls.CipherSuiteName(suite), func(t *testing.T) {
			t.Parallel()
			c, sc := clientConfig(), serverConfig()
			c.MinVersion, c.MaxVersion, c.CipherSuites = version, version, []uint16{suite}
			sc.CipherSuites = c.CipherSuites
			s := connect(t, c, sc)
			if s.client.ConnectionState().CipherSuite != suite {
				t.Skip("without AES in hardware crypto/tls prefers ChaCha20")
			}
			client, server := talk(t, s)
			for _, size := range sizes {
				r := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), size)
				checkOpened(t, r, client, server)
				f := r.o.Facts()
				require.Equal(t, version, f.Version)
				require.Equal(t, suite, f.Suite)
				require.Equal(t, "feed.example", f.ServerName)
				require.Equal(t, "http/1.1", f.ALPN)
				require.False(t, f.Retried)
				require.IsIncreasing(t, dedup(r.times))
			}
		})
	}
}

func dedup(times []int64) (out []int64) {
	for i, v := range times {
		if i == 0 || v != times[i-1] {
			out = append(out, v)
		}
	}
	return out
}

// Without the secrets of the handshake its records are told apart by that they do
// not open.
func TestOpenWithoutHandshakeSecrets(t *testing.T) {
	t.Parallel()
	s := connect(t, clientConfig(), serverConfig())
	client, server := talk(t, s)
	lines := regexp.MustCompile(`(?m)^\w+_HANDSHAKE_.*\n`).ReplaceAll(s.keys.Bytes(), nil)
	for _, size := range sizes {
		r := open(keyLog(t, lines), s.tap.segments(), size)
		checkOpened(t, r, client, server)
		require.Empty(t, r.o.Facts().ALPN)
	}
}

// The openers of connections share a key log, as resumed ones of TLS 1.2 have no line.
func TestOpenResumed(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			c, server := clientConfig(), serverConfig()
			c.MaxVersion, c.ClientSessionCache = version, tls.NewLRUClientSessionCache(1)
			keys := &KeyLog{}
			for i := range 4 {
				if i == 3 {
					server.SessionTicketsDisabled = true // it takes no ticket
				}
				s := connect(t, c, server)
				require.Equal(t, i == 1 || i == 2, s.client.ConnectionState().DidResume)
				said, heard := talk(t, s)
				if i == 3 && version == tls.VersionTLS12 {
					r := open(keys, s.tap.segments(), 0)
					require.ErrorIs(t, r.errs[0], ErrNoKeys)
					require.ErrorIs(t, r.errs[1], ErrNoKeys)
				}
				require.NoError(t, keys.Add(s.keys.Bytes()))
				checkOpened(t, open(keys, s.tap.segments(), 0), said, heard)
			}
			if version == tls.VersionTLS12 {
				require.Equal(t, 2, keys.Sessions(), "crypto/tls writes no line for one that is resumed")
			}
		})
	}
}

func TestOpenRetried(t *testing.T) {
	t.Parallel()
	c, server := clientConfig(), serverConfig()
	c.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP384}
	server.CurvePreferences = []tls.CurveID{tls.CurveP384}
	s := connect(t, c, server)
	said, heard := talk(t, s)
	for _, size := range sizes {
		r := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), size)
		checkOpened(t, r, said, heard)
		require.True(t, r.o.Facts().Retried)
	}
}

// A KeyUpdate that asks for another: crypto/tls takes it and what follows it, and
// answers with its own.
func TestOpenKeyUpdate(t *testing.T) {
	t.Parallel()
	s := connect(t, clientConfig(), serverConfig())
	s.send(t, true, []byte("old"))
	s.send(t, false, []byte("old"))
	o := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), 0).o
	for i := range 3 {
		keys := o.sides[1].keys
		next, err := o.suite.update(keys)
		require.NoError(t, err)
		both := seal(keys, recordHandshake, []byte{msgKeyUpdate, 0, 0, 1, 1})
		both = append(both, seal(next, recordData, fmt.Appendf(nil, "new %d", i))...)
		got := make([]byte, 5)
		s.both(t, func() error { _, err := s.raw.Write(both); return err },
			func() error { _, err := io.ReadFull(s.server, got); return err })
		require.Equal(t, fmt.Sprintf("new %d", i), string(got))
		s.send(t, false, fmt.Appendf(nil, "new %d", i))
		r := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), 0)
		require.Equal(t, [2]error{}, r.errs)
		o = r.o
		want := "oldnew 0new 1new 2"[:3+5*(i+1)]
		require.Equal(t, want, string(r.data[0]))
		require.Equal(t, want, string(r.data[1]))
	}
}

// seal makes a record of TLS 1.3.
func seal(k *recordKeys, kind byte, p []byte) []byte {
	inner := append(bytes.Clone(p), kind, 0, 0)
	n := len(inner) + k.aead.Overhead()
	header := []byte{recordData, 3, 3, byte(n >> 8), byte(n)}
	nonce := bytes.Clone(k.iv)
	for i := range 8 {
		nonce[4+i] ^= byte(k.seq >> (8 * (7 - i)))
	}
	k.seq++
	return append(header, k.aead.Seal(nil, nonce, inner, header)...)
}
