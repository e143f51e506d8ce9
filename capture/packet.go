package capture

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

const (
	// maxChunk is the most data in one packet: an IPv4 packet has 65,535 bytes at most.
	maxChunk = 65_000
	// mss is what both sides announce.
	mss = 65_000
	// window is announced by all, times 2^windowShift: nobody waits for room.
	window      = 65_535
	windowShift = 14
)

// The flags of TCP, RFC 9293 section 3.1.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// segment is one TCP segment that never was: it stands for what a stream carried.
type segment struct {
	from, to netip.AddrPort // both IPv4 or both IPv6
	seq, ack uint32
	flags    byte
	payload  []byte
}

// appendPacket appends s as an IP packet with right checksums.
func appendPacket(dst []byte, s *segment) []byte {
	be := binary.BigEndian
	head := 20
	if s.flags&flagSYN != 0 {
		head = 28
	}
	length := head + len(s.payload)
	var sum uint64 // of the pseudo header, as 16-bit words
	if s.from.Addr().Is4() {
		src, dest := s.from.Addr().As4(), s.to.Addr().As4()
		ip := len(dst)
		dst = append(dst, 0x45, 0)
		dst = be.AppendUint16(dst, uint16(20+length))
		dst = append(dst, 0, 0, 0x40, 0, 64, 6, 0, 0) // don't fragment, 64 hops, TCP
		dst = append(append(dst, src[:]...), dest[:]...)
		be.PutUint16(dst[ip+10:], checksum(dst[ip:], 0))
		sum = sumWords(src[:], sumWords(dest[:], 0))
	} else {
		src, dest := s.from.Addr().As16(), s.to.Addr().As16()
		dst = append(dst, 0x60, 0, 0, 0)
		dst = be.AppendUint16(dst, uint16(length))
		dst = append(dst, 6, 64)
		dst = append(append(dst, src[:]...), dest[:]...)
		sum = sumWords(src[:], sumWords(dest[:], 0))
	}
	tcp := len(dst)
	dst = be.AppendUint16(dst, s.from.Port())
	dst = be.AppendUint16(dst, s.to.Port())
	dst = be.AppendUint32(dst, s.seq)
	ack := s.ack
	if s.flags&flagACK == 0 {
		ack = 0
	}
	dst = be.AppendUint32(dst, ack)
	dst = append(dst, byte(head/4)<<4, s.flags)
	dst = be.AppendUint16(dst, window)
	dst = append(dst, 0, 0, 0, 0) // checksum, urgent pointer
	if s.flags&flagSYN != 0 {
		dst = append(dst, 2, 4, mss>>8, mss&0xff, 1, 3, 3, windowShift)
	}
	dst = append(dst, s.payload...)
	be.PutUint16(dst[tcp+16:], checksum(dst[tcp:], sum+uint64(length)+6))
	return dst
}

// checksum is that of RFC 1071, of b and what was summed before.
func checksum(b []byte, sum uint64) uint16 {
	sum = sumWords(b, sum)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// sumWords adds b to sum, eight bytes at a time: a sum of wider words, folded, is
// the sum of the narrow ones.
func sumWords(b []byte, sum uint64) uint64 {
	var carry uint64
	for ; len(b) >= 8; b = b[8:] {
		sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(b), carry)
	}
	var last [8]byte
	copy(last[:], b)
	sum, carry = bits.Add64(sum, binary.BigEndian.Uint64(last[:]), carry)
	return sum>>32 + sum&0xffffffff + carry // 2^64 is 1 modulo 2^16-1, as 2^32 is
}
