package pcapng

import (
	"fmt"
	"net/netip"
	"strings"
)

// The types of blocks, as they stand in the file.
const (
	TypeSection        uint32 = 0x0A0D0D0A
	TypeInterface      uint32 = 1
	TypePacket         uint32 = 2 // obsolete
	TypeSimplePacket   uint32 = 3
	TypeNames          uint32 = 4
	TypeStats          uint32 = 5
	TypeEnhancedPacket uint32 = 6
	TypeSecrets        uint32 = 10
	TypeCustom         uint32 = 0x00000BAD // a rewriting program copies it
	TypeCustomNoCopy   uint32 = 0x40000BAD // and drops this one
)

// Some link types: what a packet's bytes begin with. The registry is
// draft-ietf-opsawg-pcaplinktype.
const (
	LinkNull     uint16 = 0   // BSD loopback
	LinkEthernet uint16 = 1   //
	LinkRaw      uint16 = 101 // IPv4 or IPv6
	LinkLoop     uint16 = 108 // OpenBSD loopback
	LinkSLL      uint16 = 113 // Linux "any", cooked
	LinkIPv4     uint16 = 228 //
	LinkIPv6     uint16 = 229 //
	LinkSLL2     uint16 = 276 // Linux "any", cooked, second version
)

// Kind says which of a Block's pointers is set.
type Kind uint8

// The kinds. A packet is one whichever type of block it came in.
const (
	KindSection Kind = iota + 1
	KindInterface
	KindPacket
	KindNames
	KindStats
	KindSecrets
	KindCustom
	KindUnknown
)

var kinds = [...]string{KindSection: "section", KindInterface: "interface", KindPacket: "packet", KindNames: "names",
	KindStats: "statistics", KindSecrets: "secrets", KindCustom: "custom", KindUnknown: "unknown"}

func (k Kind) String() string {
	if k == 0 || int(k) >= len(kinds) {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kinds[k]
}

// Block is one block as [Reader.Next] gives it. The pointer of its kind is set, the
// others are nil. All that it points to is the reader's and valid until the next
// call of Next; an Interface as long as its section.
type Block struct {
	Kind   Kind
	Type   uint32 // as in the file; 0 in a classic pcap
	Offset int64  // where it begins, in bytes from the begin of the input
	Size   int64  // in bytes, with its header and trailer

	Section   *Section
	Interface *Interface
	Packet    *Packet
	Names     *Names
	Stats     *Stats
	Secrets   *Secrets
	Custom    *CustomBlock
	Unknown   *Unknown
}

// Section is a section header, section 4.1 of the draft. What precedes the options
// is as read: [AppendSection] writes version 1.0, little-endian, of a length not
// known.
type Section struct {
	Options []Option

	BigEndian    bool
	Major, Minor uint16
	Length       int64 // of the section's other blocks in bytes; -1: not known
}

// Interface describes where packets were seen, section 4.2. The first of a section
// has the number 0, the next 1.
type Interface struct {
	LinkType uint16
	SnapLen  uint32 // at most so many bytes of a packet are stored; 0: no limit
	Options  []Option

	// Name is the option if_name. When it is set, AppendInterface writes it and
	// leaves out the one among Options.
	Name string
	// Resolution is if_tsresol, the unit in which the file has times: 10^-n s, or
	// 2^-(n-128) s from 128 on. 9 is nanoseconds. Times are converted when they are
	// read, and AppendInterface always writes 9.
	Resolution uint8
	// Offset is if_tsoffset in seconds, OffsetNS if_tsoffset_ns in nanoseconds;
	// reading adds both to the times. They are not written.
	Offset   int64
	OffsetNS int32
}

// Packet is a packet, sections 4.3, 4.4 and appendix A.
type Packet struct {
	Interface uint32
	Time      int64  // ns since 1970 UTC; 0 in a simple packet block, which has none
	Length    uint32 // of the packet on the network in bytes, of which Data may be a part
	Data      []byte
	Options   []Option
}

// SecretsTLS is the type of Secrets that are a TLS key log, the text that
// SSLKEYLOGFILE names (RFC 9850).
const SecretsTLS uint32 = 0x544c534b

// Secrets are keys by which the packets that follow can be decrypted, section 4.7.
type Secrets struct {
	Type    uint32
	Data    []byte
	Options []Option
}

// Names are addresses and their names, section 4.5.
type Names struct {
	Records []NameRecord
	Options []Option
}

// The types of name records.
const (
	NameEnd  uint16 = 0 // ends the list; never among those read
	NameIPv4 uint16 = 1
	NameIPv6 uint16 = 2
)

// NameRecord is one address and its names: for NameIPv4 4 bytes, for NameIPv6 16,
// then the names, each with a zero byte behind it. Make one with [Name].
type NameRecord struct {
	Type  uint16
	Value []byte
}

// Name is the record of an address, which must be valid; a zone is left out. A name
// ends at its first zero byte; names that have no room in MaxOption bytes are left
// out. It allocates.
func Name(addr netip.Addr, names ...string) NameRecord {
	addr = addr.Unmap()
	r := NameRecord{Type: NameIPv6, Value: addr.AsSlice()}
	if addr.Is4() {
		r.Type = NameIPv4
	}
	for _, name := range names {
		name, _, _ = strings.Cut(name, "\x00")
		if name != "" && len(r.Value)+len(name)+1 <= MaxOption {
			r.Value = append(append(r.Value, name...), 0)
		}
	}
	return r
}

// addrLen is the length of the address with which a record begins.
func (r NameRecord) addrLen() int {
	switch r.Type {
	case NameIPv4:
		return 4
	case NameIPv6:
		return 16
	}
	return -1
}

// Addr returns the address; ok is false in a record of another type and in one
// that is too short.
func (r NameRecord) Addr() (addr netip.Addr, ok bool) {
	n := r.addrLen()
	if n < 0 || len(r.Value) < n {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(r.Value[:n])
}

// Names returns the names. It allocates.
func (r NameRecord) Names() []string {
	n := r.addrLen()
	if n < 0 || len(r.Value) <= n {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(r.Value[n:]), "\x00"), "\x00")
}

// Stats are the counts of an interface, section 4.6; they are options,
// OptStatsReceived and the others.
type Stats struct {
	Interface uint32
	Time      int64 // ns since 1970 UTC
	Options   []Option
}

// CustomBlock is a block of an enterprise, section 4.8. The file does not say how
// long its data are but for the padding: as read they have up to three zero bytes
// more, so the data must tell their own length. They are as in the file, and may
// hold options, whose begin only the enterprise knows.
type CustomBlock struct {
	PEN  uint32
	Data []byte
	Copy bool // a program that rewrites the file copies the block
}

// Unknown is a block of a type that this package does not know. Data are all its
// body, as in the file: padded to 4 bytes and in its section's byte order.
type Unknown struct {
	Type uint32
	Data []byte
}
