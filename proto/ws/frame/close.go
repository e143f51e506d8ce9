package frame

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// CloseCode says why a connection was closed, RFC 6455, section 7.4.
type CloseCode uint16

// The codes of section 7.4.1 and of its IANA registry. CloseNoStatus,
// CloseAbnormal and CloseTLSHandshake never appear on the wire: they stand for
// a close frame without a code, no close frame at all, and a failed handshake.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001
	CloseProtocolError      CloseCode = 1002
	CloseUnsupported        CloseCode = 1003
	CloseNoStatus           CloseCode = 1005
	CloseAbnormal           CloseCode = 1006
	CloseInvalidPayload     CloseCode = 1007
	ClosePolicyViolation    CloseCode = 1008
	CloseTooBig             CloseCode = 1009
	CloseMandatoryExtension CloseCode = 1010
	CloseInternalError      CloseCode = 1011
	CloseServiceRestart     CloseCode = 1012
	CloseTryAgainLater      CloseCode = 1013
	CloseBadGateway         CloseCode = 1014
	CloseTLSHandshake       CloseCode = 1015
)

func (c CloseCode) String() string {
	switch c {
	case CloseNormal:
		return "1000 normal"
	case CloseGoingAway:
		return "1001 going away"
	case CloseProtocolError:
		return "1002 protocol error"
	case CloseUnsupported:
		return "1003 unsupported data"
	case CloseNoStatus:
		return "1005 no status"
	case CloseAbnormal:
		return "1006 abnormal"
	case CloseInvalidPayload:
		return "1007 invalid payload"
	case ClosePolicyViolation:
		return "1008 policy violation"
	case CloseTooBig:
		return "1009 message too big"
	case CloseMandatoryExtension:
		return "1010 mandatory extension"
	case CloseInternalError:
		return "1011 internal error"
	case CloseServiceRestart:
		return "1012 service restart"
	case CloseTryAgainLater:
		return "1013 try again later"
	case CloseBadGateway:
		return "1014 bad gateway"
	case CloseTLSHandshake:
		return "1015 tls handshake"
	}
	return strconv.Itoa(int(c))
}

// OnWire reports whether the code may stand in a close frame: 1000–1003,
// 1007–1014, and 3000–4999, which section 7.4.2 gives to libraries and to
// applications. 1004 is reserved without a meaning.
func (c CloseCode) OnWire() bool {
	switch {
	case c >= CloseNormal && c <= CloseUnsupported,
		c >= CloseInvalidPayload && c <= CloseBadGateway,
		c >= 3000 && c <= 4999:
		return true
	}
	return false
}

// MaxCloseReason is the longest reason of a close frame in bytes.
const MaxCloseReason = MaxControlPayload - 2

// AppendClose appends the payload of a close frame: the code, then the reason,
// cut at a rune's boundary to MaxCloseReason bytes. CloseNoStatus appends
// nothing: a close frame without a body is how it is said. Codes and UTF-8 are
// not checked here.
func AppendClose(dst []byte, code CloseCode, reason string) []byte {
	if code == CloseNoStatus {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	if len(reason) > MaxCloseReason {
		n := MaxCloseReason
		for n > 0 && !utf8.RuneStart(reason[n]) {
			n--
		}
		reason = reason[:n]
	}
	return append(dst, reason...)
}

// ParseClose reads the payload of a close frame, section 5.5.1. An empty one is
// CloseNoStatus. reason is a view into p. err is ErrCloseBody, ErrCloseCode or
// ErrCloseReason; with the last two, code is what was sent. It does not allocate.
func ParseClose(p []byte) (code CloseCode, reason []byte, err error) {
	if len(p) == 0 {
		return CloseNoStatus, nil, nil
	}
	// 5.5.1: "If there is a body, the first two bytes of the body MUST be a
	// 2-byte unsigned integer".
	if len(p) == 1 {
		return CloseNoStatus, nil, ErrCloseBody
	}
	code, reason = CloseCode(binary.BigEndian.Uint16(p)), p[2:]
	// 7.4.1: 1005, 1006 and 1015 "MUST NOT be set as a status code in a Close
	// control frame by an endpoint".
	if !code.OnWire() {
		return code, nil, ErrCloseCode
	}
	// 5.5.1: the body "MAY contain UTF-8-encoded data with value /reason/".
	if !ValidUTF8(reason) {
		return code, nil, ErrCloseReason
	}
	return code, reason, nil
}
