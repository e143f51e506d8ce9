package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// wrong is what parsing found, without where.
func wrong(format string, args ...any) error {
	return &Error{Err: ErrBlock, Detail: fmt.Sprintf(format, args...)}
}

func typeName(typ uint32) string {
	switch typ {
	case TypeSection:
		return "section header"
	case TypeInterface:
		return "interface"
	case TypePacket:
		return "packet (obsolete)"
	case TypeSimplePacket:
		return "simple packet"
	case TypeNames:
		return "name resolution"
	case TypeStats:
		return "interface statistics"
	case TypeEnhancedPacket:
		return "enhanced packet"
	case TypeSecrets:
		return "decryption secrets"
	case TypeCustom, TypeCustomNoCopy:
		return "custom block"
	}
	return fmt.Sprintf("block of type %#x", typ)
}

// fixed is how long the part of a body is that every block of its type has.
func fixed(typ uint32) int {
	switch typ {
	case TypeSection:
		return 16
	case TypeInterface, TypeSecrets:
		return 8
	case TypePacket, TypeEnhancedPacket:
		return 20
	case TypeStats:
		return 12
	case TypeSimplePacket, TypeNames, TypeCustom, TypeCustomNoCopy:
		return 4
	}
	return 0
}

// parse reads a block's body, of a length that is a multiple of 4, into b.
func (r *Reader) parse(b *Block, body []byte) error {
	var err error
	if need := fixed(b.Type); len(body) < need {
		err = wrong("length %d, at least %d", b.Size, need+minBlock)
	} else {
		err = r.parseBody(b, body)
	}
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		e.Offset, e.Whole = b.Offset, r.whole
		e.Detail = typeName(b.Type) + ": " + e.Detail
	}
	return err
}

func (r *Reader) parseBody(b *Block, body []byte) (err error) {
	switch b.Type {
	case TypeSection:
		b.Kind, b.Section = KindSection, &r.section
		return r.parseSection(body)
	case TypeInterface:
		b.Kind = KindInterface
		b.Interface, err = r.parseInterface(body, int(b.Size))
		return err
	case TypeEnhancedPacket:
		b.Kind, b.Packet = KindPacket, &r.packet
		return r.parsePacket(body)
	case TypePacket:
		b.Kind, b.Packet = KindPacket, &r.packet
		return r.parseObsoletePacket(body)
	case TypeSimplePacket:
		b.Kind, b.Packet = KindPacket, &r.packet
		return r.parseSimplePacket(body)
	case TypeNames:
		b.Kind, b.Names = KindNames, &r.names
		return r.parseNames(body)
	case TypeStats:
		b.Kind, b.Stats = KindStats, &r.stats
		return r.parseStats(body)
	case TypeSecrets:
		b.Kind, b.Secrets = KindSecrets, &r.secrets
		return r.parseSecrets(body)
	case TypeCustom, TypeCustomNoCopy:
		b.Kind, b.Custom = KindCustom, &r.custom
		r.custom = CustomBlock{PEN: r.order.uint32(body), Data: body[4:], Copy: b.Type == TypeCustom}
	default:
		b.Kind, b.Unknown = KindUnknown, &r.unknown
		r.unknown = Unknown{Type: b.Type, Data: body}
	}
	return nil
}

func (r *Reader) parseSection(body []byte) (err error) {
	clear(r.interfaces) // what it had pointed to may go
	r.interfaces, r.interfaceBytes, r.interfaceOptions = r.interfaces[:0], 0, 0
	r.section = Section{
		BigEndian: r.order == bigEndian,
		Major:     r.order.uint16(body[4:]), Minor: r.order.uint16(body[6:]),
		Length: int64(r.order.uint64(body[8:])),
	}
	if r.skipping = r.section.Major != 1; r.skipping {
		return &Error{Err: ErrVersion, Detail: fmt.Sprintf("version %d.%d, and 1 is known", r.section.Major, r.section.Minor)}
	}
	r.section.Options, err = r.parseOptions(body[16:], nil, nil)
	return err
}

func (r *Reader) parseInterface(body []byte, size int) (*Interface, error) {
	options, err := r.parseOptions(body[8:], interfaceNumbers, nil)
	// An interface that is wrong takes its number even so: else the packets of those
	// behind it would be another's.
	i := &Interface{LinkType: r.order.uint16(body), SnapLen: r.order.uint32(body[4:]), Resolution: microResolution}
	r.interfaceBytes += size
	r.interfaceOptions += len(options)
	switch {
	case len(r.interfaces) == MaxInterfaces:
		return nil, &Error{Err: ErrLimit, Detail: fmt.Sprintf("the section has more than %d", MaxInterfaces)}
	case r.interfaceBytes > r.maxBlock:
		return nil, &Error{Err: ErrLimit, Detail: fmt.Sprintf("those of the section have more than %d bytes together", r.maxBlock)}
	case r.interfaceOptions > MaxOptions:
		return nil, &Error{Err: ErrLimit, Detail: fmt.Sprintf("those of the section have more than %d options together", MaxOptions)}
	}
	r.interfaces = append(r.interfaces, i)
	if err != nil {
		return nil, err
	}
	return i, i.keep(options)
}

// keep copies the options, which the interface has longer than the buffer, and
// reads those that matter here.
func (i *Interface) keep(options []Option) error {
	if len(options) > 0 {
		i.Options = make([]Option, len(options))
	}
	for k, o := range options {
		o.Value = bytes.Clone(o.Value)
		i.Options[k] = o
		if need := timeOption(o.Code); need > 0 && len(o.Value) != need {
			return wrong("option %d has %d bytes, not %d", o.Code, len(o.Value), need)
		}
		switch v, _ := o.Uint(); o.Code {
		case OptIfName:
			i.Name = o.Text()
		case OptIfTSResol:
			i.Resolution = uint8(v)
		case OptIfTSOffset:
			i.Offset = int64(v)
		case OptIfTSOffsetNS:
			i.OffsetNS = int32(v)
			if i.OffsetNS <= -second || i.OffsetNS >= second {
				return wrong("if_tsoffset_ns is %d, not within a second", i.OffsetNS)
			}
		}
	}
	return nil
}

// interfaceOf returns the interface to which a block refers.
func (r *Reader) interfaceOf(n uint32) (*Interface, error) {
	i, ok := r.Interface(n)
	if !ok {
		return nil, wrong("it is of interface %d, and the section has %d so far", n, len(r.interfaces))
	}
	return i, nil
}

// time reads a time of an interface, two words.
func (r *Reader) time(i *Interface, p []byte) int64 {
	return i.nanoseconds(uint64(r.order.uint32(p))<<32 | uint64(r.order.uint32(p[4:])))
}

func (i *Interface) nanoseconds(units uint64) int64 {
	return nanoseconds(units, i.Resolution, i.Offset, i.OffsetNS)
}

// cut returns the first n bytes of p and what is behind their padding.
func cut(p []byte, n uint32, what string) (data, rest []byte, err error) {
	if uint64(n) > uint64(len(p)) {
		return nil, nil, wrong("%d bytes of %s, and %d are left in the block", n, what, len(p))
	}
	return p[:n:n], p[padded(int(n)):], nil // p's length is a multiple of 4
}

func (r *Reader) parsePacket(body []byte) (err error) {
	p := &r.packet
	*p = Packet{Interface: r.order.uint32(body), Length: r.order.uint32(body[16:])}
	i, err := r.interfaceOf(p.Interface)
	if err != nil {
		return err
	}
	p.Time = r.time(i, body[4:])
	var rest []byte
	if p.Data, rest, err = cut(body[20:], r.order.uint32(body[12:]), "data"); err != nil {
		return err
	}
	p.Options, err = r.parseOptions(rest, packetNumbers, nil)
	return err
}

// parseObsoletePacket reads what files had before there were enhanced packet
// blocks, appendix A. The count of packets lost becomes an option.
func (r *Reader) parseObsoletePacket(body []byte) (err error) {
	p, lost := &r.packet, r.order.uint16(body[2:])
	*p = Packet{Interface: uint32(r.order.uint16(body)), Length: r.order.uint32(body[16:])}
	i, err := r.interfaceOf(p.Interface)
	if err != nil {
		return err
	}
	p.Time = r.time(i, body[4:])
	var rest []byte
	if p.Data, rest, err = cut(body[20:], r.order.uint32(body[12:]), "data"); err != nil {
		return err
	}
	if p.Options, err = r.parseOptions(rest, packetNumbers, nil); err != nil {
		return err
	}
	if lost != 0 && lost != math.MaxUint16 { // not known
		binary.LittleEndian.PutUint64(r.dropped[:], uint64(lost))
		r.options = append(r.options, Option{Code: OptPacketDropCount, Value: r.dropped[:]})
		p.Options = r.options
	}
	return nil
}

func (r *Reader) parseSimplePacket(body []byte) error {
	i, err := r.interfaceOf(0)
	if err != nil {
		return err
	}
	n := r.order.uint32(body)
	r.packet = Packet{Length: n}
	if i.SnapLen != 0 {
		n = min(n, i.SnapLen)
	}
	r.packet.Data, _, err = cut(body[4:], n, "data")
	return err
}

func (r *Reader) parseNames(body []byte) (err error) {
	r.names, r.records = Names{}, r.records[:0]
	for len(body) > 0 {
		var typ uint16
		var value []byte
		if typ, value, body, err = r.tlv(body, "record"); err != nil {
			return err
		}
		if typ == NameEnd {
			break
		}
		if len(r.records) == MaxOptions {
			return wrong("more than %d records", MaxOptions)
		}
		rec := NameRecord{Type: typ, Value: value}
		if n := rec.addrLen(); n > len(value) {
			return wrong("a record of type %d has %d bytes, and its address %d", typ, len(value), n)
		}
		r.records = append(r.records, rec)
	}
	r.names.Records = r.records
	r.names.Options, err = r.parseOptions(body, nil, nil)
	return err
}

func (r *Reader) parseStats(body []byte) error {
	r.stats = Stats{Interface: r.order.uint32(body)}
	i, err := r.interfaceOf(r.stats.Interface)
	if err != nil {
		return err
	}
	r.stats.Time = r.time(i, body[4:])
	r.stats.Options, err = r.parseOptions(body[12:], statsNumbers, i)
	return err
}

func (r *Reader) parseSecrets(body []byte) (err error) {
	r.secrets = Secrets{Type: r.order.uint32(body)}
	var rest []byte
	if r.secrets.Data, rest, err = cut(body[8:], r.order.uint32(body[4:]), "secrets"); err != nil {
		return err
	}
	r.secrets.Options, err = r.parseOptions(rest, nil, nil)
	return err
}
