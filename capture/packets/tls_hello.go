package packets

import (
	"crypto/sha256"
	"encoding/binary"
)

const (
	versionTLS12 = 0x0303
	versionTLS13 = 0x0304

	extServerName        = 0
	extALPN              = 16
	extSessionTicket     = 35
	extEarlyData         = 42
	extSupportedVersions = 43
)

// retryRandom is the random of a HelloRetryRequest (RFC 8446, section 4.1.3).
var retryRandom = sha256.Sum256([]byte("HelloRetryRequest"))

// tlsBytes is read from the front. A read of more than there is gives zero or nil,
// and bad from then on.
type tlsBytes struct {
	b   []byte
	bad bool
}

func (r *tlsBytes) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

func (r *tlsBytes) u8() int {
	if p := r.take(1); p != nil {
		return int(p[0])
	}
	return 0
}

func (r *tlsBytes) u16() int {
	if p := r.take(2); p != nil {
		return int(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (r *tlsBytes) vec8() []byte  { return r.take(r.u8()) }
func (r *tlsBytes) vec16() []byte { return r.take(r.u16()) }

// extensions calls do for each extension up to the end of r, and reports whether all
// is well formed.
func (r *tlsBytes) extensions(do func(kind int, body *tlsBytes)) bool {
	list := tlsBytes{b: r.vec16()}
	for !r.bad && len(list.b) > 0 && !list.bad {
		kind := list.u16()
		body := tlsBytes{b: list.vec16()}
		if list.bad {
			break
		}
		do(kind, &body)
		list.bad = list.bad || body.bad
	}
	return !r.bad && !list.bad && len(r.b) == 0
}

type clientHello struct {
	random     [32]byte
	serverName string
	early      bool
	ticket     []byte // of TLS 1.2
}

// parseClientHello reads the body of a ClientHello (RFC 8446, section 4.1.2).
func parseClientHello(b []byte) (h clientHello, ok bool) {
	r := tlsBytes{b: b}
	r.u16()
	copy(h.random[:], r.take(32))
	r.vec8()
	r.vec16()
	r.vec8()
	if r.bad || len(r.b) == 0 {
		return h, !r.bad
	}
	ok = r.extensions(func(kind int, body *tlsBytes) {
		switch kind {
		case extServerName:
			list := tlsBytes{b: body.vec16()}
			for len(list.b) > 0 {
				kind, name := list.u8(), list.vec16()
				if kind == 0 && h.serverName == "" && printable(name) {
					h.serverName = string(name)
				}
			}
			body.bad = body.bad || list.bad
		case extSessionTicket:
			h.ticket = body.b
		case extEarlyData:
			h.early = true
		}
	})
	return h, ok
}

type serverHello struct {
	version, suite uint16
	random         [32]byte
	retry          bool
	alpn           string
}

// parseServerHello reads the body of a ServerHello or HelloRetryRequest.
func parseServerHello(b []byte) (h serverHello, ok bool) {
	r := tlsBytes{b: b}
	h.version = uint16(r.u16())
	copy(h.random[:], r.take(32))
	r.vec8()
	h.suite = uint16(r.u16())
	compression := r.u8()
	if r.bad || compression != 0 {
		return h, false
	}
	if len(r.b) > 0 {
		ok = r.extensions(func(kind int, body *tlsBytes) {
			switch kind {
			case extSupportedVersions:
				h.version = uint16(body.u16())
			case extALPN:
				h.alpn = readALPN(body)
			}
		})
		if !ok {
			return h, false
		}
	}
	h.retry = h.version == versionTLS13 && h.random == retryRandom
	return h, true
}

// parseTicket reads the body of a NewSessionTicket of TLS 1.2 (RFC 5077, section 3.3).
func parseTicket(b []byte) (ticket []byte, ok bool) {
	r := tlsBytes{b: b}
	r.take(4)
	ticket = r.vec16()
	return ticket, !r.bad && len(r.b) == 0
}

// parseEncryptedExtensions returns the protocol that was agreed on, if any.
func parseEncryptedExtensions(b []byte) (alpn string, ok bool) {
	r := tlsBytes{b: b}
	ok = r.extensions(func(kind int, body *tlsBytes) {
		if kind == extALPN {
			alpn = readALPN(body)
		}
	})
	return alpn, ok
}

// readALPN reads the one protocol of an answer (RFC 7301, section 3.1).
func readALPN(body *tlsBytes) string {
	list := tlsBytes{b: body.vec16()}
	name := list.vec8()
	body.bad = body.bad || list.bad
	if !printable(name) {
		return ""
	}
	return string(name)
}

// printable reports whether b may be shown as it is.
func printable(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(b) <= 255
}
