package pcapng

import (
	"encoding/binary"
	"math/bits"
)

// order is a byte order. It is a bool and no binary.ByteOrder, whose methods would
// be called through an interface for every number.
type order bool

const (
	littleEndian order = false
	bigEndian    order = true
)

func (o order) uint16(p []byte) uint16 {
	v := binary.LittleEndian.Uint16(p)
	if o == bigEndian {
		v = bits.ReverseBytes16(v)
	}
	return v
}

func (o order) uint32(p []byte) uint32 {
	v := binary.LittleEndian.Uint32(p)
	if o == bigEndian {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (o order) uint64(p []byte) uint64 {
	v := binary.LittleEndian.Uint64(p)
	if o == bigEndian {
		v = bits.ReverseBytes64(v)
	}
	return v
}

// turn makes the number that is all of p little-endian.
func (o order) turn(p []byte) {
	if o == littleEndian {
		return
	}
	for i, j := 0, len(p)-1; i < j; i, j = i+1, j-1 {
		p[i], p[j] = p[j], p[i]
	}
}
