package ws

import (
	crand "crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// target is what Dial connects to, "tls://example.com:443", after checking that
// u is a WebSocket URL, RFC 6455, section 3.
func target(u *url.URL) (string, error) {
	scheme, port := "tcp", "80"
	switch strings.ToLower(u.Scheme) {
	case "ws":
	case "wss":
		scheme, port = "tls", "443"
	default:
		return "", fmt.Errorf("ws: scheme of %q is not ws or wss", u.Redacted())
	}
	host := u.Hostname()
	if host == "" {
		return "", fmt.Errorf("ws: no host in %q", u.Redacted())
	}
	for i := range len(host) {
		if host[i] >= 0x80 {
			return "", fmt.Errorf("ws: host %q is not ASCII: write it in its xn-- form", host)
		}
	}
	if p := u.Port(); p != "" {
		port = p
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return scheme + "://" + host + ":" + port, nil
}

// appendRequest appends the opening handshake of RFC 6455, section 4.1, to dst.
func appendRequest(dst []byte, u *url.URL, o *Options, key string) ([]byte, error) {
	// Section 3: "Fragment identifiers are meaningless in the context of
	// WebSocket URIs and MUST NOT be used on these URIs."
	if u.Fragment != "" || u.RawFragment != "" {
		return nil, fmt.Errorf("ws: URL with a fragment, %q", "#"+u.EscapedFragment())
	}
	if err := o.SendLimit.check(); err != nil {
		return nil, err
	}
	uri := u.RequestURI()
	if !strings.HasPrefix(uri, "/") || !printable(uri) {
		return nil, fmt.Errorf("ws: %q cannot stand in a request: it must begin with / and have no spaces or control characters", uri)
	}
	host := o.Host
	if host == "" {
		host = withoutZone(u.Host)
	}
	if host == "" || !printable(host) {
		return nil, fmt.Errorf("ws: %q cannot be the Host of a request", host)
	}
	dst = fmt.Appendf(dst, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n", uri, host, key)
	for i, p := range o.Subprotocols {
		if !isToken(p) || slices.Contains(o.Subprotocols[:i], p) {
			return nil, fmt.Errorf("ws: subprotocol %q is not a token or is there twice", p)
		}
	}
	if len(o.Subprotocols) > 0 {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Protocol: %s\r\n", strings.Join(o.Subprotocols, ", "))
	}
	if err := o.Compression.check(); err != nil {
		return nil, err
	}
	if o.Compression != nil {
		dst = fmt.Appendf(dst, "Sec-WebSocket-Extensions: %s\r\n", o.Compression.offer())
	}
	authorized := false
	names := make([]string, 0, len(o.Header))
	for name := range o.Header {
		names = append(names, name)
		authorized = authorized || strings.EqualFold(name, "Authorization")
	}
	slices.Sort(names)
	if u.User != nil && !authorized { // RFC 7617
		password, _ := u.User.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
		dst = fmt.Appendf(dst, "Authorization: Basic %s\r\n", credentials)
	}
	for _, name := range names {
		if !isToken(name) {
			return nil, fmt.Errorf("ws: %q is not the name of a header field", name)
		}
		if isOurs(name) {
			return nil, fmt.Errorf("ws: header field %s belongs to the handshake and cannot be set in Options.Header", name)
		}
		for _, value := range o.Header[name] {
			if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F }) {
				return nil, fmt.Errorf("ws: header field %s has a control character in its value", name)
			}
			dst = fmt.Appendf(dst, "%s: %s\r\n", name, strings.Trim(value, " \t"))
		}
	}
	return append(dst, "\r\n"...), nil
}

// isOurs reports whether a header field is the handshake's own business.
func isOurs(name string) bool {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding", "Trailer", "Te":
		return true
	}
	return strings.HasPrefix(name, "Sec-Websocket-")
}

// isToken is the token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0) {
			return false
		}
	}
	return s != ""
}

// printable reports whether s has neither spaces nor control characters.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7F })
}

// withoutZone takes the zone out of "[fe80::1%eth0]:80": it means nothing to the
// other side.
func withoutZone(host string) string {
	from, to := strings.IndexByte(host, '%'), strings.IndexByte(host, ']')
	if from < 0 || to < from {
		return host
	}
	return host[:from] + host[to:]
}

// newKey is a fresh Sec-WebSocket-Key. Section 4.1: "a nonce consisting of a
// randomly selected 16-byte value that has been base64-encoded".
func newKey(r rand.Source) string {
	var nonce [16]byte
	if r != nil {
		binary.LittleEndian.PutUint64(nonce[:], r.Uint64())
		binary.LittleEndian.PutUint64(nonce[8:], r.Uint64())
	} else {
		_, _ = crand.Read(nonce[:]) // never fails: it ends the process instead
	}
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// acceptFor is the Sec-WebSocket-Accept that proves that the server has read
// key as a WebSocket server does, section 4.2.2.
func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
