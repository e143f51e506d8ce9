package frame

import "encoding/binary"

const (
	// MaxHeaderSize is the longest header in bytes: two, a 64-bit length and
	// a mask key. A server's frame has no key and at most ten.
	MaxHeaderSize = 14
	// MaxControlPayload is the longest payload of a control frame in bytes.
	// Section 5.5: "All control frames MUST have a payload length of 125 bytes
	// or less and MUST NOT be fragmented."
	MaxControlPayload = 125
)

const (
	finBit  = 0x80
	maskBit = 0x80
	len16   = 126 // the length is in the next two bytes
	len64   = 127 // the length is in the next eight bytes
)

// Header is a frame without its payload.
type Header struct {
	// Fin is set on the last, or only, frame of a message.
	Fin bool
	// Rsv holds the three reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1.
	Rsv byte
	// Opcode is the kind of the frame; of a message's later frames, Continuation.
	Opcode Opcode
	// Masked says that the payload is XORed with Key; clients must, servers must not.
	Masked bool
	Key    [4]byte
	// Length of the payload in bytes, below 1<<63. It is the peer's word:
	// compare it as a uint64 with a limit before converting it to anything.
	Length uint64
}

// ParseHeader reads the header at the start of p and returns its size n, at most
// MaxHeaderSize. n == 0 with a nil error asks for more bytes. err is an [Error]:
// ErrReservedOpcode, ErrControlFragmented, ErrControlTooLong,
// ErrLengthNotMinimal or ErrLengthTopBit; h then holds the fields of the first
// two bytes. Whether Masked and Rsv are in order is for the caller to decide.
// It does not allocate and keeps nothing of p.
func ParseHeader(p []byte) (h Header, n int, err error) {
	if len(p) < 2 {
		return h, 0, nil
	}
	b0, b1 := p[0], p[1]
	h.Fin = b0&finBit != 0
	h.Rsv = b0 >> 4 & 7
	h.Opcode = Opcode(b0 & 0xF)
	h.Masked = b1&maskBit != 0
	h.Length = uint64(b1 &^ maskBit)
	// 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail
	// the WebSocket Connection_."
	if h.Opcode.IsReserved() {
		return h, 0, ErrReservedOpcode
	}
	if h.Opcode.IsControl() {
		// 5.5: "All control frames MUST have a payload length of 125 bytes or
		// less and MUST NOT be fragmented."
		if !h.Fin {
			return h, 0, ErrControlFragmented
		}
		if h.Length > MaxControlPayload {
			return h, 0, ErrControlTooLong
		}
	}
	n = 2
	switch h.Length {
	case len16:
		if len(p) < 4 {
			return h, 0, nil
		}
		h.Length = uint64(binary.BigEndian.Uint16(p[2:]))
		n = 4
		// 5.2: "in all cases, the minimal number of bytes MUST be used to encode
		// the length".
		if h.Length < len16 {
			return h, 0, ErrLengthNotMinimal
		}
	case len64:
		if len(p) < 10 {
			return h, 0, nil
		}
		h.Length = binary.BigEndian.Uint64(p[2:])
		n = 10
		// 5.2: "the following 8 bytes interpreted as a 64-bit unsigned integer
		// (the most significant bit MUST be 0)".
		if h.Length>>63 != 0 {
			return h, 0, ErrLengthTopBit
		}
		if h.Length>>16 == 0 {
			return h, 0, ErrLengthNotMinimal
		}
	}
	if h.Masked {
		if len(p) < n+4 {
			return h, 0, nil
		}
		copy(h.Key[:], p[n:])
		n += 4
	}
	return h, n, nil
}

// AppendHeader appends h in wire format, with the shortest form of its length,
// and returns the extended slice; at most MaxHeaderSize bytes. It writes what it
// is given: the rules are checked by ParseHeader only.
func AppendHeader(dst []byte, h Header) []byte {
	b0 := h.Rsv&7<<4 | byte(h.Opcode)&0xF
	if h.Fin {
		b0 |= finBit
	}
	var mask byte
	if h.Masked {
		mask = maskBit
	}
	switch {
	case h.Length < len16:
		dst = append(dst, b0, mask|byte(h.Length))
	case h.Length>>16 == 0:
		dst = append(dst, b0, mask|len16, byte(h.Length>>8), byte(h.Length))
	default:
		dst = append(dst, b0, mask|len64)
		dst = binary.BigEndian.AppendUint64(dst, h.Length)
	}
	if h.Masked {
		dst = append(dst, h.Key[0], h.Key[1], h.Key[2], h.Key[3])
	}
	return dst
}
