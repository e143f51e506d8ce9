package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pair is a Conn over one end of a socketpair, and the other end.
func pair(t testing.TB, o *Options) (*Conn, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	s, err := stream.NewTCP(fds[0], nil)
	require.NoError(t, err)
	c := New(s, o, nil)
	t.Cleanup(func() { _ = c.Discard(); _ = unix.Close(fds[1]) })
	return c, fds[1]
}

// watched is a stream that counts when Go's poller is let go.
type watched struct {
	stream.Stream
	stream.Waiter
	released int
}

func (w *watched) Unwatch() error {
	w.released++
	return w.Stream.(stream.Unwatcher).Unwatch()
}

func TestOverASocketpair(t *testing.T) {
	c, peer := pair(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := c.Fill()
	require.Equal(t, stream.ErrWouldBlock, err)
	require.NoError(t, c.WriteText([]byte("hi")))
	buf := make([]byte, 100)
	n, err := unix.Read(peer, buf)
	require.NoError(t, err)
	require.Equal(t, []sentFrame{{frame.Text, "hi"}}, sent(t, buf[:n]))

	done := make(chan error, 1)
	go func() {
		for _, b := range conversation { // a byte at a time
			if _, err := unix.Write(peer, []byte{b}); err != nil {
				done <- err
				return
			}
		}
		done <- unix.Shutdown(peer, unix.SHUT_WR)
	}()
	var got []string
	for c.Err() == nil {
		_ = c.Wait(ctx)
		_, _ = c.Fill()
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			got = append(got, string(m.Payload))
		}
		c.Release()
	}
	require.NoError(t, <-done)
	require.Len(t, got, 9)
	require.Equal(t, frame.CloseCode(4000), requireEnd(t, c).Code)
}

func TestBackPressureOverASocketpair(t *testing.T) {
	c, peer := pair(t, nil)
	p := make([]byte, 64<<10)
	accepted := 0
	for ; ; accepted++ {
		if err := c.WriteBinary(p); err != nil {
			require.Equal(t, stream.ErrBackPressured, err)
			break
		}
	}
	require.NotZero(t, accepted)
	require.NoError(t, c.Ping([]byte("still"))) // the reserve
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	require.NoError(t, unix.SetNonblock(peer, true))
	var wire []byte
	buf := make([]byte, 256<<10)
	for {
		flushed := c.Flush()
		n, err := unix.Read(peer, buf)
		if n > 0 {
			wire = append(wire, buf[:n]...)
		}
		if err == unix.EAGAIN && flushed == nil {
			break
		}
	}
	frames := sent(t, wire)
	require.Len(t, frames, accepted+2)
	require.Equal(t, frame.Close, frames[accepted+1].Op)
}

func TestNothingAllocatesOverASocketpair(t *testing.T) {
	c, peer := pair(t, nil)
	batch := join(text(strings.Repeat("a", 180)), bin(strings.Repeat("b", 256)), text(strings.Repeat("c", 20)))
	buf := make([]byte, 64<<10)
	p := buf[:100]
	require.Zero(t, testing.AllocsPerRun(200, func() {
		if _, err := unix.Write(peer, batch); err != nil {
			panic(err)
		}
		if _, err := c.Fill(); err != nil {
			panic(err)
		}
		n := 0
		for _, ok := c.Next(); ok; _, ok = c.Next() {
			n++
		}
		if n != 3 || c.WriteText(p) != nil {
			panic("lost")
		}
		if _, err := unix.Read(peer, buf[100:]); err != nil {
			panic(err)
		}
	}))
}

// echo upgrades, answers each message with itself, and a close frame with one.
func echo(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/no" {
		http.Error(w, "not you", http.StatusForbidden)
		return
	}
	conn, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n%s",
		acceptFor(r.Header.Get("Sec-WebSocket-Key")), text("welcome "+r.Header.Get("X-Name")))
	for {
		h, payload, err := readFrame(rw.Reader)
		if err != nil {
			return
		}
		if _, err := conn.Write(sf(true, h.Opcode, payload)); err != nil || h.Opcode == frame.Close {
			return
		}
	}
}

func readFrame(r *bufio.Reader) (frame.Header, string, error) {
	for n := 2; ; n++ {
		p, err := r.Peek(n)
		if err != nil {
			return frame.Header{}, "", err
		}
		h, size, err := frame.ParseHeader(p)
		if err != nil {
			return h, "", err
		}
		if size > 0 {
			payload := make([]byte, size+int(h.Length))
			_, err := io.ReadFull(r, payload)
			frame.Mask(payload[size:], h.Key, 0)
			return h, string(payload[size:]), err
		}
	}
}

func TestDial(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
			o := &Options{Header: http.Header{"X-Name": {"desk"}}}
			if secure {
				server.StartTLS()
				roots := x509.NewCertPool()
				roots.AddCert(server.Certificate())
				o.Stream.TLS = &tls.Config{RootCAs: roots}
			} else {
				server.Start()
			}
			defer server.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			c, err := Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), o)
			require.NoError(t, err)
			defer func() { _ = c.Discard() }()
			next := func() string {
				for {
					if m, ok := c.Next(); ok {
						return string(m.Payload)
					}
					require.NoError(t, c.Err())
					require.NoError(t, c.Wait(ctx))
					_, _ = c.Fill()
				}
			}
			require.Equal(t, "welcome desk", next())
			for _, p := range []string{"a", strings.Repeat("long ", 20000), ""} {
				require.NoError(t, c.WriteString(p))
				require.True(t, p == next())
			}
			require.NoError(t, c.Close(frame.CloseNormal, "done"))
			for c.Err() == nil {
				_ = c.Wait(ctx)
				_, _ = c.Fill()
				require.False(t, c.HasNext())
			}
			require.Equal(t, &CloseError{Code: frame.CloseNormal, Reason: "done", Clean: true, Sent: frame.CloseNormal}, requireEnd(t, c))

			_, err = Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http")+"/no", o)
			var e *UpgradeError
			require.ErrorAs(t, err, &e)
			require.Equal(t, 403, e.StatusCode)
			require.Equal(t, "not you\n", string(e.Body))
		})
	}
}

// A loop that polls must not be slowed down by a poller that waits for nobody.
func TestUpgradeLeavesNoWatch(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	u, to, err := ParseURL("ws" + strings.TrimPrefix(server.URL, "http"))
	require.NoError(t, err)
	s, err := new(stream.Options).Dial(ctx, to)
	require.NoError(t, err)
	w := &watched{Stream: s, Waiter: s.(stream.Waiter)}
	c, err := Upgrade(ctx, w, u, nil)
	require.NoError(t, err)
	defer func() { _ = c.Discard() }()
	require.Equal(t, 1, w.released)
	require.NoError(t, c.Wait(ctx), "it can wait again")
}

func TestDialFailures(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, bad := range []string{"http://h/", "ws://", "ws://h/#x", "ws://u:secret@h:p/", "ws://h/?a b"} {
		_, err := Dial(ctx, bad, nil)
		require.ErrorContains(t, err, "ws: ")
		require.NotContains(t, err.Error(), "secret")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = Dial(ctx, "ws://"+address, nil)
	var e *stream.DialError
	require.ErrorAs(t, err, &e)
	require.ErrorIs(t, err, unix.ECONNREFUSED)
}
