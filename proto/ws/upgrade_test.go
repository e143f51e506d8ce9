package ws

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

// The handshake that fixedRand gives.
var (
	fixedKey    = newKey(fixedRand())
	fixedAccept = acceptFor(fixedKey)
	switching   = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + fixedAccept + "\r\n"
)

func upgrade(t testing.TB, s stream.Stream, rawURL string, o *Options) (*Conn, error) {
	t.Helper()
	u, err := url.Parse(rawURL)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return Upgrade(ctx, s, u, o)
}

func TestAcceptOfTheRFC(t *testing.T) {
	require.Equal(t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", acceptFor("dGhlIHNhbXBsZSBub25jZQ=="))
	require.NotEqual(t, newKey(nil), newKey(nil))
	require.Len(t, newKey(nil), 24)
}

func TestUpgrade(t *testing.T) {
	for _, tc := range []struct{ name, response, subprotocol string }{
		{"plain", switching + "\r\n", ""},
		{"other case and more tokens", "HTTP/1.1 101 x\r\nupgrade: WebSocket\r\nconnection: keep-alive, UPGRADE\r\nsec-websocket-accept: " + fixedAccept + "\r\n\r\n", ""},
		{"bare line feeds", strings.ReplaceAll(switching, "\r\n", "\n") + "\n", ""},
		{"interim responses", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + switching + "\r\n", ""},
		{"subprotocol", switching + "Sec-WebSocket-Protocol: v2\r\n\r\n", "v2"},
		{"a large header", switching + "X-Large: " + strings.Repeat("x", 20000) + "\r\n\r\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wire := join([]byte(tc.response), text("first"), text("second"))
			for _, n := range []int{1, 2, 3, 7, 64, len(wire)} { // also a slow drip
				s := &script{reads: pieces(wire, n)}
				o := testOptions()
				o.Subprotocols = []string{"v1", "v2"}
				c, err := upgrade(t, waitingScript{s}, "ws://example.com/", o)
				require.NoError(t, err)
				require.Equal(t, tc.subprotocol, c.Subprotocol())
				require.Equal(t, fixedAccept, c.ResponseHeader().Get("Sec-WebSocket-Accept"))
				require.Equal(t, 1, s.writes, "the request is one write")
				require.True(t, c.Buffered() || n < len(wire), "bytes beyond the header are kept")
				s.out = nil
				h := play(t, c, s, true)
				require.Equal(t, []sentFrame{{frame.Text, "first"}, {frame.Text, "second"}}, h.Messages)
			}
		})
	}
}

func TestRequest(t *testing.T) {
	request := func(rawURL string, o *Options) *http.Request {
		o.Rand = fixedRand()
		s := &script{reads: [][]byte{[]byte(switching + "\r\n")}}
		_, err := upgrade(t, s, rawURL, o)
		require.NoError(t, err)
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(s.out)))
		require.NoError(t, err)
		return r
	}
	r := request("wss://feed.example.com:9443/ws/btc%20usd?streams=a/b&x=%7B", &Options{
		Header:       http.Header{"User-Agent": {"desk/1"}, "X-MBX-APIKEY": {"k"}, "Cookie": {"a=1", "b=2"}},
		Subprotocols: []string{"v1", "v2"},
	})
	require.Equal(t, "GET", r.Method)
	require.Equal(t, "/ws/btc%20usd?streams=a/b&x=%7B", r.RequestURI)
	require.Equal(t, "feed.example.com:9443", r.Host)
	require.Equal(t, "websocket", r.Header.Get("Upgrade"))
	require.Equal(t, "Upgrade", r.Header.Get("Connection"))
	require.Equal(t, "13", r.Header.Get("Sec-WebSocket-Version"))
	require.Equal(t, fixedKey, r.Header.Get("Sec-WebSocket-Key"))
	require.Equal(t, "v1, v2", r.Header.Get("Sec-WebSocket-Protocol"))
	require.Equal(t, "desk/1", r.Header.Get("User-Agent"))
	require.Equal(t, "k", r.Header.Get("X-MBX-APIKEY"))
	require.Equal(t, []string{"a=1", "b=2"}, r.Header["Cookie"])

	r = request("ws://user:pa%3Ass@[fe80::1%25eth0]:80", &Options{})
	require.Equal(t, "/", r.RequestURI)
	require.Equal(t, "[fe80::1]:80", r.Host)
	user, password, ok := r.BasicAuth()
	require.True(t, ok)
	require.Equal(t, "user pa:ss", user+" "+password)

	r = request("ws://user:pass@10.0.0.1/?q", &Options{Host: "example.com", Header: http.Header{"authorization": {"Bearer t"}}})
	require.Equal(t, "example.com", r.Host)
	require.Equal(t, []string{"Bearer t"}, r.Header["Authorization"])
	require.Equal(t, "/?q", r.RequestURI)
}

func TestRequestRefusesInjection(t *testing.T) {
	for _, tc := range []struct {
		name, url, want string
		o               Options
	}{
		{"line break in a value", "", "control character", Options{Header: http.Header{"X": {"a\r\nHost: evil"}}}},
		{"bare line feed", "", "control character", Options{Header: http.Header{"X": {"a\nb"}}}},
		{"zero byte", "", "control character", Options{Header: http.Header{"X": {"a\x00"}}}},
		{"line break in a name", "", "not the name", Options{Header: http.Header{"X\r\nY": {"a"}}}},
		{"empty name", "", "not the name", Options{Header: http.Header{"": {"a"}}}},
		{"colon in a name", "", "not the name", Options{Header: http.Header{"X:": {"a"}}}},
		{"host field", "", "belongs to the handshake", Options{Header: http.Header{"host": {"a"}}}},
		{"upgrade field", "", "belongs to the handshake", Options{Header: http.Header{"UPGRADE": {"a"}}}},
		{"key field", "", "belongs to the handshake", Options{Header: http.Header{"Sec-WebSocket-Key": {"a"}}}},
		{"extensions field", "", "belongs to the handshake", Options{Header: http.Header{"sec-websocket-extensions": {"a"}}}},
		{"body", "", "belongs to the handshake", Options{Header: http.Header{"Content-Length": {"5"}}}},
		{"subprotocol that is no token", "", "subprotocol", Options{Subprotocols: []string{"a b"}}},
		{"subprotocol twice", "", "subprotocol", Options{Subprotocols: []string{"a", "a"}}},
		{"host with a break", "", "Host", Options{Host: "a\r\nb"}},
		{"space in the query", "ws://h/?a b", "spaces", Options{}},
		{"fragment", "ws://h/#part", "fragment", Options{}},
		{"opaque", "ws:h", "must begin with /", Options{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &script{}
			if tc.url == "" {
				tc.url = "ws://h/"
			}
			_, err := upgrade(t, s, tc.url, &tc.o)
			require.ErrorContains(t, err, tc.want)
			require.Empty(t, s.out)
		})
	}
}

func TestTarget(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://example.com":            "tcp://example.com:80",
		"wss://example.com/x":         "tls://example.com:443",
		"WSS://example.com:8443/":     "tls://example.com:8443",
		"ws://[::1]:9000/":            "tcp://[::1]:9000",
		"wss://[::1]/":                "tls://[::1]:443",
		"ws://user:secret@h:1/":       "tcp://h:1",
		"http://example.com":          "",
		"example.com":                 "",
		"ws://":                       "",
		"ws://:80/":                   "",
		"ws://bücher.example/":        "",
		"https://user:secret@h/":      "",
		"wss://b%C3%BCcher.example/x": "",
	} {
		u, err := url.Parse(raw)
		require.NoError(t, err)
		got, err := target(u)
		require.Equal(t, want, got, raw)
		require.Equal(t, want == "", err != nil, raw)
		if err != nil {
			require.NotContains(t, err.Error(), "secret")
		}
	}
}

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name, response string
		status         int
		body, want     string
	}{
		{"401", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nno", 401, "no", `ws: upgrade: the server refused the upgrade: 401 Unauthorized: "no"`},
		{"429 chunked", "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n5\r\n down\r\n0\r\n\r\n", 429, "slow down", "429 Too Many Requests"},
		{"503 until the end of the stream", "HTTP/1.1 503 Unavailable\r\nConnection: close\r\n\r\nback soon", 503, "back soon", "503 Unavailable"},
		{"302", "HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n", 302, "", "302 Found"},
		{"200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", "200 OK"},
		{"a cut body", "HTTP/1.1 500 Oops\r\nContent-Length: 500\r\n\r\npart", 500, "part", "500 Oops"},
		{"a large body", "HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 100000), 500, strings.Repeat("x", MaxRefusalBody), "500 Oops"},
		{"interim first", "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nbye", 403, "bye", "403 Forbidden"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, n := range []int{1, 5, 1 << 20} {
				if n == 1 && len(tc.response) > 10000 {
					continue
				}
				s := &script{reads: pieces([]byte(tc.response), n), end: io.EOF}
				_, err := upgrade(t, waitingScript{s}, "ws://h/", testOptions())
				var e *UpgradeError
				require.ErrorAs(t, err, &e)
				require.ErrorIs(t, err, ErrRefused)
				require.Equal(t, tc.status, e.StatusCode)
				require.Equal(t, tc.body, string(e.Body))
				require.ErrorContains(t, err, tc.want)
				require.NotNil(t, e.Header)
				require.False(t, s.closed, "the stream stays the caller's")
			}
		})
	}
}

func TestBadResponses(t *testing.T) {
	accept := "Sec-WebSocket-Accept: " + fixedAccept + "\r\n"
	for _, tc := range []struct{ name, response, want string }{
		{"garbage", "SSH-2.0-OpenSSH_9.9\r\n", "begins with"},
		{"garbage of one byte", "\x00", "begins with"},
		{"a TLS alert", "\x15\x03\x01\x00\x02\x02\x46", "begins with"},
		{"no status", "HTTP/1.1 \r\n\r\n", "malformed"},
		{"bad header", "HTTP/1.1 101 x\r\nno colon\r\n\r\n", "malformed"},
		{"HTTP/1.0", strings.Replace(switching, "1.1", "1.0", 1) + "\r\n", "HTTP/1.0"},
		{"no accept", strings.Replace(switching, accept, "", 1) + "\r\n", "Sec-WebSocket-Accept"},
		{"bad accept", strings.Replace(switching, fixedAccept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 1) + "\r\n", "Sec-WebSocket-Accept"},
		{"accept in another case", strings.Replace(switching, fixedAccept, strings.ToLower(fixedAccept), 1) + "\r\n", "Sec-WebSocket-Accept"},
		{"accept twice", switching + accept + "\r\n", "Sec-WebSocket-Accept"},
		{"no upgrade", strings.Replace(switching, "Upgrade: websocket\r\n", "", 1) + "\r\n", "Upgrade"},
		{"other upgrade", strings.Replace(switching, "websocket", "h2c", 1) + "\r\n", "h2c"},
		{"no connection", strings.Replace(switching, "Connection: Upgrade\r\n", "", 1) + "\r\n", "Connection"},
		{"other connection", strings.Replace(switching, "Connection: Upgrade", "Connection: upgraded, close", 1) + "\r\n", "Connection"},
		{"subprotocol not offered", switching + "Sec-WebSocket-Protocol: v9\r\n\r\n", `"v9"`},
		{"two subprotocols", switching + "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Protocol: v1\r\n\r\n", "subprotocol"},
		{"extension not offered", switching + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", "permessage-deflate"},
		{"endless header", switching + strings.Repeat("X-Y: zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n", 3000), "more than 65536 bytes"},
		{"endless line", "HTTP/1.1 101 " + strings.Repeat("x", 70000), "more than 65536 bytes"},
		{"endless interim responses", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 3000), "more than 65536 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, n := range []int{3, 4096, 1 << 20} {
				s := &script{reads: pieces([]byte(tc.response), n)}
				o := testOptions()
				o.Subprotocols = []string{"v1"}
				_, err := upgrade(t, waitingScript{s}, "ws://h/", o)
				var e *UpgradeError
				require.ErrorAs(t, err, &e)
				require.ErrorIs(t, err, ErrBadResponse)
				require.ErrorContains(t, err, tc.want)
				require.False(t, s.closed)
			}
		})
	}
}

func TestUpgradeIsCutShort(t *testing.T) {
	u := &url.URL{Scheme: "ws", Host: "h"}
	var e *UpgradeError
	for _, in := range []string{"", "HTTP/1.1 101 Sw"} {
		s := &script{end: io.EOF}
		if in != "" {
			s.reads = [][]byte{[]byte(in)}
		}
		_, err := Upgrade(t.Context(), s, u, nil)
		require.ErrorAs(t, err, &e)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
	reset := errors.New("connection reset")
	_, err := Upgrade(t.Context(), &script{end: reset}, u, nil)
	require.ErrorIs(t, err, reset)
	_, err = Upgrade(t.Context(), &script{refuse: reset}, u, nil)
	require.ErrorIs(t, err, reset)
	_, err = Upgrade(t.Context(), &script{refuse: stream.ErrTooLarge}, u, nil)
	require.ErrorIs(t, err, stream.ErrTooLarge)

	cause := errors.New("the deadline of the set-up")
	for _, s := range []stream.Stream{&script{}, waitingScript{&script{}}, &script{refuse: stream.ErrBackPressured}, &script{queued: 1}} {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Millisecond, cause)
		_, err := Upgrade(ctx, s, u, nil)
		cancel()
		require.ErrorIs(t, err, cause)
		require.ErrorAs(t, err, &e)
		require.Zero(t, e.StatusCode)
	}
}

func TestARefusalDoesNotWaitForItsBodyForEver(t *testing.T) {
	s := &script{reads: [][]byte{[]byte("HTTP/1.1 429 x\r\nContent-Length: 10\r\n\r\nhalf")}}
	_, err := Upgrade(t.Context(), waitingScript{s}, &url.URL{Scheme: "ws", Host: "h"}, &Options{CloseTimeout: time.Millisecond})
	var e *UpgradeError
	require.ErrorAs(t, err, &e)
	require.Equal(t, 429, e.StatusCode)
	require.Equal(t, "half", string(e.Body))
}

func FuzzResponse(f *testing.F) {
	f.Add([]byte(switching+"\r\nrest"), 3)
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\n"+switching+"\r\n"), 1)
	f.Add([]byte("HTTP/1.1 429 Too Many\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nslow\r\n0\r\n\r\n"), 5)
	f.Add([]byte("HTTP/1.1 101 x\n\n\n"), 2)
	f.Add([]byte("HTTP/1.1 101 x\r\n \r\r\n\r\n"), 2)
	f.Fuzz(func(t *testing.T, wire []byte, n int) {
		run := func(size int) (result string, rest string) {
			s := &script{end: io.EOF}
			if len(wire) > 0 {
				s.reads = pieces(wire, size)
			}
			o := testOptions()
			o.MaxResponseHeader = 4 << 10
			c, err := Upgrade(t.Context(), s, &url.URL{Scheme: "ws", Host: "h"}, o)
			if err != nil {
				var e *UpgradeError
				require.ErrorAs(t, err, &e)
				require.LessOrEqual(t, len(e.Body), MaxRefusalBody)
				if e.StatusCode == 0 {
					return "no response", "" // the text quotes what had arrived
				}
				return err.Error(), ""
			}
			all := wire[:0:0]
			if c.stash != nil {
				all = append(all, c.stash.B...)
			}
			return "upgraded", string(join(append([][]byte{all}, s.reads...)...))
		}
		result, rest := run(len(wire) + 1)
		again, restAgain := run(1 + int(uint(n)%50))
		require.Equal(t, result, again)
		require.Equal(t, rest, restAgain)
		require.True(t, bytes.HasSuffix(wire, []byte(rest)))
	})
}
