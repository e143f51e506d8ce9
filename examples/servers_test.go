package examples

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/fakeproxy"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// testDNS names the exchange instead of giving its address.
func testDNS(t *testing.T, bin string) {
	file := filepath.Join(bin, "dns")
	url, _ := startExchange(t, false)
	named := strings.Replace(url, "127.0.0.1", "feed.example.com", 1) + "/ws/btcusdt@trade"
	require.Regexp(t, `^feed\.example\.com is \[127\.0\.0\.1\] \(\S+\)\nconnected to 127\.0\.0\.1:\d+\n$`, run(t, file, "-url", named).end())

	secured, ca := startExchange(t, true)
	local := strings.Replace(secured, "127.0.0.1", "localhost", 1) + "/ws/btcusdt@trade"
	require.Regexp(t, `^localhost is \[.*127\.0\.0\.1.*\] \(\S+\)\nconnected to 127\.0\.0\.1:\d+\n$`, run(t, file, "-url", local, "-cacert", ca).end())

	nowhere := strings.Replace(url, "127.0.0.1", "nowhere.example.com", 1)
	require.Regexp(t, `^nowhere\.example\.com is \[127\.0\.0\.2\] .*\n.* lost while connecting: .*connection refused\n$`,
		run(t, file, "-url", nowhere, "-pin", "nowhere.example.com=127.0.0.2").end(), "the exchange is on 127.0.0.1 alone")
}

// testProxy goes through proxies, and past them.
func testProxy(t *testing.T, bin string) {
	file := filepath.Join(bin, "proxy")
	for _, secure := range []bool{false, true} {
		url, ca := startExchange(t, secure)
		args := []string{"-url", url + "/ws/btcusdt@trade"}
		if secure {
			args = append(args, "-cacert", ca)
		}
		require.Regexp(t, `^the socket goes to `+strings.SplitAfter(url, "://")[1]+`\n\{"e":"trade".*\n$`, run(t, file, args...).end())
		for _, scheme := range []string{"http", "socks5h"} {
			p := fakeproxy.Start(t, fakeproxy.Config{Scheme: scheme, User: "desk", Password: "secret"})
			require.Regexp(t, `^the socket goes to `+p.URL().Host+`\n\{"e":"trade".*\n$`, run(t, file, append(args, "-proxy", p.URL().String())...).end())
			wrong := scheme + "://desk:swordfish@" + p.URL().Host
			said := run(t, file, append(args, "-proxy", wrong)...).end()
			require.Regexp(t, `lost while connecting: .*the proxy does not let us in`, said)
			require.NotContains(t, said, "swordfish")
		}
	}
	require.Contains(t, run(t, file, "-proxy", "gopher://127.0.0.1").fails(), "bad proxy URL")
}

// testHTTP plays a server that keeps its connections, and one that does not.
func testHTTP(t *testing.T, bin string) {
	file := filepath.Join(bin, "http")
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints) // an interim answer first
		for range 4 {
			_, _ = io.WriteString(w, strings.Repeat("x", 1000))
			w.(http.Flusher).Flush() // chunked
		}
	})
	const kept = "request 1: 200 OK, 4000 bytes, on connection 1\nrequest 2: 200 OK, 4000 bytes, on connection 1\nrequest 3: 200 OK, 4000 bytes, on connection 1\n"
	plain := httptest.NewServer(answer)
	defer plain.Close()
	require.Equal(t, kept, run(t, file, "-url", plain.URL+"/time").end())

	secured := httptest.NewTLSServer(answer)
	defer secured.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate().Raw})
	require.NoError(t, os.WriteFile(ca, block, 0o600))
	require.Equal(t, kept, run(t, file, "-url", secured.URL+"/time", "-cacert", ca).end())

	url, _ := startExchange(t, false)
	require.Regexp(t, `^request 1: 200 OK, \d+ bytes, on connection 1\nrequest 2: 200 OK, \d+ bytes, on connection 2\n$`,
		run(t, file, "-n", "2", "-url", strings.Replace(url, "ws", "http", 1)+"/control/stats").end())
}

// testAuth plays a venue that wants a new signature each time and speaks trading.v1.
func testAuth(t *testing.T, bin string) {
	file := filepath.Join(bin, "auth")
	var signatures sync.Map
	var tries atomic.Int64
	venue := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write([]byte(r.Header.Get("X-Timestamp") + "GET/ws?v=1"))
		signature := r.Header.Get("X-Signature")
		_, used := signatures.LoadOrStore(signature, true)
		switch {
		case used || signature != hex.EncodeToString(mac.Sum(nil)) || r.Header.Get("X-Api-Key") != "alice":
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		case tries.Add(1) == 1:
			http.Error(w, "too early", http.StatusServiceUnavailable)
			return
		case r.Header.Get("Sec-WebSocket-Protocol") != "trading.v2, trading.v1":
			http.Error(w, "no subprotocol", http.StatusBadRequest)
			return
		}
		c, in, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nServer: venue\r\n"+
			"Sec-WebSocket-Protocol: trading.v1\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
		_, _ = in.ReadByte() // the client's close frame
		_, _ = c.Write(append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Close, Length: 2}), frame.AppendClose(nil, frame.CloseNormal, "")...))
	}))
	defer venue.Close()
	url := strings.Replace(venue.URL, "http", "ws", 1)
	require.Equal(t, "try 1: 503 Service Unavailable, \"too early\\n\"\nlogged in, subprotocol \"trading.v1\", server \"venue\"\n",
		run(t, file, "-url", url+"/ws?v=1", "-key", "alice", "-secret", "secret").end())
	require.Equal(t, "refused: 401 Unauthorized, \"who are you?\\n\"\n",
		run(t, file, "-url", url+"/ws?v=1", "-key", "mallory", "-secret", "secret").end())
	exchange, ca := startExchange(t, true)
	require.Contains(t, run(t, file, "-url", exchange+"/ws", "-cacert", ca).end(), `logged in, subprotocol "", server ""`)
}

// testTLS trusts, and mistrusts, the exchange's certificate.
func testTLS(t *testing.T, bin string) {
	file := filepath.Join(bin, "tls")
	url, ca := startExchange(t, true)
	url += "/ws/btcusdt@trade"
	keys := filepath.Join(t.TempDir(), "keys.txt")
	require.Regexp(t, `^TLS 1\.3, TLS_\w+, key exchange \w+\ncertificate of "boomnet simulated exchange", signed by ".*", good until \d{4}-\d\d-\d\d\n\{"e":"trade".*\n$`,
		run(t, file, "-url", url, "-cacert", ca, "-keylog", keys).end())
	secrets, err := os.ReadFile(keys)
	require.NoError(t, err)
	require.Contains(t, string(secrets), "SERVER_TRAFFIC_SECRET_0 ")
	require.Contains(t, run(t, file, "-url", url).fails(), "certificate signed by unknown authority: is -cacert missing?")
	require.Contains(t, run(t, file, "-url", url, "-cacert", ca, "-name", "venue.example.com").fails(), "not venue.example.com")
}

// testMutualTLS plays a server that demands a client certificate and speaks fix.
func testMutualTLS(t *testing.T, bin string) {
	file := filepath.Join(bin, "mtls")
	s := httptest.NewUnstartedServer(nil)
	certified := make(chan int, 2)
	fix := func(_ *http.Server, c *tls.Conn, _ http.Handler) {
		certified <- len(c.ConnectionState().PeerCertificates)
		line, _ := bufio.NewReader(c).ReadString('\n')
		_, _ = io.WriteString(c, "got "+line)
	}
	s.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){"fix": fix}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, NextProtos: []string{"fix"}}
	s.StartTLS()
	defer s.Close()

	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return name
	}
	der, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	key := write("key.pem", "PRIVATE KEY", der)
	cert := write("cert.pem", "CERTIFICATE", s.Certificate().Raw) // the server's, and the client's
	keys := filepath.Join(dir, "keys.txt")
	args := []string{"-target", "tls://" + s.Listener.Addr().String(), "-cacert", cert}

	all := append(args, "-cert", cert, "-key", key, "-alpn", "h9", "-alpn", "fix", "-keylog", keys)
	require.Equal(t, "TLS 1.3, resumed: false, ALPN: \"fix\", answer: got hello\nTLS 1.3, resumed: true, ALPN: \"fix\", answer: got hello\n", run(t, file, all...).end())
	require.Equal(t, 1, <-certified)
	require.Equal(t, 1, <-certified, "a resumed session knows the certificate")
	secrets, err := os.ReadFile(keys)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(secrets), "SERVER_TRAFFIC_SECRET_0 "))

	require.Contains(t, run(t, file, args...).fails(), "remote error: tls: certificate required")
	require.Contains(t, run(t, file, append(args, "-alpn", "h9")...).fails(), "no application protocol")
	require.Contains(t, run(t, file, append(args, "-cert", cert, "-key", cert)...).fails(), "found a certificate rather than a key")
}

// testCutCapture records, cuts the recording and plays what is left.
func testCutCapture(t *testing.T, bin string) {
	program := filepath.Join(bin, "capture")
	url, _ := startExchange(t, false)
	file := filepath.Join(t.TempDir(), "feed.pcapng")
	run(t, program, "-url", url+"/ws/btcusdt@trade", "-o", file, "-bytes", "0", "-n", "5").end()
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, whole[:len(whole)-3], 0o600))
	require.Regexp(t, `(?m)^replayed \d+ messages`, run(t, program, "-o", file, "-replay").end())
	require.NoError(t, os.WriteFile(file, whole[:10], 0o600))
	require.Contains(t, run(t, program, "-o", file, "-replay").fails(), "truncated")
}
