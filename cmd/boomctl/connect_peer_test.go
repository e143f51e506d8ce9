package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// testLimit ends what hangs. Nothing is expected to come near it.
const testLimit = 30 * time.Second

// outcome is what boomctl connect did.
type outcome struct {
	status         int
	stdout, stderr string
}

// parseConnect is kong's part.
func parseConnect(args ...string) (*connectCmd, error) {
	var c struct {
		Connect connectCmd `cmd:""`
	}
	parser, err := kong.New(&c, kong.Exit(func(int) {}))
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse(append([]string{"connect"}, args...))
	return &c.Connect, err
}

// connectTo runs the command to its end. A nil stdin says nothing and does not end.
func connectTo(t *testing.T, ctx context.Context, stdin io.Reader, args ...string) outcome {
	t.Helper()
	var stdout lockedBuffer
	o := connectWith(t, ctx, stdin, &stdout, args...)
	o.stdout = stdout.String()
	return o
}

func connectWith(t *testing.T, ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) outcome {
	t.Helper()
	if stdin == nil {
		r, w := io.Pipe()
		t.Cleanup(func() { w.Close() })
		stdin = r
	}
	c, err := parseConnect(args...)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeoutCause(ctx, testLimit, errors.New("test took too long"))
	defer cancel()
	var stderr lockedBuffer
	status := c.run(ctx, stdin, stdout, &stderr)
	if context.Cause(ctx) != nil && context.Cause(ctx) != context.Canceled {
		t.Fatalf("it hung; standard error:\n%s", stderr.String())
	}
	return outcome{status: status, stderr: stderr.String()}
}

// lockedBuffer is a buffer that may be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// peer is the server's end of a connection, in the hands of a test.
type peer struct {
	net.Conn
	request *http.Request
	in      *bufio.Reader
}

// newServer calls handle with every connection, upgraded, and closes it then.
func newServer(t *testing.T, handle func(p *peer)) string {
	t.Helper()
	return "ws" + strings.TrimPrefix(startServer(t, handle, false).URL, "http")
}

// newTLSServer also returns a file with the certificate to trust.
func newTLSServer(t *testing.T, handle func(p *peer)) (url, caFile string) {
	t.Helper()
	s := startServer(t, handle, true)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	require.NoError(t, os.WriteFile(caFile, ca, 0o600))
	return "wss" + strings.TrimPrefix(s.URL, "https"), caFile
}

func startServer(t *testing.T, handle func(p *peer), secure bool) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := upgrade(w, r)
		defer p.Close()
		_ = p.SetDeadline(time.Now().Add(testLimit))
		handle(p)
	}))
	s.Config.ErrorLog = discardLog
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func upgrade(w http.ResponseWriter, r *http.Request) *peer {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if p := r.Header.Get("Sec-WebSocket-Protocol"); p != "" {
		answer += "Sec-WebSocket-Protocol: " + p + "\r\n"
	}
	_, _ = io.WriteString(c, answer+"\r\n")
	return &peer{c, r, rw.Reader}
}

// send sends one whole frame. A client that has gone is no error here.
func (p *peer) send(op frame.Opcode, payload string) {
	h := frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}
	_, _ = p.Write(append(frame.AppendHeader(nil, h), payload...))
}

func (p *peer) close(code frame.CloseCode, reason string) {
	p.send(frame.Close, string(frame.AppendClose(nil, code, reason)))
}

// read reads one frame, unmasked.
func (p *peer) read() (frame.Header, []byte, error) {
	var head []byte
	for {
		b, err := p.in.ReadByte()
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
		if !h.Masked || h.Length > 128<<20 {
			return h, nil, fmt.Errorf("bad frame from the client: %+v", h)
		}
		payload := make([]byte, h.Length)
		_, err = io.ReadFull(p.in, payload)
		frame.Mask(payload, h.Key, 0)
		return h, payload, err
	}
}

// serve answers pings and closes, and gives data to onData, until the client
// has gone. It returns the code of the client's close frame, 1006 if none came.
func (p *peer) serve(onData func(op frame.Opcode, payload []byte)) frame.CloseCode {
	for {
		h, payload, err := p.read()
		if err != nil {
			return frame.CloseAbnormal
		}
		switch h.Opcode {
		case frame.Ping:
			p.send(frame.Pong, string(payload))
		case frame.Pong:
		case frame.Close:
			code, _, err := frame.ParseClose(payload)
			if err != nil {
				return frame.CloseProtocolError
			}
			p.close(code, "")
			return code
		default:
			if onData != nil {
				onData(h.Opcode, payload)
			}
		}
	}
}

// echo sends every message back.
func echo(p *peer) {
	p.serve(func(op frame.Opcode, payload []byte) { p.send(op, string(payload)) })
}
