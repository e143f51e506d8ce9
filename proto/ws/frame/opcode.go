package frame

import "strconv"

// Opcode is the kind of a frame, RFC 6455, section 5.2.
type Opcode byte

// The opcodes that the RFC defines. 3 to 7 are reserved for data frames and 11
// to 15 for control frames.
const (
	Continuation Opcode = 0x0
	Text         Opcode = 0x1
	Binary       Opcode = 0x2
	Close        Opcode = 0x8
	Ping         Opcode = 0x9
	Pong         Opcode = 0xA
)

// IsControl reports whether the opcode is a control frame's. Section 5.5:
// "Control frames are identified by opcodes where the most significant bit of
// the opcode is 1."
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

// defined has one bit for each opcode of section 5.2.
const defined = 1<<Continuation | 1<<Text | 1<<Binary | 1<<Close | 1<<Ping | 1<<Pong

// IsReserved reports whether the RFC gives the opcode no meaning.
func (o Opcode) IsReserved() bool { return o > 0xF || uint16(defined)>>o&1 == 0 }

func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return "opcode " + strconv.Itoa(int(o))
}
