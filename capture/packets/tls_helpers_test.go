package packets

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tlsSegment is what one write brought.
type tlsSegment struct {
	fromClient bool
	data       []byte
}

// tap keeps what both ends of a connection write, in order.
type tap struct {
	mu   sync.Mutex
	segs []tlsSegment
}

func (p *tap) segments() []tlsSegment {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.segs)
}

type tappedConn struct {
	net.Conn
	tap    *tap
	client bool
}

func (c tappedConn) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.segs = append(c.tap.segs, tlsSegment{c.client, bytes.Clone(b)})
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

// certificates returns one of ECDSA and one of RSA.
var certificates = sync.OnceValue(func() []tls.Certificate {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"feed.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	one, err := x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec)
	if err != nil {
		panic(err)
	}
	two, err := x509.CreateCertificate(rand.Reader, template, template, &rs.PublicKey, rs)
	if err != nil {
		panic(err)
	}
	return []tls.Certificate{{Certificate: [][]byte{one}, PrivateKey: ec}, {Certificate: [][]byte{two}, PrivateKey: rs}}
})

func clientConfig() *tls.Config {
	return &tls.Config{ServerName: "feed.example", InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
}

func serverConfig() *tls.Config {
	return &tls.Config{Certificates: certificates(), NextProtos: []string{"http/1.1"}}
}

// lockedBuffer is what both ends write their key logs to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// Bytes returns what was written.
func (b *lockedBuffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

// session is a connection of crypto/tls with itself, and what was seen of it.
type session struct {
	tap            *tap
	keys           lockedBuffer
	client, server *tls.Conn
	raw            net.Conn // the client's, tapped
}

// connectTLS makes a session and shakes hands.
func connectTLS(t *testing.T, client, server *tls.Config) *session {
	t.Helper()
	s := &session{tap: &tap{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	a, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	b, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	deadline := time.Now().Add(20 * time.Second)
	require.NoError(t, a.SetDeadline(deadline))
	require.NoError(t, b.SetDeadline(deadline))
	client.KeyLogWriter, server.KeyLogWriter = &s.keys, &s.keys
	s.raw = tappedConn{a, s.tap, true}
	s.client, s.server = tls.Client(s.raw, client), tls.Server(tappedConn{b, s.tap, false}, server)
	s.both(t, s.client.Handshake, s.server.Handshake)
	return s
}

func (s *session) both(t *testing.T, client, server func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- server() }()
	err := client()
	require.NoError(t, <-done)
	require.NoError(t, err)
}

// send writes data from one end to the other.
func (s *session) send(t *testing.T, fromClient bool, data []byte) {
	t.Helper()
	from, to := s.server, s.client
	if fromClient {
		from, to = to, from
	}
	got := make([]byte, len(data))
	s.both(t, func() error { _, err := from.Write(data); return err }, func() error {
		for n := 0; n < len(got); {
			m, err := to.Read(got[n:])
			if n += m; err != nil {
				return err
			}
		}
		return nil
	})
	require.Equal(t, data, got)
}

// close ends both directions as crypto/tls does.
func (s *session) close(t *testing.T) {
	t.Helper()
	for _, c := range []struct{ from, to *tls.Conn }{{s.client, s.server}, {s.server, s.client}} {
		s.both(t, c.from.CloseWrite, func() error {
			if n, err := c.to.Read(make([]byte, 1)); n > 0 || err == nil {
				return net.ErrClosed
			}
			return nil
		})
	}
}

func keyLog(t *testing.T, lines []byte) *KeyLog {
	t.Helper()
	k, err := ParseKeyLog(bytes.NewReader(lines))
	require.NoError(t, err)
	require.Zero(t, k.Malformed())
	return k
}

// opened is what an opener gave out.
type opened struct {
	o      *Opener
	data   [2][]byte // of the server, of the client
	alerts [2][]Alert
	times  []int64
	errs   [2]error
}

// newOpened is an opener that keeps what comes out of it.
func newOpened(keys *KeyLog) *opened {
	r := &opened{}
	r.o = NewOpener(keys, func(p *Plain) {
		i := 0
		if p.FromClient {
			i = 1
		}
		if p.Alert != (Alert{}) {
			r.alerts[i] = append(r.alerts[i], p.Alert)
		}
		r.data[i] = append(r.data[i], p.Data...)
		r.times = append(r.times, p.Time)
	})
	return r
}

// openTLS gives segments to an opener in pieces of a size, or of any if it is 0. The
// time is the number of the segment.
func openTLS(keys *KeyLog, segs []tlsSegment, size int) *opened {
	r := newOpened(keys)
	for no, s := range segs {
		i := 0
		if s.fromClient {
			i = 1
		}
		for rest := s.data; len(rest) > 0; {
			n := size
			if n == 0 {
				n = 1 + mrand.IntN(3000)
			}
			n = min(n, len(rest))
			if err := r.o.Add(s.fromClient, int64(no), rest[:n]); err != nil && r.errs[i] == nil {
				r.errs[i] = err
			}
			rest = rest[n:]
		}
	}
	return r
}
