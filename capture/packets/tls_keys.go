package packets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"
	"slices"
)

// tlsSuite is what a cipher suite of AES-GCM needs.
type tlsSuite struct {
	key  int // bytes
	hash func() hash.Hash
}

// tls13Suites are those of RFC 8446, appendix B.4; the third is of ChaCha20.
var tls13Suites = map[uint16]tlsSuite{
	0x1301: {16, sha256.New},
	0x1302: {32, sha512.New384},
}

// tls12GCM are the suites of AES-128-GCM with SHA-256 of RFC 5288, RFC 5289, RFC 5487
// and RFC 8442. The number after each is that of AES-256-GCM with SHA-384.
var tls12GCM = []uint16{0x009c, 0x009e, 0x00a0, 0x00a2, 0x00a4, 0x00a6, 0x00a8, 0x00aa, 0x00ac,
	0xc02b, 0xc02d, 0xc02f, 0xc031, 0xd001}

// findSuite returns the suite of a number, if it can be opened.
func findSuite(version, number uint16) (tlsSuite, bool) {
	switch {
	case version == versionTLS13:
		s, ok := tls13Suites[number]
		return s, ok
	case version == versionTLS12 && slices.Contains(tls12GCM, number):
		return tlsSuite{16, sha256.New}, true
	case version == versionTLS12 && slices.Contains(tls12GCM, number-1):
		return tlsSuite{32, sha512.New384}, true
	}
	return tlsSuite{}, false
}

// recordKeys open the records of a direction.
type recordKeys struct {
	aead   cipher.AEAD
	secret []byte // TLS 1.3: what the keys of the next KeyUpdate come from
	iv     []byte // 12 bytes; TLS 1.2: 4, the rest stands in the record
	seq    uint64
	nonce  [12]byte
	aad    [13]byte
}

func newRecordKeys(key, iv, secret []byte) (*recordKeys, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &recordKeys{aead: aead, iv: iv, secret: secret}, nil
}

// trafficKeys derives the keys of a traffic secret (RFC 8446, section 7.3).
func (s tlsSuite) trafficKeys(secret []byte) (*recordKeys, error) {
	key, err := s.expandLabel(secret, "key", s.key)
	if err != nil {
		return nil, err
	}
	iv, err := s.expandLabel(secret, "iv", 12)
	if err != nil {
		return nil, err
	}
	return newRecordKeys(key, iv, secret)
}

// update derives the keys that follow those of k (section 7.2).
func (s tlsSuite) update(k *recordKeys) (*recordKeys, error) {
	secret, err := s.expandLabel(k.secret, "traffic upd", s.hash().Size())
	if err != nil {
		return nil, err
	}
	return s.trafficKeys(secret)
}

// expandLabel is HKDF-Expand-Label with an empty context (section 7.1).
func (s tlsSuite) expandLabel(secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := binary.BigEndian.AppendUint16(nil, uint16(n))
	info = append(info, byte(len(label)))
	info = append(info, label...)
	info = append(info, 0)
	return hkdf.Expand(s.hash, secret, string(info), n)
}

// masterKeys derives the keys of a direction from a master secret (RFC 5246, section
// 6.3; RFC 5288, section 3).
func (s tlsSuite) masterKeys(master []byte, client, server [32]byte, fromClient bool) (*recordKeys, error) {
	seed := slices.Concat([]byte("key expansion"), server[:], client[:])
	b := s.prf(master, seed, 2*s.key+2*4)
	key, iv := b[s.key:2*s.key], b[2*s.key+4:]
	if fromClient {
		key, iv = b[:s.key], b[2*s.key:2*s.key+4]
	}
	return newRecordKeys(key, iv, nil)
}

// prf is P_hash of RFC 5246, section 5; seed begins with the label.
func (s tlsSuite) prf(secret, seed []byte, n int) []byte {
	mac := hmac.New(s.hash, secret)
	sum := func(parts ...[]byte) []byte {
		mac.Reset()
		for _, p := range parts {
			mac.Write(p)
		}
		return mac.Sum(nil)
	}
	var out []byte
	for a := sum(seed); len(out) < n; a = sum(a) {
		out = append(out, sum(a, seed)...)
	}
	return out[:n]
}

// open13 opens the body of a record of TLS 1.3 into dst; the sequence number goes on
// only if it does (RFC 8446, section 5.2).
func (k *recordKeys) open13(dst, header, body []byte) ([]byte, bool) {
	copy(k.nonce[:], k.iv)
	binary.BigEndian.PutUint64(k.nonce[4:], binary.BigEndian.Uint64(k.iv[4:])^k.seq)
	p, err := k.aead.Open(dst, k.nonce[:], body, header)
	if err != nil {
		return nil, false
	}
	k.seq++
	return p, true
}

// open12 is open13 for TLS 1.2 (RFC 5288, section 3).
func (k *recordKeys) open12(dst, header, body []byte) ([]byte, bool) {
	if len(body) < 8+k.aead.Overhead() {
		return nil, false
	}
	copy(k.nonce[:], k.iv)
	copy(k.nonce[4:], body[:8])
	binary.BigEndian.PutUint64(k.aad[:], k.seq)
	copy(k.aad[8:], header[:3])
	binary.BigEndian.PutUint16(k.aad[11:], uint16(len(body)-8-k.aead.Overhead()))
	p, err := k.aead.Open(dst, k.nonce[:], body[8:], k.aad[:])
	if err != nil {
		return nil, false
	}
	k.seq++
	return p, true
}
