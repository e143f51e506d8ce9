package packets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/boomnet-go/boomnet/capture/pcapng"
)

// Errors of Decode.
var (
	// ErrNotTCP says that a packet is sound as far as it was looked at, and carries
	// something else than TCP.
	ErrNotTCP = errors.New("packets: not TCP")
	// ErrFragment says that it is a fragment of an IP packet; these are not put together.
	ErrFragment = errors.New("packets: IP fragment")
	// ErrPacket says that its headers are wrong, or cut.
	ErrPacket = errors.New("packets: malformed packet")
	// ErrLink says that packets of that link are not known here.
	ErrLink = errors.New("packets: unknown link type")
)

// Packet is a TCP segment.
type Packet struct {
	Src, Dst           netip.AddrPort
	Seq, Ack           uint32
	SYN, ACK, FIN, RST bool
	Payload            []byte // a view of what was decoded
	Cut                int    // bytes of payload that were not captured (snap length)
}

// IP protocol numbers and EtherTypes.
const (
	protoTCP   = 6
	etherIPv4  = 0x0800
	etherIPv6  = 0x86dd
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	maxVLANs   = 4
	maxHeaders = 16 // extension headers of IPv6
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrPacket, fmt.Sprintf(format, args...))
}

// Decode finds the TCP segment in a packet of a link, by its number (pcapng.Link…). It
// does not allocate unless it fails.
func Decode(link uint16, b []byte) (p Packet, err error) {
	be := binary.BigEndian
	var kind uint16
	switch link {
	case pcapng.LinkRaw, pcapng.LinkIPv4, pcapng.LinkIPv6:
	case pcapng.LinkNull, pcapng.LinkLoop:
		if len(b) < 4 {
			return p, malformed("link header of %d bytes, it has 4", len(b))
		}
		b = b[4:]
	case pcapng.LinkEthernet:
		if len(b) < 14 {
			return p, malformed("Ethernet header of %d bytes, it has 14", len(b))
		}
		kind, b = be.Uint16(b[12:]), b[14:]
	case pcapng.LinkSLL:
		if len(b) < 16 {
			return p, malformed("Linux cooked header of %d bytes, it has 16", len(b))
		}
		kind, b = be.Uint16(b[14:]), b[16:]
	case pcapng.LinkSLL2:
		if len(b) < 20 {
			return p, malformed("Linux cooked header of %d bytes, it has 20", len(b))
		}
		kind, b = be.Uint16(b), b[20:]
	default:
		return p, fmt.Errorf("%w: %d", ErrLink, link)
	}
	for n := 0; kind == etherVLAN || kind == etherQinQ; n++ {
		if len(b) < 4 || n == maxVLANs {
			return p, malformed("VLAN tag %d in %d bytes", n+1, len(b))
		}
		kind, b = be.Uint16(b[2:]), b[4:]
	}
	if kind != 0 && kind != etherIPv4 && kind != etherIPv6 {
		return p, ErrNotTCP
	}
	if len(b) == 0 {
		return p, malformed("no IP header")
	}
	switch b[0] >> 4 {
	case 4:
		return ipv4(b)
	case 6:
		return ipv6(b)
	}
	return p, malformed("IP version %d", b[0]>>4)
}

func ipv4(b []byte) (p Packet, err error) {
	be := binary.BigEndian
	if len(b) < 20 {
		return p, malformed("IPv4 header of %d bytes, it has 20", len(b))
	}
	head, total := int(b[0]&15)*4, int(be.Uint16(b[2:]))
	if total == 0 {
		total = len(b) // segmentation was left to the NIC: longer than the field can say
	}
	if head < 20 || head > len(b) || total < head {
		return p, malformed("IPv4 header of %d bytes in a packet of %d, %d captured", head, total, len(b))
	}
	if be.Uint16(b[6:])&0x3fff != 0 { // more fragments, or an offset
		return p, ErrFragment
	}
	if b[9] != protoTCP {
		return p, ErrNotTCP
	}
	src, dst := netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	return tcp(src, dst, b[head:min(total, len(b))], total-head)
}

func ipv6(b []byte) (p Packet, err error) {
	be := binary.BigEndian
	if len(b) < 40 {
		return p, malformed("IPv6 header of %d bytes, it has 40", len(b))
	}
	src, dst := netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	next, total := b[6], int(be.Uint16(b[4:]))
	b = b[40:]
	if total == 0 {
		total = len(b)
	}
	b = b[:min(total, len(b))]
	for n := 0; next != protoTCP; n++ {
		switch next {
		case 0, 43, 60, 135: // hop by hop, routing, destination, mobility
		case 44:
			return p, ErrFragment
		default:
			return p, ErrNotTCP
		}
		if len(b) < 8 || n == maxHeaders {
			return p, malformed("extension header %d in %d bytes", n+1, len(b))
		}
		size := 8 + int(b[1])*8
		if size > len(b) {
			return p, malformed("extension header of %d bytes, %d captured", size, len(b))
		}
		next, b, total = b[0], b[size:], total-size
	}
	return tcp(src, dst, b, total)
}

// tcp decodes a segment of which size bytes were sent and b was captured.
func tcp(src, dst netip.Addr, b []byte, size int) (p Packet, err error) {
	be := binary.BigEndian
	if len(b) < 20 {
		return p, malformed("TCP header of %d bytes, it has 20", len(b))
	}
	head := int(b[12]>>4) * 4
	if head < 20 || head > size {
		return p, malformed("TCP header of %d bytes in %d", head, size)
	}
	flags := b[13]
	p = Packet{
		Src: netip.AddrPortFrom(src.Unmap(), be.Uint16(b)), Dst: netip.AddrPortFrom(dst.Unmap(), be.Uint16(b[2:])),
		Seq: be.Uint32(b[4:]), Ack: be.Uint32(b[8:]),
		FIN: flags&1 != 0, SYN: flags&2 != 0, RST: flags&4 != 0, ACK: flags&16 != 0,
	}
	if head < len(b) {
		p.Payload = b[head:]
	}
	p.Cut = size - head - len(p.Payload)
	return p, nil
}
