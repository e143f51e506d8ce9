package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

var discardLog = log.New(io.Discard, "", 0)

func TestConnectPrintsAMessageALine(t *testing.T) {
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, "one")
		p.send(frame.Text, "two\nlines\n")
		p.send(frame.Binary, "\x00\xff")
		p.send(frame.Text, "")
		p.close(frame.CloseNormal, "done")
		p.serve(nil)
	})
	o := connectTo(t, t.Context(), nil, url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Equal(t, "one\ntwo\nlines\n\n\x00\xff\n\n", o.stdout)
	require.Contains(t, o.stderr, "boomctl: connect: connected to "+url)
	require.Contains(t, o.stderr, `"done"`)

	o = connectTo(t, t.Context(), nil, "--quiet", url)
	require.Equal(t, exitOK, o.status)
	require.Empty(t, o.stderr)
}

func TestConnectJSON(t *testing.T) {
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, "a \"b\"\n<é>\x01")
		p.send(frame.Binary, "\x00\xff")
		p.close(frame.CloseGoingAway, "")
		p.serve(nil)
	})
	before := clock.Nano()
	o := connectTo(t, t.Context(), nil, "--json", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	got := strings.Split(o.stdout, "\n")
	require.Len(t, got, 3)
	require.Empty(t, got[2])
	var text textLine
	require.NoError(t, json.Unmarshal([]byte(got[0]), &text))
	require.Equal(t, "text", text.Op)
	require.Equal(t, "a \"b\"\n<é>\x01", text.Data)
	require.GreaterOrEqual(t, text.Received, before)
	at, err := time.Parse(time.RFC3339Nano, text.Time)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), at, testLimit)
	var binary binaryLine
	require.NoError(t, json.Unmarshal([]byte(got[1]), &binary))
	require.Equal(t, "binary", binary.Op)
	require.Equal(t, []byte("\x00\xff"), binary.Base64)
	require.Contains(t, got[1], `"base64":"AP8="`)
}

func TestConnectExitStatus(t *testing.T) {
	quiet := func(p *peer) { p.serve(nil) }
	secure, ca := newTLSServer(t, quiet)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(secure, "wss://"))
	require.NoError(t, err)

	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "no such key\x1b[2J\nsecond line\n")
	}))
	defer refusing.Close()

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()

	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()

	ends := func(handle func(p *peer)) string { return newServer(t, handle) }
	empty := t.TempDir() + "/empty.pem"
	require.NoError(t, os.WriteFile(empty, nil, 0o600))

	for _, tc := range []struct {
		name   string
		status int
		stderr string
		args   []string
	}{
		{"no name", exitDNS, "DNS: ws://dead.example/", []string{"--resolve", "dead.example=", "ws://dead.example/"}},
		{"port refused", exitConnect, "connection refused", []string{"ws://" + closed.Addr().String()}},
		{"no such interface", exitConnect, "SO_BINDTODEVICE", []string{"--interface", "nosuch0", secure}},
		{"untrusted certificate", exitTLS, "TLS: wss://127.0.0.1:" + port, []string{secure}},
		{"wrong name", exitTLS, "x509: certificate is valid for example.com", []string{"--cacert", ca, "--resolve", "other.test=127.0.0.1", "wss://other.test:" + port}},
		{"refused", exitUpgrade, "refused with 401 Unauthorized: no such key [2J\n", []string{"ws" + strings.TrimPrefix(refusing.URL, "http")}},
		{"upgrade never answered", exitUpgrade, "set-up timed out after 50ms", []string{"--timeout", "50ms", "ws://" + mute.Addr().String()}},
		{"bad frame", exitProtocol, "protocol: ws://127.0.0.1", []string{ends(func(p *peer) {
			_, _ = p.Write([]byte{0x83, 0})
			p.serve(nil)
		})}},
		{"text that is none", exitProtocol, "not valid UTF-8", []string{ends(func(p *peer) { p.send(frame.Text, "\xff"); p.serve(nil) })}},
		{"too large", exitProtocol, "limit 1024", []string{"--max-message", "1KiB", ends(func(p *peer) { p.send(frame.Text, strings.Repeat("x", 1025)); p.serve(nil) })}},
		{"1011", exitProtocol, `1011 internal error "out of \"memory\""`, []string{ends(func(p *peer) { p.close(frame.CloseInternalError, `out of "memory"`); p.serve(nil) })}},
		{"cut off", exitProtocol, "1006", []string{ends(func(p *peer) {})}},
		{"no status", exitOK, "closed", []string{ends(func(p *peer) { p.send(frame.Close, ""); p.serve(nil) })}},
		{"going away", exitOK, "1001", []string{ends(func(p *peer) { p.close(frame.CloseGoingAway, ""); p.serve(nil) })}},
		{"no URL", exitUsage, "usage:", []string{"http://127.0.0.1/"}},
		{"bad header", exitUsage, "want 'Name: value'", []string{"--header", "nonsense", secure}},
		{"header of ours", exitUsage, "Upgrade", []string{"--header", "Upgrade: x", secure}},
		{"bad address", exitUsage, "--resolve", []string{"--resolve", "a=b", secure}},
		{"no certificate file", exitUsage, "--cacert", []string{"--cacert", t.TempDir() + "/none", secure}},
		{"no certificate in it", exitUsage, "no PEM certificate", []string{"--cacert", empty, secure}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := connectTo(t, t.Context(), nil, tc.args...)
			require.Equal(t, tc.status, o.status, o.stderr)
			require.Contains(t, o.stderr, tc.stderr)
			require.Empty(t, o.stdout)
			for line := range strings.Lines(o.stderr) {
				require.True(t, strings.HasPrefix(line, "boomctl: connect: "), line)
			}
		})
	}

	t.Run("trusted", func(t *testing.T) {
		o := connectTo(t, t.Context(), nil, "--cacert", ca, "--for", "1s", secure)
		require.Equal(t, exitOK, o.status, o.stderr)
		require.NotContains(t, o.stderr, "WARNING")
	})
	t.Run("insecure", func(t *testing.T) {
		o := connectTo(t, t.Context(), nil, "--insecure", "--quiet", "--for", "1s", secure)
		require.Equal(t, exitOK, o.status, o.stderr)
		require.Contains(t, o.stderr, "WARNING: --insecure")
	})
}

func TestConnectUsage(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"--nonsense", "ws://x"},
		{"--count", "-1", "ws://x"},
		{"--for=-1s", "ws://x"},
		{"--ping=-1s", "ws://x"},
		{"--max-message", "0", "ws://x"},
		{"--max-message", "2GiB", "ws://x"},
		{"--max-message", "18446744073709551615GiB", "ws://x"},
		{"--max-message", "1TB", "ws://x"},
		{"--source", "localhost", "ws://x"},
	} {
		_, err := parseConnect(args...)
		require.Error(t, err, "%q", args)
	}
	c, err := parseConnect("--max-message", "32KiB", "--source", "127.0.0.1", "ws://x")
	require.NoError(t, err)
	require.EqualValues(t, 32<<10, c.MaxMessage)
	require.Equal(t, "127.0.0.1", c.Source.String())
}

func TestConnectOpeningRequest(t *testing.T) {
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, fmt.Sprint(p.request.Host, p.request.Header["X-Key"], p.request.Header["Sec-Websocket-Protocol"], " ", p.request.RemoteAddr))
		p.close(frame.CloseNormal, "")
		p.serve(nil)
	})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "ws://"))
	require.NoError(t, err)
	o := connectTo(t, t.Context(), nil, "-H", "X-Key: a, b", "-H", "X-Key:c", "--subprotocol", "v1",
		"--resolve", "Feed.Example=127.0.0.1", "--source", "127.0.0.1", "--interface", "lo", "ws://feed.example:"+port)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stdout, "feed.example:"+port+"[a, b c] [v1] 127.0.0.1:")
	require.Contains(t, o.stderr, `subprotocol "v1"`)
}

// endingReader says when it has ended.
type endingReader struct {
	io.Reader
	ended chan struct{}
}

func (r *endingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil {
		close(r.ended)
	}
	return n, err
}

func TestConnectSendsLinesAndOutlivesThem(t *testing.T) {
	stdin := &endingReader{strings.NewReader("a\n\nb\r\nno newline"), make(chan struct{})}
	closed := make(chan frame.CloseCode, 1)
	url := newServer(t, func(p *peer) {
		var got []string
		closed <- p.serve(func(_ frame.Opcode, payload []byte) {
			if got = append(got, string(payload)); len(got) == 4 {
				<-stdin.ended
				p.send(frame.Text, fmt.Sprintf("%q", got))
			}
		})
	})
	o := connectTo(t, t.Context(), stdin, "--count", "1", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Equal(t, `["a" "" "b\r" "no newline"]`+"\n", o.stdout)
	require.Contains(t, o.stderr, "1 messages received")
	require.Equal(t, frame.CloseNormal, <-closed)
}

func TestConnectCountEndsInTheMiddleOfABatch(t *testing.T) {
	url := newServer(t, func(p *peer) {
		for i := range 1000 {
			p.send(frame.Text, strconv.Itoa(i))
		}
		p.serve(nil)
	})
	o := connectTo(t, t.Context(), nil, "--count", "3", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Equal(t, "0\n1\n2\n", o.stdout)
}

func TestConnectInterrupted(t *testing.T) {
	closed := make(chan frame.CloseCode, 1)
	ctx, cancel := context.WithCancel(t.Context())
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, "hello")
		cancel()
		closed <- p.serve(nil)
	})
	o := connectTo(t, ctx, nil, url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stderr, "interrupted")
	code := <-closed
	require.Contains(t, []frame.CloseCode{frame.CloseNormal, frame.CloseAbnormal}, code, "abnormal only if it came before the upgrade was done")
}

func TestConnectForOverBeforeThereWasAConnection(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	o := connectTo(t, t.Context(), nil, "--for", "50ms", "ws://"+mute.Addr().String())
	require.Equal(t, exitUpgrade, o.status, o.stderr)
	require.Contains(t, o.stderr, "--for is over")

	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	o = connectTo(t, t.Context(), nil, "--reconnect", "--for", "50ms", "ws://"+closed.Addr().String())
	require.Equal(t, exitConnect, o.status, o.stderr)
}

func TestConnectLargeMessagesBothWays(t *testing.T) {
	line := strings.Repeat("0123456789abcdef", 1<<20)
	plain := newServer(t, echo)
	secure, ca := newTLSServer(t, echo)
	for _, args := range [][]string{{plain}, {"--cacert", ca, secure}} {
		o := connectTo(t, t.Context(), strings.NewReader(line+"\nend\n"), append(args, "--count", "2")...)
		require.Equal(t, exitOK, o.status, o.stderr)
		require.True(t, o.stdout == line+"\nend\n", "%d bytes came back", len(o.stdout))
	}
}

func TestConnectKeepsLinesUnderBackPressure(t *testing.T) {
	const n = 40_000
	var input bytes.Buffer
	for i := range n {
		fmt.Fprintf(&input, "%d %s\n", i, strings.Repeat("x", 300))
	}
	url := newServer(t, func(p *peer) {
		time.Sleep(50 * time.Millisecond) // the sockets' buffers fill up meanwhile
		next := 0
		p.serve(func(_ frame.Opcode, payload []byte) {
			if number, _, _ := strings.Cut(string(payload), " "); number != strconv.Itoa(next) {
				p.close(frame.CloseInternalError, fmt.Sprintf("line %s instead of %d", number, next))
			}
			if next++; next == n {
				p.send(frame.Text, "all")
			}
		})
	})
	o := connectTo(t, t.Context(), &input, "--count", "1", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Equal(t, "all\n", o.stdout)
}

func TestConnectReconnects(t *testing.T) {
	stdin, write := io.Pipe()
	var attempts atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch attempts.Add(1) {
		case 1:
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		case 2:
			p := upgrade(w, r)
			p.send(frame.Text, "first")
			p.close(frame.CloseServiceRestart, "restart")
			p.serve(nil)
			p.Close()
		case 3:
			go func() { _, _ = io.WriteString(write, "a line\n") }()
			p := upgrade(w, r)
			defer p.Close()
			echo(p)
		}
	}))
	defer s.Close()
	o := connectTo(t, t.Context(), stdin, "--reconnect", "--count", "2", "ws"+strings.TrimPrefix(s.URL, "http"))
	write.Close()
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Equal(t, "first\na line\n", o.stdout)
	require.Equal(t, 2, strings.Count(o.stderr, "; again in "), o.stderr)
	require.Contains(t, o.stderr, "503 Service Unavailable: not yet")
	require.Contains(t, o.stderr, `"restart"`)
	require.Equal(t, 2, strings.Count(o.stderr, "connected to "))
}

func TestConnectLatency(t *testing.T) {
	url := newServer(t, func(p *peer) {
		h, payload, err := p.read() // the first ping comes at once
		if err != nil || h.Opcode != frame.Ping {
			return
		}
		p.send(frame.Pong, string(payload))
		p.send(frame.Text, fmt.Sprintf(`{"e":"T","data":{"T": %d}}`, clock.Nano()))
		p.send(frame.Text, `{"T":1700000000000}`)
		p.serve(nil)
	})
	o := connectTo(t, t.Context(), nil, "--quiet", "--latency", "--count", "2", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Regexp(t, `(?m)^boomctl: connect: ping round trip: 1 samples, p50 \S+, p99 \S+, max \S+$`, o.stderr)
	require.Regexp(t, `(?m)^boomctl: connect: send to receive: 1 samples, p50 \S+, p99 \S+, max \S+$`, o.stderr)
}

// stamping has the kernel stamp what is received from now to the end of the test. It
// begins some time after the first socket has asked for it, and ends with the last.
func stamping(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	s, err := (&stream.Options{Timestamps: stream.TimestampsSoftware}).Dial(t.Context(), "tcp://"+l.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	c, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.Eventually(t, func() bool {
		_, err := c.Write([]byte("x"))
		require.NoError(t, err)
		_, err = s.Read(make([]byte, 64))
		return err == nil && s.(stream.Stamped).Stamp() != (stream.Stamp{})
	}, testLimit, time.Millisecond)
}

func TestConnectTimestamps(t *testing.T) {
	stamping(t)
	url := newServer(t, func(p *peer) {
		for range 50 {
			p.send(frame.Text, "x")
		}
		p.close(frame.CloseNormal, "")
		p.serve(nil)
	})
	o := connectTo(t, t.Context(), nil, "--quiet", "--json", "--latency", "--timestamps", "software", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Regexp(t, `(?m)^boomctl: connect: wire to handler: [1-9]\d* samples, p50 \S+, p99 \S+, max \S+$`, o.stderr)
	stamped := 0
	for line := range strings.Lines(o.stdout) {
		var l textLine
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		if l.Kernel != 0 {
			stamped++
			require.LessOrEqual(t, l.Kernel, l.Received+int64(time.Millisecond))
		}
	}
	require.Positive(t, stamped)

	o = connectTo(t, t.Context(), nil, "--quiet", "--timestamps", "hardware", url)
	require.Equal(t, exitConnect, o.status, o.stderr)
	require.Contains(t, o.stderr, "interface lo cannot stamp what it receives")
	_, err := parseConnect("--timestamps", "nic", url)
	require.ErrorContains(t, err, "want off, software or hardware")
}

func TestConnectGivesUpASilentPeer(t *testing.T) {
	release := make(chan struct{})
	url := newServer(t, func(p *peer) { <-release })
	defer close(release)
	o := connectTo(t, t.Context(), nil, "--ping", "20ms", url)
	require.Equal(t, exitProtocol, o.status, o.stderr)
	require.Contains(t, o.stderr, "nothing arrived since the last ping")
}

func TestConnectPingKeepsALivePeer(t *testing.T) {
	url := newServer(t, func(p *peer) {
		for range 3 {
			h, payload, err := p.read()
			if err != nil || h.Opcode != frame.Ping {
				return
			}
			p.send(frame.Pong, string(payload))
		}
		p.close(frame.CloseNormal, "three pings")
		p.serve(nil)
	})
	o := connectTo(t, t.Context(), nil, "--ping", "200ms", url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stderr, "three pings")
}

func TestConnectClosesWhenItsOutputIsClosed(t *testing.T) {
	closed := make(chan frame.CloseCode, 1)
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, "nobody reads this")
		closed <- p.serve(nil)
	})
	r, w, err := os.Pipe()
	require.NoError(t, err)
	r.Close()
	defer w.Close()
	o := connectWith(t, t.Context(), nil, w, url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stderr, "standard output is closed")
	require.Equal(t, frame.CloseNormal, <-closed)
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) { return 0, f.err }

func TestConnectFailsWithItsOwnEnds(t *testing.T) {
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, "x")
		p.serve(nil)
	})
	broken := errors.New("disk full")
	o := connectWith(t, t.Context(), nil, failingWriter{broken}, url)
	require.Equal(t, exitFailure, o.status, o.stderr)
	require.Contains(t, o.stderr, "standard output: disk full")

	o = connectTo(t, t.Context(), failingReader{broken}, url)
	require.Equal(t, exitFailure, o.status, o.stderr)
	require.Contains(t, o.stderr, "standard input: disk full")

	o = connectTo(t, t.Context(), strings.NewReader("fine\n\xff\n"), url)
	require.Equal(t, exitFailure, o.status, o.stderr)
	require.Contains(t, o.stderr, "standard input: line 2 is not valid UTF-8")
}

// gatedWriter holds its first write back.
type gatedWriter struct {
	lockedBuffer
	started, release chan struct{}
	first            sync.Once
}

func (g *gatedWriter) Write(p []byte) (int, error) {
	g.first.Do(func() {
		close(g.started)
		<-g.release
	})
	return g.lockedBuffer.Write(p)
}

func TestConnectPrintsWhatCameBeforeTheInterrupt(t *testing.T) {
	w := &gatedWriter{started: make(chan struct{}), release: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	url := newServer(t, func(p *peer) {
		p.send(frame.Text, "a")
		<-w.started
		p.send(frame.Text, "b")
		p.send(frame.Ping, "") // its answer says that b was taken
		if h, _, err := p.read(); err != nil || h.Opcode != frame.Pong {
			t.Errorf("%v frame instead of a pong, error %v", h.Opcode, err)
		}
		cancel()
		p.serve(nil)
		close(w.release)
	})
	o := connectWith(t, ctx, nil, w, url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Equal(t, "a\nb\n", w.String())
}

// blockedWriter is a reader of our output that has stopped.
type blockedWriter struct{ started, release chan struct{} }

func (b *blockedWriter) Write(p []byte) (int, error) {
	select {
	case b.started <- struct{}{}:
	default:
	}
	<-b.release
	return len(p), nil
}

func TestConnectCanBeInterruptedWhileItsOutputIsBlocked(t *testing.T) {
	url := newServer(t, func(p *peer) {
		go func() {
			for range 1000 {
				p.send(frame.Text, strings.Repeat("x", 10_000))
			}
		}()
		p.serve(nil)
	})
	w := &blockedWriter{make(chan struct{}, 1), make(chan struct{})}
	defer close(w.release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-w.started
		cancel()
	}()
	o := connectWith(t, ctx, nil, w, url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stderr, "interrupted")
}
