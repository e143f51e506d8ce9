package stream

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
)

// peerOf reads what a proxy says and forgets what it is told.
type peerOf struct{ io.Reader }

func (peerOf) Write(p []byte) (int, error) { return len(p), nil }

// FuzzProxyCONNECT: whatever a proxy answers, either the tunnel stands, and not
// one byte behind the header was taken, or there is an error of a known kind.
func FuzzProxyCONNECT(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\n\r\nearly", "HTTP/1.0 407 No\r\nProxy-Authenticate: Basic\r\n\r\n", "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200\n\nx",
		"HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", "HTTP/1.1 502 Bad\r\n\r", "\x05\x00", "", "HTTP/1.1 \r\n\r\n", "HTTP/1.1 200 OK\r\r\n\r\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		in := bytes.NewReader(answer)
		err := connectHTTP(peerOf{iotest.HalfReader(in)}, "venue.test:443", url.UserPassword("u", "secret"))
		taken := answer[:len(answer)-in.Len()]
		if err == nil {
			if n := len(taken); n < len("HTTP/1.1 200\n\n") || taken[n-1] != '\n' || !strings.HasPrefix(string(taken), "HTTP/1.") {
				t.Fatalf("a tunnel after %q", taken)
			}
		}
		checkProxyFuzz(t, err, len(taken), maxProxyAnswer)
	})
}

// FuzzProxySOCKS5 is the same for the three answers of SOCKS 5.
func FuzzProxySOCKS5(f *testing.F) {
	for _, s := range []string{
		"\x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50early", "\x05\x02\x01\x00\x05\x00\x00\x03\x04host\x00\x50", "\x05\xff", "\x05\x02\x01\x01",
		"\x05\x00\x05\x05", "\x05\x00\x05\x00\x00\x04" + strings.Repeat("x", 18), "HTTP/1.1 400 Bad\r\n\r\n", "",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		in := bytes.NewReader(answer)
		err := connectSOCKS5(peerOf{iotest.OneByteReader(in)}, address{name: "venue.test", port: 443}, url.UserPassword("u", "secret"))
		checkProxyFuzz(t, err, len(answer)-in.Len(), 2+2+4+1+maxDomain+2)
	})
}

func checkProxyFuzz(t *testing.T, err error, taken, most int) {
	if taken > most {
		t.Fatalf("%d bytes taken, at most %d wanted", taken, most)
	}
	if err == nil {
		return
	}
	known := false
	for _, is := range []error{ErrProxyAuth, ErrProxyRefused, ErrProxyAnswer, io.ErrUnexpectedEOF} {
		known = known || errors.Is(err, is)
	}
	if !known || strings.Contains(err.Error(), "secret") || strings.ContainsAny(err.Error(), "\n\r\x1b") {
		t.Fatalf("error %q", err)
	}
}
