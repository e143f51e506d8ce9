package pcapng

import "encoding/binary"

const (
	classicHeaderSize = 24
	classicRecordSize = 16
)

// classic is what the header of a classic pcap tells, draft-ietf-opsawg-pcap.
//
//	0  magic          8  thiszone, sigfigs (unused)
//	4  version 2.4   16  snaplen     20  link type in the low 16 bits
//
// A record is seconds, fraction, captured length, original length, and the data,
// not padded.
type classic struct {
	order  order
	unit   int64 // of the fraction in nanoseconds
	header bool  // has been handed out
}

// classicOf returns nil when the input does not begin like a classic pcap.
func classicOf(head []byte) *classic {
	if len(head) < 4 {
		return nil
	}
	switch binary.LittleEndian.Uint32(head) {
	case 0xA1B2C3D4:
		return &classic{order: littleEndian, unit: 1000}
	case 0xD4C3B2A1:
		return &classic{order: bigEndian, unit: 1000}
	case 0xA1B23C4D:
		return &classic{order: littleEndian, unit: 1}
	case 0x4D3CB2A1:
		return &classic{order: bigEndian, unit: 1}
	}
	return nil
}

// classicHeader reads the header. It is consumed by the first Next.
func (r *Reader) classicHeader() error {
	if ok, err := r.fill(classicHeaderSize); err != nil || !ok {
		return r.ended(err, classicHeaderSize, "the header of a pcap")
	}
	o, h := r.classic.order, r.buf[r.from:]
	if major, minor := o.uint16(h[4:]), o.uint16(h[6:]); major != 2 || minor != 4 {
		return r.fail(ErrVersion, "pcap version %d.%d, and 2.4 is known", major, minor)
	}
	i := &Interface{LinkType: uint16(o.uint32(h[20:])), SnapLen: o.uint32(h[16:]), Resolution: microResolution}
	if r.classic.unit == 1 {
		i.Resolution = nanoResolution
	}
	r.interfaces = append(r.interfaces, i)
	return nil
}

// nextClassic gives the header, then record by record. Nothing in a record allows
// to check its length, but for the limit of a block.
func (r *Reader) nextClassic() (Block, error) {
	c := r.classic
	b := Block{Offset: r.offset}
	if !c.header {
		c.header = true
		b.Kind, b.Interface, b.Size = KindInterface, r.interfaces[0], classicHeaderSize
		r.consume(classicHeaderSize)
		r.whole = r.offset
		return b, nil
	}
	if ok, err := r.fill(classicRecordSize); err != nil || !ok {
		return Block{}, r.ended(err, classicRecordSize, "the header of a pcap record")
	}
	if [classicRecordSize]byte(r.buf[r.from:]) == [classicRecordSize]byte{} {
		return Block{}, r.zeros(0) // no packet of no bytes in the first moment of 1970
	}
	n := c.order.uint32(r.buf[r.from+8:])
	if uint64(n)+classicRecordSize > uint64(r.maxBlock) {
		return Block{}, r.fail(ErrLimit, "pcap record: %d bytes of data, at most %d are read", n, r.maxBlock-classicRecordSize)
	}
	size := classicRecordSize + int(n)
	if ok, err := r.fill(size); err != nil || !ok {
		return Block{}, r.ended(err, size, "pcap record")
	}
	p := r.buf[r.from : r.from+size : r.from+size]
	r.packet = Packet{ // 2^32 seconds and as many microseconds are less than an int64 has
		Time:   int64(c.order.uint32(p))*second + int64(c.order.uint32(p[4:]))*c.unit,
		Length: c.order.uint32(p[12:]), Data: p[classicRecordSize:],
	}
	b.Kind, b.Packet, b.Size = KindPacket, &r.packet, int64(size)
	r.consume(size)
	r.whole = r.offset
	return b, nil
}
