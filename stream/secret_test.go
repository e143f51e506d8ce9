package stream

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"sync"
)

// Record types, RFC 8446, section 5.1.
const (
	typeAlert     = 21
	typeHandshake = 22
	typeData      = 23
)

// Messages that crypto/tls gives no way to send.
var (
	closeNotify     = []byte{1, 0}
	keyUpdate       = []byte{24, 0, 0, 1, 0}
	keyUpdateAnswer = []byte{24, 0, 0, 1, 1} // and the peer's keys change too
)

// halfConn seals or opens the records of one direction of a TLS 1.3 connection
// with TLS_AES_128_GCM_SHA256, so that a test can send what no server of
// crypto/tls would.
type halfConn struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

func newHalfConn(secret []byte) *halfConn {
	h := &halfConn{secret: secret}
	block := must(aes.NewCipher(expandLabel(secret, "key", 16)))
	h.aead = must(cipher.NewGCM(block))
	h.iv = expandLabel(secret, "iv", 12)
	return h
}

// update goes to the next generation of keys (RFC 8446, section 7.2).
func (h *halfConn) update() { *h = *newHalfConn(expandLabel(h.secret, "traffic upd", 32)) }

// expandLabel is HKDF-Expand-Label of RFC 8446, section 7.1.
func expandLabel(secret []byte, label string, n int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len("tls13 ")+len(label)))
	info = append(append(info, "tls13 "+label...), 0)
	return must(hkdf.Expand(sha256.New, secret, string(info), n))
}

func (h *halfConn) nonce() []byte {
	nonce := bytes.Clone(h.iv)
	for i, b := range binary.BigEndian.AppendUint64(nil, h.seq) {
		nonce[4+i] ^= b
	}
	h.seq++
	return nonce
}

// seal makes a record of payload with pad bytes of padding.
func (h *halfConn) seal(kind byte, payload []byte, pad int) []byte {
	inner := append(append(bytes.Clone(payload), kind), make([]byte, pad)...)
	header := []byte{typeData, 3, 3}
	header = binary.BigEndian.AppendUint16(header, uint16(len(inner)+h.aead.Overhead()))
	return h.aead.Seal(header, h.nonce(), inner, header)
}

// open opens the first record of b and returns the rest.
func (h *halfConn) open(b []byte) (kind byte, payload, rest []byte) {
	size := recordSize(b)
	inner := must(h.aead.Open(nil, h.nonce(), b[recordHeader:size], b[:recordHeader]))
	inner = bytes.TrimRight(inner, "\x00")
	return inner[len(inner)-1], inner[:len(inner)-1], b[size:]
}

// secrets is a KeyLogWriter that remembers.
type secrets struct {
	mu    sync.Mutex
	lines []string
}

func (s *secrets) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(line))
	return len(line), nil
}

func (s *secrets) get(label string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if f := strings.Fields(line); f[0] == label {
			return must(hex.DecodeString(f[2]))
		}
	}
	return nil
}
