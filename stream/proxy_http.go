package stream

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// maxProxyAnswer bounds the header of a proxy's answers to a CONNECT, those of
// interim answers (1xx) included, in bytes.
const maxProxyAnswer = 16 << 10

// connectHTTP asks an HTTP proxy for a tunnel, RFC 9110, section 9.3.6. It reads
// not a byte beyond the answer's header: what follows is the target's.
func connectHTTP(rw io.ReadWriter, to string, user *url.Userinfo) error {
	if _, err := rw.Write(appendCONNECT(nil, to, user)); err != nil {
		return err
	}
	for left := maxProxyAnswer; ; {
		head, err := readAnswer(rw, left)
		if err != nil {
			return err
		}
		left -= len(head)
		e, err := parseAnswer(head)
		switch {
		case err != nil:
			return err
		case e.Status/100 == 1 && e.Status != 101: // an interim answer
		case e.Status/100 == 2:
			return nil
		case e.Status == 407, e.Status == 401: // which tinyproxy says of a wrong password
			e.Err = fmt.Errorf("%w: %s", ErrProxyAuth, wanted(e.Header, user))
			return e
		default:
			e.Err = ErrProxyRefused
			return e
		}
	}
}

// appendCONNECT appends the request. to was checked.
func appendCONNECT(dst []byte, to string, user *url.Userinfo) []byte {
	dst = fmt.Appendf(dst, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", to, to)
	if user != nil { // RFC 7617
		password, _ := user.Password()
		dst = append(dst, "Proxy-Authorization: Basic "...)
		dst = base64.StdEncoding.AppendEncode(dst, []byte(user.Username()+":"+password))
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// wanted says of a 407, or 401, what the proxy asks for and what it was given.
func wanted(h textproto.MIMEHeader, user *url.Userinfo) string {
	s := "no challenge"
	if challenges := append(h.Values("Proxy-Authenticate"), h.Values("WWW-Authenticate")...); len(challenges) > 0 {
		s = fmt.Sprintf("challenge %q", strings.Join(challenges, ", "))
	}
	if user == nil {
		return s + ", and the proxy's URL names no user"
	}
	return s + ", answered before by Basic with user and password of the proxy's URL"
}

// readAnswer reads the header of one answer, byte by byte: less than a
// microsecond each, once a connection, and nothing is ever read too much.
func readAnswer(r io.Reader, limit int) ([]byte, error) {
	head := make([]byte, 0, 512)
	var one [1]byte
	for line := 0; ; { // bytes of the line so far, without CR
		if len(head) == limit {
			return nil, fmt.Errorf("%w: header of more than %d bytes", ErrProxyAnswer, maxProxyAnswer)
		}
		if _, err := io.ReadFull(r, one[:]); err == io.EOF {
			return nil, fmt.Errorf("it closed the connection after %d bytes of an answer: %w", len(head), io.ErrUnexpectedEOF)
		} else if err != nil {
			return nil, err
		}
		head = append(head, one[0])
		const begin = "HTTP/1."
		if n := min(len(head), len(begin)); string(head[:n]) != begin[:n] {
			return nil, fmt.Errorf("%w: it begins with %q, not like HTTP/1", ErrProxyAnswer, head)
		}
		switch one[0] {
		case '\r':
		case '\n':
			if line == 0 {
				return head, nil
			}
			line = 0
		default:
			line++
		}
	}
}

// parseAnswer reads the header of an answer, blank line included.
func parseAnswer(head []byte) (*ProxyError, error) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(head)))
	line, err := r.ReadLine()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxyAnswer, err)
	}
	version, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || len(code) != 3 || status < 100 || version != "HTTP/1.0" && version != "HTTP/1.1" || !readable(reason) {
		return nil, fmt.Errorf("%w: status line %q", ErrProxyAnswer, line[:min(len(line), 100)])
	}
	header, err := r.ReadMIMEHeader()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProxyAnswer, err)
	}
	return &ProxyError{Status: status, Reason: reason, Header: header}, nil
}

// readable reports whether s can stand in an error's text.
func readable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7F })
}
