package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
)

// The server starts itself again for each connection, which here is this test.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-connection") {
		main()
		return
	}
	os.Exit(m.Run())
}

// session is a client of the server.
type session struct {
	net.Conn
	in *bufio.Reader
}

// open connects to a server of its own and sends the opening handshake.
func open(t *testing.T, path string, secure, records, spin bool) *session {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	var identity []byte
	roots := x509.NewCertPool()
	if secure {
		file := filepath.Join(t.TempDir(), "ca.pem")
		identity, err = newIdentity(file)
		require.NoError(t, err)
		ca, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(ca), "PRIVATE")
		require.True(t, roots.AppendCertsFromPEM(ca))
	}
	if records {
		t.Setenv("RECORDS", "1")
	}
	end := make(chan error, 1)
	go func() { end <- accept(l, identity, spin) }()

	c, err := net.Dial("tcp4", l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	if secure {
		c = tls.Client(c, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"})
	}
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		_ = l.Close()
		require.ErrorIs(t, <-end, net.ErrClosed)
	})
	return &session{c, bufio.NewReader(c)}
}

func (s *session) upgraded(t *testing.T) {
	r, err := http.ReadResponse(s.in, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", r.Header.Get("Sec-WebSocket-Accept"), "the example of RFC 6455, section 1.3")
}

// frame reads one frame.
func (s *session) frame(t *testing.T) (op byte, payload []byte) {
	head := make([]byte, 2, 10)
	_, err := io.ReadFull(s.in, head)
	require.NoError(t, err)
	require.Equal(t, byte(0x80), head[0]&0xf0, "FIN alone")
	size := uint64(head[1])
	if extra := map[byte]int{126: 2, 127: 8}[head[1]]; extra > 0 {
		ext := make([]byte, 8)
		_, err := io.ReadFull(s.in, ext[8-extra:])
		require.NoError(t, err)
		size = binary.BigEndian.Uint64(ext)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(s.in, payload)
	require.NoError(t, err)
	return head[0] & 0x0f, payload
}

func (s *session) texts(t *testing.T, n, size int) {
	for range n {
		op, p := s.frame(t)
		require.Equal(t, byte(opText), op)
		require.Len(t, p, size)
		sent, err := strconv.ParseInt(string(p[stampAt:stampAt+stampDigits]), 10, 64)
		require.NoError(t, err)
		require.LessOrEqual(t, sent, clock.Nano())
	}
}

func (s *session) closed(t *testing.T) {
	op, p := s.frame(t)
	require.Equal(t, byte(opClose), op)
	require.Equal(t, []byte{3, 232}, p)
}

var speaks = []struct {
	name            string
	secure, records bool
}{{"plain", false, false}, {"tls", true, false}, {"tls-records", true, true}}

func TestFlood(t *testing.T) {
	for _, how := range speaks {
		for _, size := range []int{25, 126, 65535, 65536} {
			t.Run(fmt.Sprintf("%s/%d", how.name, size), func(t *testing.T) {
				s := open(t, fmt.Sprintf("/flood/10/%d/4", size), how.secure, how.records, false)
				s.upgraded(t)
				s.texts(t, 10, size)
				s.closed(t)
			})
		}
	}
}

func TestPaced(t *testing.T) {
	s := open(t, "/paced/3/180/100", true, true, false)
	s.upgraded(t)
	s.texts(t, 3, 180)
	s.closed(t)
}

func TestBurst(t *testing.T) {
	for _, how := range speaks {
		for _, spin := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, spin %t", how.name, spin), func(t *testing.T) {
				s := open(t, "/burst/5/256", how.secure, how.records, spin)
				s.upgraded(t)
				for _, f := range [][]byte{masked(opText, 256), masked(opBinary, 0), masked(opText, 70), masked(opText, 40<<10)} {
					_, err := s.Write(f)
					require.NoError(t, err)
					s.texts(t, 5, 256)
				}
				// A ping asks for nothing; two messages in one write ask twice.
				_, err := s.Write(append(append(masked(9, 4), masked(opText, 3)...), masked(opText, 3)...))
				require.NoError(t, err)
				s.texts(t, 10, 256)
				_, err = s.Write(masked(opClose, 2))
				require.NoError(t, err)
				_, err = s.in.ReadByte()
				require.Error(t, err, "the server leaves")
			})
		}
	}
}

// The last batch is a short one, and the writes are as far apart as was asked, or more.
func TestSteady(t *testing.T) {
	for _, how := range speaks {
		began := time.Now()
		s := open(t, "/steady/25/270/2000/10", how.secure, how.records, false)
		s.upgraded(t)
		s.texts(t, 25, 270)
		s.closed(t)
		require.Greater(t, time.Since(began), startDelay+4*time.Millisecond)
	}
}

func masked(op byte, size int) []byte {
	f := []byte{0x80 | op}
	switch {
	case size < 126:
		f = append(f, 0x80|byte(size))
	case size < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, 0x80|126), uint16(size))
	default:
		f = binary.BigEndian.AppendUint64(append(f, 0x80|127), uint64(size))
	}
	return append(f, make([]byte, 4+size)...)
}

func TestParseWork(t *testing.T) {
	w, err := parseWork("/paced/3/25/100")
	require.NoError(t, err)
	require.Equal(t, work{"paced", 3, 25, 100, 0}, w)
	w, err = parseWork("/steady/9/270/100/74")
	require.NoError(t, err)
	require.Equal(t, work{"steady", 9, 270, 100, 74}, w)
	for _, path := range []string{"/", "/burst/1", "/burst/1/256/1", "/flood/1/24/1", "/flood/0/25/1", "/flood/1/65537/1", "/paced/1/25/0", "/steady/1/25/1", "/steady/1/25/1/0", "/steady/1/65536/1/1000000", "/flood/1/65536/1000000", "/burst/1000000000/65536", "/flood/x/25/1"} {
		_, err := parseWork(path)
		require.ErrorContains(t, err, "path", path)
	}
}

func TestReadRequestBounds(t *testing.T) {
	for name, r := range map[string]io.Reader{
		"endless":  bytes.NewReader(bytes.Repeat([]byte{'x'}, 2*maxRequest)),
		"no key":   bytes.NewReader([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
		"not GET":  bytes.NewReader([]byte("POST / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n")),
		"too soon": bytes.NewReader([]byte("GET / HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\nmore")),
		"cut":      bytes.NewReader([]byte("GET / HT")),
	} {
		_, _, err := readRequest(r)
		require.Error(t, err, name)
	}
	path, key, err := readRequest(iotest.OneByteReader(bytes.NewReader([]byte("GET /a HTTP/1.1\r\nsec-websocket-key:  k \r\n\r\n"))))
	require.NoError(t, err)
	require.Equal(t, []string{"/a", "k"}, []string{path, key})
}

func TestRequestsRefuseTooLarge(t *testing.T) {
	for _, f := range [][]byte{
		masked(opText, 70<<10),
		append([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, make([]byte, 80<<10)...),
	} {
		var q requests
		r := bytes.NewReader(f)
		var err error
		for err == nil {
			var n int
			n, err = q.next(r)
			require.Zero(t, n)
		}
		require.ErrorContains(t, err, "larger than")
	}
}

func TestIsGone(t *testing.T) {
	require.True(t, isGone(fmt.Errorf("x: %w", unix.ECONNRESET)))
	require.False(t, isGone(errors.New("other")))
}

func FuzzFrameSize(f *testing.F) {
	f.Add(masked(opText, 3))
	f.Add(masked(opText, 300))
	f.Add(masked(opText, 70000)[:14])
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var q requests
		r := iotest.HalfReader(bytes.NewReader(b))
		for {
			if _, err := q.next(r); err != nil {
				return
			}
			if q.head > q.tail {
				t.Fatalf("head %d beyond tail %d", q.head, q.tail)
			}
		}
	})
}

func FuzzReadRequest(f *testing.F) {
	f.Add([]byte("GET /flood/1/25/1 HTTP/1.1\r\nSec-WebSocket-Key: x\r\n\r\n"))
	f.Add([]byte("GET\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path, _, err := readRequest(iotest.HalfReader(bytes.NewReader(b)))
		if err != nil {
			return
		}
		if w, err := parseWork(path); err == nil && w.batch()*(w.size+maxHeader) > maxBatch {
			t.Fatalf("%+v", w)
		}
	})
}
