package pcapng

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"
)

// MaxOption is the longest value of an option in bytes: its length has 16 bits.
const MaxOption = math.MaxUint16

// Option is one option of a block: its code, whose meaning depends on the kind of
// block but for those below 2 and the custom ones, and its value without padding.
// Numbers in the values of the options that the draft defines, the enterprise
// number of a custom option among them, are little-endian, and times are
// nanoseconds, also when the file that was read had them otherwise.
type Option struct {
	Code  uint16
	Value []byte
}

// The options that every block may have. A program that rewrites a file copies
// OptCustomText and OptCustom; it drops the other two, which may not hold any more.
const (
	OptEnd              uint16 = 0 // ends the list; never among those read
	OptComment          uint16 = 1 // UTF-8
	OptCustomText       uint16 = 2988
	OptCustom           uint16 = 2989
	OptCustomTextNoCopy uint16 = 19372
	OptCustomNoCopy     uint16 = 19373
)

// The options of a section header.
const (
	OptHardware uint16 = 2 // shb_hardware, text
	OptOS       uint16 = 3 // shb_os, text
	OptUserAppl uint16 = 4 // shb_userappl, text: the program that wrote the section
)

// The options of an interface.
const (
	OptIfName        uint16 = 2  // text
	OptIfDescription uint16 = 3  // text
	OptIfIPv4        uint16 = 4  // address and mask, 4 bytes each
	OptIfIPv6        uint16 = 5  // 16 bytes of address and the prefix length
	OptIfMAC         uint16 = 6  // 6 bytes
	OptIfEUI         uint16 = 7  // 8 bytes
	OptIfSpeed       uint16 = 8  // 64 bits, bit/s
	OptIfTSResol     uint16 = 9  // 8 bits; AppendInterface writes its own
	OptIfTZone       uint16 = 10 // 32 bits, obsolete
	OptIfFilter      uint16 = 11 // a code (0: text of libpcap) and the filter
	OptIfOS          uint16 = 12 // text
	OptIfFCSLen      uint16 = 13 // 8 bits
	OptIfTSOffset    uint16 = 14 // 64 bits, seconds; AppendInterface leaves it out
	OptIfHardware    uint16 = 15 // text
	OptIfTxSpeed     uint16 = 16 // 64 bits, bit/s
	OptIfRxSpeed     uint16 = 17 // 64 bits, bit/s
	OptIfIANATZName  uint16 = 18 // text
	OptIfTSOffsetNS  uint16 = 19 // 32 bits, nanoseconds; AppendInterface leaves it out
)

// The options of a packet.
const (
	OptPacketFlags     uint16 = 2 // epb_flags, 32 bits, see FlagInbound
	OptPacketHash      uint16 = 3 // epb_hash, a code and the hash
	OptPacketDropCount uint16 = 4 // epb_dropcount, 64 bits: packets lost since the one before
	OptPacketID        uint16 = 5 // epb_packetid, 64 bits
	OptPacketQueue     uint16 = 6 // epb_queue, 32 bits
	OptPacketVerdict   uint16 = 7 // epb_verdict, a code and the verdict
	OptPacketProcess   uint16 = 8 // epb_processid_threadid, 32 bits each
)

// The direction of a packet, the two lowest bits of OptPacketFlags.
const (
	FlagInbound  uint32 = 1
	FlagOutbound uint32 = 2
)

// The options of a name resolution block: the server that was asked.
const (
	OptNameServer     uint16 = 2 // ns_dnsname, text
	OptNameServerIPv4 uint16 = 3 // 4 bytes
	OptNameServerIPv6 uint16 = 4 // 16 bytes
)

// The options of interface statistics; counts are 64 bits and begin with the capture.
// The two times are in the interface's unit, by the draft; dumpcap 4.0 was seen to
// write microseconds on an interface of nanoseconds, which gives times in 1970.
const (
	OptStatsStart    uint16 = 2 // isb_starttime, see Time
	OptStatsEnd      uint16 = 3 // isb_endtime
	OptStatsReceived uint16 = 4 // isb_ifrecv
	OptStatsDropped  uint16 = 5 // isb_ifdrop, by the interface
	OptStatsAccepted uint16 = 6 // isb_filteraccept
	OptStatsOSDrop   uint16 = 7 // isb_osdrop, by the system
	OptStatsDeliver  uint16 = 8 // isb_usrdeliv
)

// Text is an option whose value is s, cut at a rune's boundary to MaxOption bytes.
// Bytes that are not UTF-8 become U+FFFD. It allocates.
func Text(code uint16, s string) Option {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > MaxOption {
		n := MaxOption
		for !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return Option{Code: code, Value: []byte(s)}
}

// Comment is a comment, which may stand on any block and any number of times; it
// is cut like a [Text]. Lines end with "\n".
func Comment(text string) Option { return Text(OptComment, text) }

// Uint32 is an option whose value is a number of 32 bits.
func Uint32(code uint16, v uint32) Option {
	return Option{Code: code, Value: binary.LittleEndian.AppendUint32(nil, v)}
}

// Uint64 is an option whose value is a number of 64 bits.
func Uint64(code uint16, v uint64) Option {
	return Option{Code: code, Value: binary.LittleEndian.AppendUint64(nil, v)}
}

// Time is an option whose value is a time in nanoseconds since 1970 UTC, which
// OptStatsStart and OptStatsEnd are; a time before that becomes 0.
func Time(code uint16, ns int64) Option {
	return Option{Code: code, Value: appendTime(nil, ns)}
}

// Custom is the custom option OptCustom of an enterprise: pen is its Private
// Enterprise Number of the IANA registry, data are bytes of its own, at most
// MaxOption-4. It copies data. Who must not allocate builds the value himself: pen,
// little-endian in 4 bytes, then the data.
func Custom(pen uint32, data []byte) Option {
	v := make([]byte, 0, 4+len(data))
	return Option{Code: OptCustom, Value: append(binary.LittleEndian.AppendUint32(v, pen), data...)}
}

// CustomData returns the data of a custom option, of any of the four codes, when
// it is one of this enterprise. They alias the option's value.
func CustomData(o Option, pen uint32) ([]byte, bool) {
	if !isCustom(o.Code) || len(o.Value) < 4 || binary.LittleEndian.Uint32(o.Value) != pen {
		return nil, false
	}
	return o.Value[4:], true
}

func isCustom(code uint16) bool {
	switch code {
	case OptCustomText, OptCustom, OptCustomTextNoCopy, OptCustomNoCopy:
		return true
	}
	return false
}

// Find returns the first option of that code.
func Find(options []Option, code uint16) (Option, bool) {
	for _, o := range options {
		if o.Code == code {
			return o, true
		}
	}
	return Option{}, false
}

// Text returns the value as text: up to the first zero byte, which ends a string
// by the draft. It allocates.
func (o Option) Text() string {
	s, _, _ := strings.Cut(string(o.Value), "\x00")
	return s
}

// Uint returns the value as a number; ok is false when it is none of 1, 2, 4 or 8
// bytes.
func (o Option) Uint() (v uint64, ok bool) {
	switch len(o.Value) {
	case 1:
		return uint64(o.Value[0]), true
	case 2:
		return uint64(binary.LittleEndian.Uint16(o.Value)), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(o.Value)), true
	case 8:
		return binary.LittleEndian.Uint64(o.Value), true
	}
	return 0, false
}

// Time returns the value as a time in nanoseconds since 1970 UTC, for the options
// that [Time] makes.
func (o Option) Time() (ns int64, ok bool) {
	if len(o.Value) != 8 {
		return 0, false
	}
	high, low := binary.LittleEndian.Uint32(o.Value), binary.LittleEndian.Uint32(o.Value[4:])
	return nanoseconds(uint64(high)<<32|uint64(low), nanoResolution, 0, 0), true
}
