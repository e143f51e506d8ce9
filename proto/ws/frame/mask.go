package frame

import (
	"encoding/binary"
	"math/bits"
)

// Mask XORs p with key in place, section 5.3. offset is the position of p[0] in
// the payload, so that a payload may be masked in pieces; masking twice restores
// it. It does not allocate.
func Mask(p []byte, key [4]byte, offset int) { MaskCopy(p, p, key, offset) }

// MaskCopy is Mask from src into dst in one pass; src keeps its bytes. dst must
// be at least as long as src and either the same memory or not overlap it.
func MaskCopy(dst, src []byte, key [4]byte, offset int) {
	// 5.3: "Octet i of the transformed data […] is the XOR of octet i of the
	// original data […] with octet at index i modulo 4 of the masking key".
	k32 := bits.RotateLeft32(binary.LittleEndian.Uint32(key[:]), -8*(offset&3))
	dst = dst[:len(src)]
	if k32 == 0 {
		copy(dst, src)
		return
	}
	k := uint64(k32)<<32 | uint64(k32)
	for len(src) >= 32 {
		s, d := src[:32], dst[:32]
		a := binary.LittleEndian.Uint64(s) ^ k
		b := binary.LittleEndian.Uint64(s[8:]) ^ k
		c := binary.LittleEndian.Uint64(s[16:]) ^ k
		e := binary.LittleEndian.Uint64(s[24:]) ^ k
		binary.LittleEndian.PutUint64(d, a)
		binary.LittleEndian.PutUint64(d[8:], b)
		binary.LittleEndian.PutUint64(d[16:], c)
		binary.LittleEndian.PutUint64(d[24:], e)
		src, dst = src[32:], dst[32:]
	}
	for len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^k)
		src, dst = src[8:], dst[8:]
	}
	for i := range src {
		dst[i] = src[i] ^ byte(k>>(8*i))
	}
}
