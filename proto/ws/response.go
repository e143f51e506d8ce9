package ws

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

var (
	// ErrRefused is the cause of an UpgradeError when the server answered with
	// another status than 101.
	ErrRefused = errors.New("the server refused the upgrade")
	// ErrBadResponse is the cause, with details around it, when what the server
	// answered is not an opening handshake that RFC 6455 allows.
	ErrBadResponse = errors.New("bad answer to the opening handshake")
)

// MaxRefusalBody is how many bytes of a refusal's body an UpgradeError keeps.
const MaxRefusalBody = 64 << 10

// UpgradeError is an opening handshake that failed after the stream stood.
type UpgradeError struct {
	// StatusCode and Status are the server's, "429 Too Many Requests"; 0 and ""
	// when no response was understood.
	StatusCode int
	Status     string
	// Header is the response's; Retry-After is in here.
	Header http.Header
	// Body of a refusal, at most MaxRefusalBody bytes, and what had arrived of it
	// in time.
	Body []byte
	// Err is ErrRefused, an error that wraps ErrBadResponse, one of the stream,
	// io.ErrUnexpectedEOF, or the cause of the context.
	Err error
}

// Error implements error.
func (e *UpgradeError) Error() string {
	s := "ws: upgrade: " + e.Err.Error()
	if e.StatusCode != 0 {
		s += ": " + e.Status
	}
	if len(e.Body) > 0 {
		s += ": " + strconv.Quote(string(e.Body[:min(len(e.Body), 200)]))
	}
	return s
}

// Unwrap returns Err.
func (e *UpgradeError) Unwrap() error { return e.Err }

func badResponse(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBadResponse}, args...)...)
}

// headerEnd is the length of the response header at the start of p with the empty
// line that ends it, 0 when that has not arrived. Lines end as in RFC 9112,
// section 2.2: with CRLF, or with LF alone.
func headerEnd(p []byte) int {
	for i := 0; ; {
		k := bytes.IndexByte(p[i:], '\n')
		if k < 0 {
			return 0
		}
		i += k + 1
		switch {
		case len(p) > i && p[i] == '\n':
			return i + 1
		case len(p) > i+1 && p[i] == '\r' && p[i+1] == '\n':
			return i + 2
		}
	}
}

// startsLikeHTTP reports whether p can be the beginning of a response.
func startsLikeHTTP(p []byte) bool {
	const start = "HTTP/"
	n := min(len(p), len(start))
	return string(p[:n]) == start[:n]
}

// checkResponse checks a response of status 101 as section 4.1 orders, and
// returns what was agreed on: the subprotocol, and the compression or nil.
func checkResponse(r *http.Response, o *Options, key string) (subprotocol string, z *Compression, err error) {
	h := r.Header
	if !r.ProtoAtLeast(1, 1) {
		return "", nil, badResponse("%s instead of HTTP/1.1", r.Proto)
	}
	// "If the response lacks an |Upgrade| header field or the |Upgrade| header
	// field contains a value that is not an ASCII case-insensitive match for the
	// value "websocket", the client MUST _Fail the WebSocket Connection_."
	if v := h.Values("Upgrade"); len(v) != 1 || !strings.EqualFold(strings.TrimSpace(v[0]), "websocket") {
		return "", nil, badResponse("Upgrade is %q, not websocket", v)
	}
	// "If the response lacks a |Connection| header field or the |Connection|
	// header field doesn't contain a token that is an ASCII case-insensitive
	// match for the value "Upgrade", the client MUST _Fail the WebSocket
	// Connection_."
	if v := h.Values("Connection"); !slices.ContainsFunc(tokens(v), func(t string) bool { return strings.EqualFold(t, "upgrade") }) {
		return "", nil, badResponse("Connection is %q, without Upgrade", v)
	}
	// The accept key proves that the server speaks WebSocket at all.
	if v, want := h.Values("Sec-Websocket-Accept"), acceptFor(key); len(v) != 1 || strings.TrimSpace(v[0]) != want {
		return "", nil, badResponse("Sec-WebSocket-Accept is %q, not %q", v, want)
	}
	extensions, err := parseExtensions(h.Values("Sec-Websocket-Extensions"))
	if err != nil {
		return "", nil, err
	}
	if z, err = o.Compression.agree(extensions); err != nil {
		return "", nil, err
	}
	// "If the response includes a |Sec-WebSocket-Protocol| header field and this
	// header field indicates the use of a subprotocol that was not present in the
	// client's handshake […], the client MUST _Fail the WebSocket Connection_."
	switch v := h.Values("Sec-Websocket-Protocol"); {
	case len(v) == 0:
		return "", z, nil
	case len(v) > 1 || !slices.Contains(o.Subprotocols, strings.TrimSpace(v[0])):
		return "", nil, badResponse("subprotocol %q, offered %q", v, o.Subprotocols)
	default:
		return strings.TrimSpace(v[0]), z, nil
	}
}

// tokens splits the values of a header field at their commas.
func tokens(values []string) (list []string) {
	for _, v := range values {
		for t := range strings.SplitSeq(v, ",") {
			if t = strings.TrimSpace(t); t != "" {
				list = append(list, t)
			}
		}
	}
	return list
}
