package pcapng

import (
	"encoding/binary"
	"fmt"
)

const (
	byteOrderMagic = 0x1A2B3C4D
	headerSize     = 8  // type and length
	minBlock       = 12 // and the length again
)

var padding [3]byte

// padded rounds up to a multiple of 4.
func padded(n int) int { return (n + 3) &^ 3 }

// begin appends a block's header, whose length end writes.
func begin(dst []byte, typ uint32) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, typ)
	return append(dst, 0, 0, 0, 0)
}

// end ends the block that begins at from.
func end(dst []byte, from int) []byte {
	size := uint32(len(dst) - from + 4)
	binary.LittleEndian.PutUint32(dst[from+4:], size)
	return binary.LittleEndian.AppendUint32(dst, size)
}

func appendPadded[T []byte | string](dst []byte, p T) []byte {
	dst = append(dst, p...)
	return append(dst, padding[:padded(len(p))-len(p)]...)
}

// appendTLV appends an option or a name record.
func appendTLV[T []byte | string](dst []byte, code uint16, value T) []byte {
	if len(value) > MaxOption {
		panic(fmt.Sprintf("pcapng: the value of option or record %d has %d bytes, at most %d fit", code, len(value), MaxOption))
	}
	dst = binary.LittleEndian.AppendUint16(dst, code)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(value)))
	return appendPadded(dst, value)
}

// appendOptions appends a list and its end; a list of none is left out.
func appendOptions(dst []byte, options []Option) []byte {
	from := len(dst)
	for _, o := range options {
		if o.Code != OptEnd {
			dst = appendTLV(dst, o.Code, o.Value)
		}
	}
	if len(dst) == from {
		return dst
	}
	return appendTLV(dst, OptEnd, "")
}

// appendTime appends a time as two words, the high one first.
func appendTime(dst []byte, ns int64) []byte {
	t := uint64(max(ns, 0))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(t>>32))
	return binary.LittleEndian.AppendUint32(dst, uint32(t))
}

// AppendSection appends a section header: what follows belongs to this section,
// and its interfaces are numbered from 0.
func AppendSection(dst []byte, s *Section) []byte {
	from := len(dst)
	dst = begin(dst, TypeSection)
	dst = binary.LittleEndian.AppendUint32(dst, byteOrderMagic)
	dst = binary.LittleEndian.AppendUint16(dst, 1)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, ^uint64(0)) // length not known
	dst = appendOptions(dst, s.Options)
	return end(dst, from)
}

// AppendInterface appends an interface whose times are nanoseconds: if_tsresol is
// 9 and there is no if_tsoffset, whatever is among the options.
func AppendInterface(dst []byte, i *Interface) []byte {
	from := len(dst)
	dst = begin(dst, TypeInterface)
	dst = binary.LittleEndian.AppendUint16(dst, i.LinkType)
	dst = binary.LittleEndian.AppendUint16(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, i.SnapLen)
	if i.Name != "" {
		dst = appendTLV(dst, OptIfName, i.Name)
	}
	dst = append(dst, byte(OptIfTSResol), 0, 1, 0, nanoResolution, 0, 0, 0)
	for _, o := range i.Options {
		switch o.Code {
		case OptEnd, OptIfTSResol, OptIfTSOffset, OptIfTSOffsetNS:
			continue
		case OptIfName:
			if i.Name != "" {
				continue
			}
		}
		dst = appendTLV(dst, o.Code, o.Value)
	}
	dst = appendTLV(dst, OptEnd, "")
	return end(dst, from)
}

// AppendPacket appends an enhanced packet block. A Length less than the data's is
// written as theirs, a Time before 1970 as 0.
func AppendPacket(dst []byte, p *Packet) []byte {
	from := len(dst)
	dst = begin(dst, TypeEnhancedPacket)
	dst = binary.LittleEndian.AppendUint32(dst, p.Interface)
	dst = appendTime(dst, p.Time)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(p.Data)))
	dst = binary.LittleEndian.AppendUint32(dst, max(p.Length, uint32(len(p.Data))))
	dst = appendPadded(dst, p.Data)
	dst = appendOptions(dst, p.Options)
	return end(dst, from)
}

// AppendSecrets appends a decryption secrets block. It goes before the packets
// that it decrypts.
func AppendSecrets(dst []byte, s *Secrets) []byte {
	from := len(dst)
	dst = begin(dst, TypeSecrets)
	dst = binary.LittleEndian.AppendUint32(dst, s.Type)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(s.Data)))
	dst = appendPadded(dst, s.Data)
	dst = appendOptions(dst, s.Options)
	return end(dst, from)
}

// AppendNames appends a name resolution block.
func AppendNames(dst []byte, n *Names) []byte {
	from := len(dst)
	dst = begin(dst, TypeNames)
	for _, r := range n.Records {
		if r.Type != NameEnd {
			dst = appendTLV(dst, r.Type, r.Value)
		}
	}
	dst = appendTLV(dst, NameEnd, "")
	dst = appendOptions(dst, n.Options)
	return end(dst, from)
}

// AppendStats appends an interface statistics block. A Time before 1970 is written
// as 0.
func AppendStats(dst []byte, s *Stats) []byte {
	from := len(dst)
	dst = begin(dst, TypeStats)
	dst = binary.LittleEndian.AppendUint32(dst, s.Interface)
	dst = appendTime(dst, s.Time)
	dst = appendOptions(dst, s.Options)
	return end(dst, from)
}

// AppendCustom appends a custom block, its data padded with zeros to 4 bytes.
func AppendCustom(dst []byte, c *CustomBlock) []byte {
	from := len(dst)
	typ := TypeCustomNoCopy
	if c.Copy {
		typ = TypeCustom
	}
	dst = begin(dst, typ)
	dst = binary.LittleEndian.AppendUint32(dst, c.PEN)
	dst = appendPadded(dst, c.Data)
	return end(dst, from)
}

// AppendUnknown appends a block of any type, its data padded with zeros to 4 bytes.
func AppendUnknown(dst []byte, u *Unknown) []byte {
	from := len(dst)
	dst = begin(dst, u.Type)
	dst = appendPadded(dst, u.Data)
	return end(dst, from)
}
