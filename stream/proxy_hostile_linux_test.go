package stream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/dns"
)

// script plays a proxy that is at fault: it handles one connection.
func script(t *testing.T, scheme string, handle func(c net.Conn)) *Options {
	l := listen(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		handle(c)
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return &Options{Proxy: ProxyURL(&url.URL{Scheme: scheme, Host: l.Addr().String(), User: url.UserPassword("u", "secret")})}
}

// answering is a proxy that reads a CONNECT and says text.
func answering(text string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.WriteString(c, text)
		}
	}
}

// endless says text again and again until the client has gone.
func endless(first, text string) func(net.Conn) {
	return func(c net.Conn) {
		for _, err := io.WriteString(c, first); err == nil; {
			_, err = io.WriteString(c, text)
		}
	}
}

func TestHostileProxyHTTP(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(net.Conn)
		is     error
		status int
		text   string
	}{
		"garbage":               {answering("\x00\x01\x02 nonsense"), ErrProxyAnswer, 0, `it begins with "\x00"`},
		"another protocol":      {answering("SSH-2.0-OpenSSH_9.2\r\n"), ErrProxyAnswer, 0, `it begins with "S"`},
		"HTTP/2":                {answering("HTTP/2 200 OK\r\n\r\n"), ErrProxyAnswer, 0, "HTTP/2"},
		"says nothing, leaves":  {answering(""), io.ErrUnexpectedEOF, 0, "after 0 bytes"},
		"leaves in the middle":  {answering("HTTP/1.1 200 OK\r\nVia: x"), io.ErrUnexpectedEOF, 0, "after 23 bytes"},
		"endless header":        {endless("HTTP/1.1 200 OK\r\n", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n"), ErrProxyAnswer, 0, "more than 16384 bytes"},
		"endless line":          {endless("HTTP/1.1 200 OK\r\nX: ", "y"), ErrProxyAnswer, 0, "more than 16384 bytes"},
		"endless interim":       {endless("", "HTTP/1.1 100 Continue\r\n\r\n"), ErrProxyAnswer, 0, "more than 16384 bytes"},
		"status of no sense":    {answering("HTTP/1.1 20x OK\r\n\r\n"), ErrProxyAnswer, 0, `status line "HTTP/1.1 20x OK"`},
		"status too long":       {answering("HTTP/1.1 2000 OK\r\n\r\n"), ErrProxyAnswer, 0, "status line"},
		"no status":             {answering("HTTP/1.1\r\n\r\n"), ErrProxyAnswer, 0, "status line"},
		"reason for a terminal": {answering("HTTP/1.1 403 \x1b[2J\r\n\r\n"), ErrProxyAnswer, 0, `\x1b[2J`},
		"header that is none":   {answering("HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"), ErrProxyAnswer, 0, "malformed MIME header"},
		"407 with a challenge": {answering("HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n"),
			ErrProxyAuth, 407, `challenge "Negotiate, NTLM"`},
		"401 in its place":        {answering("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n"), ErrProxyAuth, 401, `challenge "Basic"`},
		"407 without a challenge": {answering("HTTP/1.1 407 Auth\r\n\r\n"), ErrProxyAuth, 407, "no challenge"},
		"502 with a body":         {answering("HTTP/1.0 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nsorry"), ErrProxyRefused, 502, "refused with 502 Bad Gateway"},
		"status alone":            {answering("HTTP/1.1 503\r\n\r\n"), ErrProxyRefused, 503, "refused with 503"},
		"redirection":             {answering("HTTP/1.1 302 Found\r\nLocation: http://login.test/\r\n\r\n"), ErrProxyRefused, 302, "refused with 302 Found"},
		"switching protocols":     {answering("HTTP/1.1 101 Switching Protocols\r\n\r\n"), ErrProxyRefused, 101, "101"},
		"interim, then a refusal": {answering("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Filtered\r\n\r\n"), ErrProxyRefused, 403, "403 Filtered"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := script(t, "http", c.handle).Dial(testCtx(t), "tcp://venue.test:80")
			failedIn(t, Connecting, err)
			var e *ProxyError
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, c.is)
			require.Equal(t, c.status, e.Status)
			require.Equal(t, "venue.test:80", e.Target)
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), "secret")
		})
	}
	t.Run("a proxy that is reset", func(t *testing.T) {
		_, err := script(t, "http", func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_ = c.(*net.TCPConn).SetLinger(0)
			}
		}).Dial(testCtx(t), "tcp://venue.test:80")
		failedIn(t, Connecting, err)
		var op *net.OpError
		require.ErrorAs(t, err, &op)
	})
}

// TestProxyAgrees: every 2xx is a tunnel, whatever the header says of a body
// (RFC 9110, section 9.3.6); what comes in the same segment is the target's.
func TestProxyAgrees(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 Connection established\r\n\r\n",
		"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n",
		"HTTP/1.1 200\r\n\r\n",
		"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\nX: y\n\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
	} {
		o := script(t, "http", func(c net.Conn) {
			answering(answer + "early")(c)
			_, _ = io.WriteString(c, " and late")
		})
		s, err := o.Dial(testCtx(t), "tcp://venue.test:80")
		require.NoError(t, err, answer)
		got, err := readAll(t, s.(waiting))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, "early and late", string(got))
		require.NoError(t, s.Close())
	}
}

// TestSlowProxy: whatever a proxy does or does not do, the end of ctx ends it.
func TestSlowProxy(t *testing.T) {
	gone := func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }
	for name, c := range map[string]struct {
		scheme string
		handle func(net.Conn)
	}{
		"http says nothing":  {"http", gone},
		"https says nothing": {"https", gone},
		"socks says nothing": {"socks5h", gone},
		"http drips": {"http", func(c net.Conn) {
			for _, b := range []byte("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 10_000)) {
				time.Sleep(time.Millisecond)
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
			}
		}},
		"socks stops half-way": {"socks5h", func(c net.Conn) { _, _ = c.Write([]byte{5}); gone(c) }},
	} {
		t.Run(name, func(t *testing.T) {
			enough := errors.New("enough")
			ctx, cancel := context.WithTimeoutCause(testCtx(t), 50*time.Millisecond, enough)
			defer cancel()
			_, err := script(t, c.scheme, c.handle).Dial(ctx, "tcp://venue.test:80")
			failedIn(t, Connecting, err)
			require.ErrorIs(t, err, enough)
			var e *ProxyError
			require.ErrorAs(t, err, &e)
		})
	}
	t.Run("socks5, with our own addresses", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(testCtx(t), 50*time.Millisecond)
		defer cancel()
		_, err := script(t, "socks5", gone).Dial(ctx, "tcp://127.0.0.1:80")
		failedIn(t, Connecting, err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var e *ProxyError
		require.ErrorAs(t, err, &e)
	})
}

// socksScript reads the greeting and each further message, and says the answers
// one by one.
func socksScript(answers ...string) func(net.Conn) {
	return func(c net.Conn) {
		buf := make([]byte, 1024)
		for _, a := range answers {
			if _, err := c.Read(buf); err != nil {
				return
			}
			if _, err := io.WriteString(c, a); err != nil {
				return
			}
		}
	}
}

func TestHostileProxySOCKS(t *testing.T) {
	for name, c := range map[string]struct {
		handle func(net.Conn)
		is     error
		status int
		text   string
	}{
		"says nothing, leaves":     {socksScript(""), io.ErrUnexpectedEOF, 0, "2 bytes before the end"},
		"half a method":            {socksScript("\x05"), io.ErrUnexpectedEOF, 0, "1 bytes before the end"},
		"HTTP":                     {socksScript("HTTP/1.1 400 Bad Request\r\n\r\n"), ErrProxyAnswer, 0, `byte 72 ("H")`},
		"SOCKS 4":                  {socksScript("\x00\x5b\x00\x00\x00\x00\x00\x00"), ErrProxyAnswer, 0, "byte 0"},
		"no method":                {socksScript("\x05\xff"), ErrProxyAuth, 0, "neither user and password"},
		"GSSAPI":                   {socksScript("\x05\x01"), ErrProxyAnswer, 0, "GSSAPI"},
		"a method of its own":      {socksScript("\x05\x80"), ErrProxyAnswer, 0, "method 128"},
		"another version of auth":  {socksScript("\x05\x02", "\x05\x00"), ErrProxyAnswer, 0, "version 5 of the answer to user"},
		"wrong password":           {socksScript("\x05\x02", "\x01\x07"), ErrProxyAuth, 0, "status 7"},
		"leaves instead of auth":   {socksScript("\x05\x02", "\x01"), io.ErrUnexpectedEOF, 0, "1 bytes"},
		"version of the reply":     {socksScript("\x05\x00", "\x04\x00\x00\x01"), ErrProxyAnswer, 0, "version 4 of the reply"},
		"type of address":          {socksScript("\x05\x00", "\x05\x00\x00\x02"), ErrProxyAnswer, 0, "type of address 2"},
		"half an address":          {socksScript("\x05\x00", "\x05\x00\x00\x01\x7f\x00"), io.ErrUnexpectedEOF, 0, "4 bytes"},
		"half a name":              {socksScript("\x05\x00", "\x05\x00\x00\x03\xffabc"), io.ErrUnexpectedEOF, 0, "254 bytes"},
		"refused in two bytes":     {socksScript("\x05\x00", "\x05\x02"), ErrProxyRefused, 2, "refused with 2 connection not allowed by ruleset"},
		"refused at length":        {socksScript("\x05\x00", "\x05\x04\x00\x01\x00\x00\x00\x00\x00\x00"), ErrProxyRefused, 4, "refused with 4 host unreachable"},
		"refused as no RFC knows":  {socksScript("\x05\x00", "\x05\x5b\x00\x01"), ErrProxyRefused, 91, "91 not a code of RFC 1928"},
		"refused after a password": {socksScript("\x05\x02", "\x01\x00", "\x05\x08"), ErrProxyRefused, 8, "8 address type not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := script(t, "socks5h", c.handle).Dial(testCtx(t), "tcp://venue.test:80")
			failedIn(t, Connecting, err)
			var e *ProxyError
			require.ErrorAs(t, err, &e)
			require.ErrorIs(t, err, c.is)
			require.Equal(t, c.status, e.Status)
			require.Equal(t, "SOCKS5", e.Method)
			require.ErrorContains(t, err, c.text)
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

// TestSOCKSReplyAddresses: the address in the reply may be of any type and length,
// and not a byte behind it is lost.
func TestSOCKSReplyAddresses(t *testing.T) {
	for _, bound := range []string{
		"\x01\x7f\x00\x00\x01", "\x04" + strings.Repeat("\x00", 16),
		"\x03\x00", "\x03\x04host", "\x03\xff" + strings.Repeat("n", 255),
	} {
		s, err := script(t, "socks5h", socksScript("\x05\x00", "\x05\x00\x00"+bound+"\x00\x50early")).Dial(testCtx(t), "tcp://venue.test:80")
		require.NoError(t, err)
		got, err := readAll(t, s.(waiting))
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, "early", string(got))
		require.NoError(t, s.Close())
	}
}

// TestSOCKSRequest is RFC 1928, section 4, and RFC 1929, section 2, byte by byte.
func TestSOCKSRequest(t *testing.T) {
	said := func(t *testing.T, target string, user *url.Userinfo, answers ...string) string {
		heard := make(chan string, 1)
		o := script(t, "socks5h", func(c net.Conn) {
			var got bytes.Buffer
			defer func() { heard <- got.String() }()
			buf := make([]byte, 1024)
			for _, a := range append(answers, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00") {
				n, _ := c.Read(buf)
				got.Write(buf[:n])
				_, _ = io.WriteString(c, a)
			}
		})
		u, _ := o.Proxy("")
		u.User = user
		s, err := o.Dial(testCtx(t), target)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		return <-heard
	}
	require.Equal(t, "\x05\x01\x00"+"\x05\x01\x00\x03\x0avenue.test\x01\xbb", said(t, "tcp://venue.test:443", nil, "\x05\x00"))
	require.Equal(t, "\x05\x02\x00\x02"+"\x01\x01u\x02pw"+"\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50", said(t, "tcp://1.2.3.4:80", url.UserPassword("u", "pw"), "\x05\x02", "\x01\x00"))
	require.Equal(t, "\x05\x02\x00\x02"+"\x01\x01u\x00"+"\x05\x01\x00\x04\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x01\x00\x50",
		said(t, "tcp://[2001:db8::1]:80", url.User("u"), "\x05\x02", "\x01\x00"))
}

// A wrong password is tried once, however many addresses the target has.
func TestSOCKSWrongPasswordIsTriedOnce(t *testing.T) {
	l := listen(t)
	logins, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			logins++
			socksScript("\x05\x02", "\x01\x01")(c)
			_ = c.Close()
		}
	}()
	o := &Options{
		Proxy:    ProxyURL(&url.URL{Scheme: "socks5", Host: l.Addr().String(), User: url.UserPassword("u", "wrong")}),
		Resolver: &dns.Static{Hosts: map[string][]netip.Addr{"venue.test": {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}}},
	}
	_, err := o.Dial(testCtx(t), "tcp://venue.test:80")
	require.ErrorIs(t, err, ErrProxyAuth)
	require.NoError(t, l.Close())
	<-done
	require.Equal(t, 1, logins)
}
