package pcapng

import "encoding/binary"

// form is how a value has its numbers, which must be turned when the section is
// big-endian.
type form uint8

const (
	opaque  form = iota // text, addresses, a single byte
	word                // 32 bits
	long                // 64 bits
	words               // two of 32 bits
	verdict             // a code, then for most of them 64 bits
	stamp               // a time of the interface: two of 32 bits, the high one first
)

// The forms of options by code, for the blocks in which some are not opaque.
var (
	interfaceNumbers = []form{OptIfSpeed: long, OptIfTZone: word, OptIfTSOffset: long,
		OptIfTxSpeed: long, OptIfRxSpeed: long, OptIfTSOffsetNS: word}
	packetNumbers = []form{OptPacketFlags: word, OptPacketDropCount: long, OptPacketID: long,
		OptPacketQueue: word, OptPacketVerdict: verdict, OptPacketProcess: words}
	statsNumbers = []form{OptStatsStart: stamp, OptStatsEnd: stamp, OptStatsReceived: long, OptStatsDropped: long,
		OptStatsAccepted: long, OptStatsOSDrop: long, OptStatsDeliver: long}
)

// timeOption is the length of the options on which the times of an interface
// depend, 0 of all others.
func timeOption(code uint16) int {
	switch code {
	case OptIfTSResol:
		return 1
	case OptIfTSOffset:
		return 8
	case OptIfTSOffsetNS:
		return 4
	}
	return 0
}

// tlv reads one option or record; p's length is a multiple of 4 and not 0.
func (r *Reader) tlv(p []byte, what string) (code uint16, value, rest []byte, err error) {
	code, n := r.order.uint16(p), int(r.order.uint16(p[2:]))
	if n > len(p)-4 {
		return 0, nil, nil, wrong("%s %d has %d bytes, and %d are left in the block", what, code, n, len(p)-4)
	}
	return code, p[4 : 4+n : 4+n], p[4+padded(n):], nil
}

// parseOptions reads the options, which are all of p, and makes their values what
// Append writes. They are valid until the next block. Times are those of i.
func (r *Reader) parseOptions(p []byte, forms []form, i *Interface) ([]Option, error) {
	r.options = r.options[:0]
	for len(p) > 0 {
		code, value, rest, err := r.tlv(p, "option")
		if err != nil {
			return nil, err
		}
		if code == OptEnd {
			break
		}
		if len(r.options) == MaxOptions {
			return nil, wrong("more than %d options", MaxOptions)
		}
		switch {
		case isCustom(code):
			if len(value) < 4 {
				return nil, wrong("custom option %d has %d bytes, at least 4", code, len(value))
			}
			r.order.turn(value[:4])
		case int(code) < len(forms):
			r.convert(value, forms[code], i)
		}
		r.options = append(r.options, Option{Code: code, Value: value})
		p = rest
	}
	if len(r.options) == 0 {
		return nil, nil
	}
	return r.options, nil
}

// convert makes a value what Append writes. A value of a length that its form does
// not have is left alone.
func (r *Reader) convert(v []byte, f form, i *Interface) {
	switch {
	case f == word && len(v) == 4, f == long && len(v) == 8:
		r.order.turn(v)
	case f == words && len(v) == 8:
		r.order.turn(v[:4])
		r.order.turn(v[4:])
	case f == verdict && len(v) == 9 && v[0] != 0: // 0 is of the hardware, opaque
		r.order.turn(v[1:])
	case f == stamp && len(v) == 8:
		ns := uint64(max(r.time(i, v), 0))
		binary.LittleEndian.PutUint32(v, uint32(ns>>32))
		binary.LittleEndian.PutUint32(v[4:], uint32(ns))
	}
}
