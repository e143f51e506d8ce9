package exchange

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience bounds every wait for the server.
const patience = 20 * time.Second

// start runs a server for the length of a test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != ErrClosed {
			require.NoError(t, err)
		}
	})
	return s
}

// client is a WebSocket client that believes nothing: it sees every frame as it is.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// connect opens a TCP or TLS connection.
func connect(t *testing.T, s *Server) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.Addr().String(), patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	if s.CA() != nil {
		roots := x509.NewCertPool()
		require.True(t, roots.AppendCertsFromPEM(s.CA()))
		conn = tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: "localhost"})
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

const testKey = "dGhlIHNhbXBsZSBub25jZQ==" // with its answer in RFC 6455, section 1.3

// ask sends an upgrade request; headers replace or, empty, remove the usual ones.
func (c *client) ask(path string, headers ...string) {
	c.t.Helper()
	h := http.Header{
		"Host": {"localhost"}, "Upgrade": {"websocket"}, "Connection": {"keep-alive, Upgrade"},
		"Sec-WebSocket-Version": {"13"}, "Sec-WebSocket-Key": {testKey},
	}
	for i := 0; i < len(headers); i += 2 {
		h[headers[i]] = []string{headers[i+1]}
		if headers[i+1] == "" {
			delete(h, headers[i])
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\n", path)
	require.NoError(c.t, h.Write(&b))
	_, err := io.WriteString(c.conn, b.String()+"\r\n")
	require.NoError(c.t, err)
}

func (c *client) response() *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	require.NoError(c.t, err)
	return r
}

// dial opens a WebSocket.
func dial(t *testing.T, s *Server, path string) *client {
	t.Helper()
	c := connect(t, s)
	c.ask(path)
	r := c.response()
	require.Equal(t, http.StatusSwitchingProtocols, r.StatusCode)
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", r.Header.Get("Sec-Websocket-Accept"))
	return c
}

// frame reads one frame, whatever it is.
func (c *client) frame() (frame.Header, []byte, error) {
	var head []byte
	for {
		b, err := c.in.ReadByte()
		if err != nil {
			return frame.Header{}, nil, err
		}
		head = append(head, b)
		h, n, err := frame.ParseHeader(head)
		if err != nil {
			return h, nil, err
		}
		if n == 0 {
			continue
		}
		payload := make([]byte, min(h.Length, 1<<28))
		_, err = io.ReadFull(c.in, payload)
		return h, payload, err
	}
}

// message reads the next data message that is one frame, and answers pings.
func (c *client) message() string {
	c.t.Helper()
	for {
		h, payload, err := c.frame()
		require.NoError(c.t, err)
		if h.Opcode == frame.Ping {
			c.send(frame.Pong, true, payload)
			continue
		}
		require.Contains(c.t, []frame.Opcode{frame.Text, frame.Binary}, h.Opcode, "payload %q", payload)
		require.True(c.t, h.Fin)
		return string(payload)
	}
}

// object reads the next message as JSON.
func (c *client) object() map[string]any {
	c.t.Helper()
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(c.message()))
	d.UseNumber()
	require.NoError(c.t, d.Decode(&m))
	return m
}

// closeFrame reads until a close frame and returns what is in it.
func (c *client) closeFrame() (frame.CloseCode, string) {
	c.t.Helper()
	for {
		h, payload, err := c.frame()
		require.NoError(c.t, err)
		if h.Opcode == frame.Close {
			code, reason, err := frame.ParseClose(payload)
			require.NoError(c.t, err)
			return code, string(reason)
		}
	}
}

// eof reads what is left and requires that it ends in order.
func (c *client) eof() []byte {
	c.t.Helper()
	left, err := io.ReadAll(c.in)
	require.NoError(c.t, err)
	return left
}

// send sends one masked frame.
func (c *client) send(op frame.Opcode, fin bool, payload []byte) {
	c.t.Helper()
	require.NoError(c.t, c.trySend(op, fin, payload))
}

func (c *client) trySend(op frame.Opcode, fin bool, payload []byte) error {
	h := frame.Header{Fin: fin, Opcode: op, Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: uint64(len(payload))}
	b := append(frame.AppendHeader(nil, h), payload...)
	frame.Mask(b[len(b)-len(payload):], h.Key, 0)
	_, err := c.conn.Write(b)
	return err
}

func (c *client) text(s string) { c.t.Helper(); c.send(frame.Text, true, []byte(s)) }

func (c *client) raw(b ...byte) {
	c.t.Helper()
	_, err := c.conn.Write(b)
	require.NoError(c.t, err)
}

// request sends a text and returns the answer, which comes before any data.
func (c *client) request(s string) string {
	c.t.Helper()
	c.text(s)
	for {
		if m := c.message(); strings.Contains(m, `"id":`) {
			return m
		}
	}
}

// eventually waits until ok.
func eventually(t *testing.T, ok func() bool, what string) {
	t.Helper()
	require.Eventually(t, ok, patience, time.Millisecond, what)
}
