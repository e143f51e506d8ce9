package stream

import (
	"errors"
	"fmt"
	"io"
	"net/url"
)

// The numbers of SOCKS 5: RFC 1928, and RFC 1929 for user and password.
const (
	socksVersion     = 5
	socksAuthVersion = 1
	socksConnect     = 1

	socksNoAuth     = 0
	socksGSSAPI     = 1
	socksPassword   = 2
	socksNoneOfThem = 0xFF

	socksIPv4   = 1
	socksDomain = 3
	socksIPv6   = 4
)

// socksReplies are the reply codes of RFC 1928, section 6, in its words.
var socksReplies = [...]string{
	1: "general SOCKS server failure",
	2: "connection not allowed by ruleset",
	3: "network unreachable",
	4: "host unreachable",
	5: "connection refused",
	6: "TTL expired",
	7: "command not supported",
	8: "address type not supported",
}

// connectSOCKS5 asks a SOCKS 5 proxy to connect to an address, which was checked.
// Every answer has a known length, and no more is read.
//
//	greeting ──→ method ──→ (user, password ──→ status) ──→ request ──→ reply
func connectSOCKS5(rw io.ReadWriter, to address, user *url.Userinfo) error {
	greeting := []byte{socksVersion, 1, socksNoAuth}
	if user != nil {
		greeting = []byte{socksVersion, 2, socksNoAuth, socksPassword}
	}
	if _, err := rw.Write(greeting); err != nil {
		return err
	}
	var chosen [2]byte
	if err := readReply(rw, chosen[:]); err != nil {
		return err
	}
	if chosen[0] != socksVersion {
		return fmt.Errorf("%w: it begins with byte %d (%q), not with version 5", ErrProxyAnswer, chosen[0], chosen[:1])
	}
	switch method := chosen[1]; {
	case method == socksNoAuth:
	case method == socksPassword && user != nil:
		if err := authenticate(rw, user); err != nil {
			return err
		}
	case method == socksNoneOfThem && user == nil:
		return fmt.Errorf("%w: it demands authentication, and the proxy's URL names no user", ErrProxyAuth)
	case method == socksNoneOfThem:
		return fmt.Errorf("%w: it takes neither user and password nor no authentication", ErrProxyAuth)
	case method == socksGSSAPI:
		return fmt.Errorf("%w: it chose GSSAPI, which was not offered and is not supported", ErrProxyAnswer)
	default:
		return fmt.Errorf("%w: it chose method %d, which was not offered", ErrProxyAnswer, method)
	}
	if _, err := rw.Write(appendRequest(nil, to)); err != nil {
		return err
	}
	return readSOCKSReply(rw)
}

// authenticate is RFC 1929. The lengths were checked.
func authenticate(rw io.ReadWriter, user *url.Userinfo) error {
	name := user.Username()
	password, _ := user.Password()
	m := append([]byte{socksAuthVersion, byte(len(name))}, name...)
	m = append(append(m, byte(len(password))), password...)
	if _, err := rw.Write(m); err != nil {
		return err
	}
	var status [2]byte
	if err := readReply(rw, status[:]); err != nil {
		return err
	}
	switch {
	case status[0] != socksAuthVersion:
		return fmt.Errorf("%w: version %d of the answer to user and password, not 1", ErrProxyAnswer, status[0])
	case status[1] != 0:
		return fmt.Errorf("%w: user and password refused with status %d", ErrProxyAuth, status[1])
	}
	return nil
}

// appendRequest appends the request to connect, RFC 1928, section 4.
func appendRequest(dst []byte, to address) []byte {
	dst = append(dst, socksVersion, socksConnect, 0)
	switch {
	case to.ip.Is4():
		dst = append(append(dst, socksIPv4), to.ip.AsSlice()...)
	case to.ip.IsValid():
		dst = append(append(dst, socksIPv6), to.ip.AsSlice()...)
	default:
		dst = append(append(dst, socksDomain, byte(len(to.name))), to.name...)
	}
	return append(dst, byte(to.port>>8), byte(to.port))
}

// readSOCKSReply reads the reply to the request, RFC 1928, section 6. The address
// in it, that of the proxy's own socket, is passed over.
func readSOCKSReply(r io.Reader) error {
	var head [4]byte // version, reply, reserved, type of address
	if err := readReply(r, head[:2]); err != nil {
		return err
	}
	if head[0] != socksVersion {
		return fmt.Errorf("%w: version %d of the reply, not 5", ErrProxyAnswer, head[0])
	}
	if code := int(head[1]); code != 0 { // some proxies say no more than that
		e := &ProxyError{Status: code, Reason: "not a code of RFC 1928", Err: ErrProxyRefused}
		if code < len(socksReplies) {
			e.Reason = socksReplies[code]
		}
		return e
	}
	if err := readReply(r, head[2:]); err != nil {
		return err
	}
	var rest [1 + maxDomain + 2]byte
	size := 0
	switch head[3] {
	case socksIPv4:
		size = 4
	case socksIPv6:
		size = 16
	case socksDomain:
		if err := readReply(r, rest[:1]); err != nil {
			return err
		}
		size = int(rest[0])
	default:
		return fmt.Errorf("%w: type of address %d in the reply", ErrProxyAnswer, head[3])
	}
	return readReply(r, rest[:size+2]) // and the port
}

// readReply fills p.
func readReply(r io.Reader, p []byte) error {
	n, err := io.ReadFull(r, p)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it closed the connection %d bytes before the end of an answer: %w", len(p)-n, io.ErrUnexpectedEOF)
	}
	return err
}
