package stream

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// dribble is a lower stream that gives at most max bytes a Read.
type dribble struct {
	*TCP
	max   int
	reads int
}

func (d *dribble) Read(p []byte) (int, error) {
	d.reads++
	return d.TCP.Read(p[:min(len(p), d.max)])
}

// session is a TLS stream and the server at its other end.
type session struct {
	client *TLS
	server *tls.Conn
	lower  *dribble
	raw    halfCloser // below server
	tap    *tap       // between the two
	keys   *secrets   // of the server
}

type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// tap can keep back what a server of crypto/tls writes.
type tap struct {
	net.Conn
	hold bool
	wire []byte
}

func (c *tap) Write(p []byte) (int, error) {
	if !c.hold {
		return c.Conn.Write(p)
	}
	c.wire = append(c.wire, p...)
	return len(p), nil
}

// handshake connects a client to a server. The configs may be nil.
func handshake(t testing.TB, version uint16, max int, client, server *tls.Config, o *Options) *session {
	tcp, raw := connect(t, o)
	return handshakeOver(t, tcp, raw, version, max, client, server)
}

func handshakeOver(t testing.TB, tcp *TCP, raw halfCloser, version uint16, max int, client, server *tls.Config) *session {
	s := &session{lower: &dribble{TCP: tcp, max: max}, raw: raw, tap: &tap{Conn: raw}, keys: new(secrets)}
	server = server.Clone()
	if server == nil {
		server = new(tls.Config)
	}
	server.Certificates = append(server.Certificates, goodCertificate())
	server.KeyLogWriter = s.keys
	client = client.Clone()
	if client == nil {
		client = new(tls.Config)
	}
	client.RootCAs = testAuthority().pool()
	client.MaxVersion = version
	s.server = tls.Server(s.tap, server)
	done := make(chan error, 1)
	go func() { done <- s.server.HandshakeContext(context.WithoutCancel(testCtx(t))) }()
	var err error
	s.client, err = Secure(testCtx(t), s.lower, client, "localhost")
	require.NoError(t, err)
	require.NoError(t, <-done)
	t.Cleanup(func() { require.NoError(t, s.client.Close()) })
	require.Equal(t, version, s.client.ConnectionState().Version)
	s.lower.reads = 0
	return s
}

// forge takes the server's keys out of crypto/tls's hands: from here on the
// test seals the server's records itself and opens the client's.
func (s *session) forge(t testing.TB) (seal, open *halfConn) {
	if suite := s.client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("crypto/tls chose %s, as it does without AES instructions, and the standard library has no ChaCha20 to forge records with", tls.CipherSuiteName(suite))
	}
	return newHalfConn(s.keys.get("SERVER_TRAFFIC_SECRET_0")), newHalfConn(s.keys.get("CLIENT_TRAFFIC_SECRET_0"))
}

// forged is a TLS 1.3 session of which no application key was used yet.
func forged(t testing.TB, max int) (s *session, seal, open *halfConn) {
	s = handshake(t, tls.VersionTLS13, max, nil, &tls.Config{SessionTicketsDisabled: true}, nil)
	seal, open = s.forge(t)
	return s, seal, open
}

// forgedPipe is forged over a socketpair: what its buffers hold changes only
// when one of the two ends does something.
func forgedPipe(t testing.TB) (s *session, seal, open *halfConn) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	tcp, err := NewTCP(fds[0], nil)
	require.NoError(t, err)
	file := os.NewFile(uintptr(fds[1]), "server")
	raw, err := net.FileConn(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	t.Cleanup(func() { _ = raw.Close() })
	require.NoError(t, raw.SetDeadline(time.Now().Add(20*time.Second)))
	s = handshakeOver(t, tcp, raw.(halfCloser), tls.VersionTLS13, ScratchRaw, nil, &tls.Config{SessionTicketsDisabled: true})
	seal, open = s.forge(t)
	return s, seal, open
}

// fill writes until nothing more is taken, and returns what was.
func (s *session) fill(t testing.TB) (all []byte) {
	for {
		m := pattern(max(1, min(50_000, s.client.Room())), byte(len(all)))
		if _, err := s.client.Write(m); err != nil {
			require.Equal(t, ErrBackPressured, err)
			return all
		}
		all = append(all, m...)
	}
}

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func TestDialTLS(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			go serveTLS(l, &tls.Config{Certificates: []tls.Certificate{goodCertificate()}, MaxVersion: version, NextProtos: []string{"a", "b"}},
				func(c *tls.Conn) { _, _ = io.Copy(c, c) })
			var phases []Phase
			var log secrets
			config := &tls.Config{RootCAs: testAuthority().pool(), NextProtos: []string{"b"}, KeyLogWriter: &log}
			before := config.Clone()
			o := &Options{
				TLS: config, Resolver: answers{"127.0.0.1"}, QueueBound: 100_000,
				OnPhase: func(p Phase) { phases = append(phases, p) },
			}
			s, err := o.Dial(testCtx(t), "tls://venue.test:"+portOf(t, l.Addr().String()))
			require.NoError(t, err)
			defer s.Close()
			require.Equal(t, []Phase{Resolving, Connecting, Securing}, phases)
			secure := s.(*TLS)
			require.Equal(t, version, secure.ConnectionState().Version)
			require.Equal(t, "b", secure.ConnectionState().NegotiatedProtocol)
			require.Equal(t, "venue.test", secure.ConnectionState().ServerName)
			require.Equal(t, l.Addr().String(), secure.RemoteAddr().String())
			require.True(t, secure.LocalAddr().IsValid())
			require.GreaterOrEqual(t, s.Room(), 100_000, "the bound counts the user's bytes")
			require.NotEmpty(t, log.lines, "the user's key log is called")
			require.Equal(t, before, config, "the user's config is not changed")

			secure.Lend(NewScratch())
			_, err = s.Write([]byte("echo"))
			require.NoError(t, err)
			p := make([]byte, 100)
			n, err := readSome(t, secure, p)
			require.NoError(t, err)
			require.Equal(t, "echo", string(p[:n]))
			require.NoError(t, secure.Detach())
			require.ErrorIs(t, secure.Wait(testCtx(t), false), ErrDetached)
		})
	}
}

// serveTLS serves one connection and closes it.
func serveTLS(l net.Listener, config *tls.Config, serve func(*tls.Conn)) {
	raw, err := l.Accept()
	if err != nil {
		return
	}
	defer raw.Close()
	c := tls.Server(raw, config)
	if c.Handshake() == nil {
		serve(c)
	}
	_ = c.Close()
}

func TestDialTLSRefused(t *testing.T) {
	expired := testAuthority().issue(time.Now().Add(-time.Hour))
	good := goodCertificate()
	for name, c := range map[string]struct {
		host  string
		cert  tls.Certificate
		roots *x509.CertPool
		as    any
	}{
		"wrong name":        {"other.test", good, testAuthority().pool(), new(x509.HostnameError)},
		"expired":           {"venue.test", expired, testAuthority().pool(), new(x509.CertificateInvalidError)},
		"unknown authority": {"venue.test", good, x509.NewCertPool(), new(x509.UnknownAuthorityError)},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			served := make(chan error, 1)
			go func() {
				raw, err := l.Accept()
				if err == nil {
					err = tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{c.cert}}).Handshake()
					_ = raw.Close()
				}
				served <- err
			}()
			o := &Options{TLS: &tls.Config{RootCAs: c.roots}, Resolver: answers{"127.0.0.1"}}
			_, err := o.Dial(testCtx(t), "tls://"+c.host+":"+portOf(t, l.Addr().String()))
			d := failedIn(t, Securing, err)
			require.Equal(t, l.Addr().String(), d.Addr)
			require.ErrorAs(t, err, c.as)
			var v *tls.CertificateVerificationError
			require.ErrorAs(t, err, &v)
			require.ErrorContains(t, <-served, "remote error: tls: bad certificate", "the peer is told")
		})
	}
}

func TestDialTLSBrokenServers(t *testing.T) {
	for name, c := range map[string]struct {
		serve func(net.Conn)
		is    error
		text  string
	}{
		"closes at once":     {func(net.Conn) {}, io.ErrUnexpectedEOF, "during the handshake"},
		"cut in a record":    {func(c net.Conn) { _, _ = c.Write([]byte{22, 3, 3, 0, 100, 2, 0}) }, io.ErrUnexpectedEOF, "during the handshake"},
		"alert":              {func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40}) }, nil, "handshake failure"},
		"speaks HTTP":        {func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, nil, "does not look like a TLS handshake"},
		"speaks SMTP, waits": {func(c net.Conn) { _, _ = io.WriteString(c, "220 hi\r\n"); hangOn(c) }, nil, "does not look like a TLS handshake"},
		"says nothing":       {hangOn, context.DeadlineExceeded, "deadline"},
		"oversized record":   {func(c net.Conn) { _, _ = c.Write([]byte{22, 3, 3, 0x48, 1}); hangOn(c) }, nil, "oversized record"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			go func() {
				for {
					c2, err := l.Accept()
					if err != nil {
						return
					}
					hello := make([]byte, 5)
					_, _ = io.ReadFull(c2, hello)
					_, _ = io.CopyN(io.Discard, c2, int64(hello[3])<<8|int64(hello[4]))
					c.serve(c2)
					_ = c2.Close()
				}
			}()
			url := "tls://" + l.Addr().String()
			var err error
			if name == "says nothing" {
				err = inShortTime(t, new(Options), url, func(err error) bool {
					var d *DialError
					return errors.As(err, &d) && d.Phase == Securing
				})
			} else {
				_, err = new(Options).Dial(testCtx(t), url)
			}
			failedIn(t, Securing, err)
			require.ErrorContains(t, err, c.text)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
}

// hangOn says nothing until the other side goes.
func hangOn(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestSecureCancelled(t *testing.T) {
	tcp, _ := connect(t, nil)
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error)
	go func() {
		_, err := Secure(ctx, tcp, nil, "localhost")
		done <- err
	}()
	time.Sleep(10 * time.Millisecond)
	cancel(enough)
	require.ErrorIs(t, <-done, enough)
}

func TestSecureOverTinyQueue(t *testing.T) {
	s := handshake(t, tls.VersionTLS13, ScratchRaw, nil, nil, &Options{QueueBound: 64})
	_, err := s.client.Write([]byte("short"))
	require.NoError(t, err)
	_, err = s.client.Write(make([]byte, 64))
	require.Equal(t, ErrTooLarge, err)
}

// congested is a layer below that takes nothing until it was waited for.
type congested struct {
	*TCP
	clear bool
}

func (c *congested) Write(p []byte) (int, error) {
	if !c.clear {
		return 0, ErrBackPressured
	}
	c.clear = false
	return c.TCP.Write(p)
}

func (c *congested) Flush() error {
	if !c.clear {
		return ErrWouldBlock
	}
	return c.TCP.Flush()
}

func (c *congested) Wait(ctx context.Context, write bool) error {
	c.clear = c.clear || write
	return c.TCP.Wait(ctx, write)
}

func TestSecureWaitsToWrite(t *testing.T) {
	tcp, raw := connect(t, nil)
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{goodCertificate()}}).Handshake()
	}()
	_, err := Secure(testCtx(t), &congested{TCP: tcp}, &tls.Config{RootCAs: testAuthority().pool()}, "localhost")
	require.NoError(t, err)
	require.NoError(t, <-done)
}

// timedOut is a layer below whose reads fail as a keepalive that was not answered.
type timedOut struct{ *TCP }

func (c timedOut) Read([]byte) (int, error) {
	return 0, &net.OpError{Op: "read", Net: "tcp", Err: syscall.ETIMEDOUT}
}

// ETIMEDOUT calls itself temporary; it is final.
func TestTimeoutBelowIsFinal(t *testing.T) {
	tcp, _ := connect(t, nil)
	_, err := Secure(testCtx(t), timedOut{tcp}, nil, "localhost")
	require.ErrorIs(t, err, syscall.ETIMEDOUT)

	s := handshake(t, tls.VersionTLS13, ScratchRaw, nil, nil, nil)
	for _, err := s.client.Read(make([]byte, 1)); err != ErrWouldBlock; {
		require.NoError(t, err)
	}
	s.client.lower = timedOut{s.lower.TCP}
	_, err = s.client.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ETIMEDOUT)
	s.client.lower = s.lower
	_, again := s.client.Read(make([]byte, 1))
	require.Equal(t, err, again)
}

func TestTLSOverTLS(t *testing.T) {
	s := handshake(t, tls.VersionTLS13, ScratchRaw, nil, nil,
		&Options{SendBuffer: 64 << 10, RecvBuffer: 64 << 10, QueueBound: 2 << 20})
	server := tls.Server(s.server, &tls.Config{Certificates: []tls.Certificate{goodCertificate()}})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	inner, err := Secure(testCtx(t), s.client, &tls.Config{RootCAs: testAuthority().pool()}, "localhost")
	require.NoError(t, err)
	require.NoError(t, <-done)
	inner.Lend(NewScratch())
	require.Equal(t, s.client.RemoteAddr(), inner.RemoteAddr())
	require.Equal(t, s.client.LocalAddr(), inner.LocalAddr())
	swap(t, inner, server)
	require.NoError(t, inner.Detach())
	require.ErrorIs(t, s.lower.Wait(testCtx(t), false), ErrDetached)
	require.NoError(t, inner.Close())
	require.Equal(t, -1, s.lower.FD())
}

func TestSecureNeedsWaiter(t *testing.T) {
	_, err := Secure(testCtx(t), struct{ Stream }{}, nil, "localhost")
	require.ErrorContains(t, err, "cannot wait")
}

func TestClientConfig(t *testing.T) {
	for host, name := range map[string]string{"a.test": "a.test", "a.test.": "a.test", "fe80::1%eth0": "fe80::1"} {
		require.Equal(t, name, clientConfig(nil, host).ServerName)
	}
	user := &tls.Config{ServerName: "b.test", MinVersion: tls.VersionTLS10, Renegotiation: tls.RenegotiateFreelyAsClient}
	config := clientConfig(user, "a.test")
	require.Equal(t, "b.test", config.ServerName)
	require.Equal(t, uint16(tls.VersionTLS12), config.MinVersion)
	require.Equal(t, tls.RenegotiateNever, config.Renegotiation)
	require.True(t, config.DynamicRecordSizingDisabled)
	require.False(t, user.DynamicRecordSizingDisabled)
	require.Equal(t, uint16(tls.VersionTLS13), clientConfig(&tls.Config{MinVersion: tls.VersionTLS13}, "").MinVersion)
}

func TestTLSLargeMessagesBothWays(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			s := handshake(t, version, ScratchRaw, nil, nil,
				&Options{SendBuffer: 64 << 10, RecvBuffer: 64 << 10, QueueBound: sealedSize(1<<20, maxOverhead)})
			swap(t, s.client, s.server)
		})
	}
}

// Every byte of handshake, tickets and data comes alone, in both versions, and
// is read into buffers of several sizes.
func TestTLSByteByByte(t *testing.T) {
	for name, version := range versions {
		for _, size := range []int{1, 7, 100, 32 << 10} {
			t.Run(name, func(t *testing.T) {
				s := handshake(t, version, 1, nil, nil, nil)
				var want []byte
				for _, n := range []int{1, 100, 5000, 0, 17, 300} {
					m := pattern(n, byte(n))
					_, err := s.server.Write(m)
					require.NoError(t, err)
					want = append(want, m...)
				}
				require.NoError(t, s.server.Close())
				var got []byte
				p := make([]byte, size)
				for {
					n, err := readSome(t, s.client, p)
					got = append(got, p[:n]...)
					if err != nil {
						require.Equal(t, io.EOF, err)
						break
					}
				}
				require.True(t, bytes.Equal(want, got))
			})
		}
	}
}

func TestTLSAllocates(t *testing.T) {
	s := handshake(t, tls.VersionTLS13, ScratchRaw, nil, nil, nil)
	s.client.Lend(NewScratch())
	m, p := pattern(200, 0), make([]byte, 32<<10)
	exchange := func() {
		if _, err := s.server.Write(m); err != nil {
			panic(err)
		}
		for {
			n, err := s.client.Read(p)
			if n == len(m) {
				break
			}
			if err != ErrWouldBlock {
				panic(err)
			}
		}
	}
	exchange()
	perRead, perWrite := 1.0, 0.0 // crypto/tls allocates once a record that it opens
	if raced {
		perRead, perWrite = 4, 2 // crypto/tls keeps its buffers in a sync.Pool
	}
	require.LessOrEqual(t, testing.AllocsPerRun(200, exchange), perRead)
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		if n, err := s.client.Write(m); n != len(m) || err != nil {
			panic(err)
		}
		if _, err := s.client.Read(p); err != ErrWouldBlock {
			panic(err)
		}
	}), perWrite)
}

func TestKeyLogFailure(t *testing.T) {
	l := listen(t)
	go serveTLS(l, &tls.Config{Certificates: []tls.Certificate{goodCertificate()}}, func(*tls.Conn) {})
	o := &Options{TLS: &tls.Config{RootCAs: testAuthority().pool(), KeyLogWriter: failingWriter{}}}
	_, err := o.Dial(testCtx(t), "tls://"+l.Addr().String())
	failedIn(t, Securing, err)
	require.True(t, strings.Contains(err.Error(), "disk full"), err)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }
