package ws

import (
	"fmt"
	"strconv"

	"github.com/klauspost/compress/flate"
)

// Compression asks for permessage-deflate, RFC 7692: messages are compressed with
// DEFLATE, each by itself or with what the messages before it contained. The zero
// value is ready: context takeover both ways, windows of 32 KiB, the fastest level.
//
// It saves bytes and costs time, microseconds a message where an uncompressed one
// takes nanoseconds, and memory:
//
//	               takeover                         no takeover
//	receiving      48 KiB a connection: the window  nothing between messages
//	sending        0.8 to 1.4 MiB a connection,     nothing between messages
//	               from the first message sent
//
// and 40 KiB for each goroutine that inflates at the time, 0.8 to 1.4 MiB for each
// that deflates, from pools. A connection on which little is sent should set
// ClientNoContextTakeover.
//
// What an attacker can add to a message that also holds a secret shows in its
// compressed length, also through TLS: do not compress such messages
// (RFC 7692, section 8).
type Compression struct {
	// Level is flate's: 1 (fastest) to 9, -1 for flate's default, -2 for Huffman
	// coding only. 0 stands for 1. It does not apply when the window for sending
	// is smaller than 32 KiB: flate knows one level for those, close to 5.
	Level int
	// Threshold is the length in bytes from which messages are sent compressed;
	// shorter ones, and fragments, claimed and prepared messages, are sent as
	// they are. Default DefaultThreshold.
	Threshold int

	// ClientNoContextTakeover compresses each message sent by itself.
	ClientNoContextTakeover bool
	// ServerNoContextTakeover asks the server to do so. A server that does not
	// agree fails the upgrade.
	ServerNoContextTakeover bool
	// ClientMaxWindowBits limits the window for sending to 1<<bits bytes, 8 to 15.
	// The server may ask for a smaller one in any case. Default 15.
	ClientMaxWindowBits int
	// ServerMaxWindowBits asks the server for a window of at most 1<<bits bytes,
	// 8 to 15, and limits the memory of the connection to that. A server that does
	// not agree fails the upgrade. Default 15: nothing is asked.
	ServerMaxWindowBits int
}

// DefaultThreshold is the length of messages from which they are sent compressed:
// 256 bytes. Below, compressing does not save a packet.
const DefaultThreshold = 256

// The windows of RFC 7692, section 7.1.2, in bits.
const (
	minWindowBits = 8
	maxWindowBits = 15
)

const (
	extensionName     = "permessage-deflate"
	clientNoTakeover  = "client_no_context_takeover"
	serverNoTakeover  = "server_no_context_takeover"
	clientWindowParam = "client_max_window_bits"
	serverWindowParam = "server_max_window_bits"
)

// check says what is wrong with the options; nil is in order.
func (z *Compression) check() error {
	if z == nil {
		return nil
	}
	if z.Level < flate.HuffmanOnly || z.Level > flate.BestCompression {
		return fmt.Errorf("ws: compression level %d is not one of -2 to 9", z.Level)
	}
	if z.Threshold < 0 {
		return fmt.Errorf("ws: compression threshold of %d bytes is negative", z.Threshold)
	}
	for _, bits := range []int{z.ClientMaxWindowBits, z.ServerMaxWindowBits} {
		if bits != 0 && (bits < minWindowBits || bits > maxWindowBits) {
			return fmt.Errorf("ws: compression window of %d bits is not one of %d to %d", bits, minWindowBits, maxWindowBits)
		}
	}
	return nil
}

// withDefaults returns a copy with every default filled in.
func (z *Compression) withDefaults() *Compression {
	d := *z
	if d.Level == 0 {
		d.Level = flate.BestSpeed
	}
	if d.Threshold == 0 {
		d.Threshold = DefaultThreshold
	}
	if d.ClientMaxWindowBits == 0 {
		d.ClientMaxWindowBits = maxWindowBits
	}
	if d.ServerMaxWindowBits == 0 {
		d.ServerMaxWindowBits = maxWindowBits
	}
	return &d
}

// offer is the value of Sec-WebSocket-Extensions that asks for z, RFC 7692,
// section 7.1. That we can obey client_max_window_bits is always said.
func (z *Compression) offer() string {
	s := extensionName
	if z.ServerNoContextTakeover {
		s += "; " + serverNoTakeover
	}
	if z.ClientNoContextTakeover {
		s += "; " + clientNoTakeover
	}
	if z.ServerMaxWindowBits != 0 {
		s += "; " + serverWindowParam + "=" + strconv.Itoa(z.ServerMaxWindowBits)
	}
	s += "; " + clientWindowParam
	if z.ClientMaxWindowBits != 0 {
		s += "=" + strconv.Itoa(z.ClientMaxWindowBits)
	}
	return s
}

// agree checks the server's answer to the offer z, nil when none was made, and
// returns what both sides do now, with every default filled in; nil when the server
// declined. RFC 7692, section 7.1, lists what "MUST _Fail the WebSocket
// Connection_": parameters that are unknown, invalid or there twice, and a
// configuration that the client does not support.
func (z *Compression) agree(answer []extension) (*Compression, error) {
	if len(answer) == 0 {
		return nil, nil
	}
	e := answer[0]
	// RFC 6455, section 4.1: "the use of an extension that was not present in the
	// client's handshake".
	if z == nil || e.name != extensionName {
		return nil, badResponse("extension %q, not offered", e.name)
	}
	if len(answer) > 1 {
		return nil, badResponse("extension %q after %s", answer[1].name, extensionName)
	}
	agreed := z.withDefaults()
	serverReset, serverBits := false, maxWindowBits
	for i, p := range e.params {
		for _, q := range e.params[:i] {
			if p.name == q.name {
				return nil, badResponse("%s: parameter %s twice", extensionName, p.name)
			}
		}
		var err error
		switch p.name {
		case clientNoTakeover:
			agreed.ClientNoContextTakeover = true
			err = p.withoutValue()
		case serverNoTakeover:
			serverReset = true
			err = p.withoutValue()
		case clientWindowParam:
			agreed.ClientMaxWindowBits, err = p.windowBits(agreed.ClientMaxWindowBits)
		case serverWindowParam:
			serverBits, err = p.windowBits(agreed.ServerMaxWindowBits)
		default:
			err = badResponse("%s: unknown parameter %q", extensionName, p.name)
		}
		if err != nil {
			return nil, err
		}
	}
	// 7.1.1.1 and 7.1.2.1: a server accepts these two by including them.
	if z.ServerNoContextTakeover && !serverReset {
		return nil, badResponse("%s: %s was offered and is missing", extensionName, serverNoTakeover)
	}
	if serverBits > agreed.ServerMaxWindowBits {
		return nil, badResponse("%s: %s=%d was offered and is missing", extensionName, serverWindowParam, z.ServerMaxWindowBits)
	}
	agreed.ServerNoContextTakeover, agreed.ServerMaxWindowBits = serverReset, serverBits
	return agreed, nil
}

func (p param) withoutValue() error {
	if p.hasValue {
		return badResponse("%s: %s has the value %q, none is defined", extensionName, p.name, p.value)
	}
	return nil
}

// windowBits is the value of p, which must be "a decimal integer value without
// leading zeroes between 8 to 15, inclusive", and not above what was offered.
func (p param) windowBits(offered int) (int, error) {
	for bits := minWindowBits; bits <= maxWindowBits; bits++ {
		if p.value != strconv.Itoa(bits) {
			continue
		}
		if bits > offered {
			return 0, badResponse("%s: %s is %d, offered %d", extensionName, p.name, bits, offered)
		}
		return bits, nil
	}
	return 0, badResponse("%s: %s is %q, not one of %d to %d", extensionName, p.name, p.value, minWindowBits, maxWindowBits)
}
