package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// Kind is what a record is about. The comments say which fields it has beside
// Kind, Seq and At; every record of a connection has Conn.
type Kind uint8

// The kinds. Records of the reactor's goroutine have Turn, Begin and Parked as
// well, those of a set-up have Setup.
const (
	// Begin is the first: Text the reactor's name, Arg CLOCK_REALTIME minus the
	// recorder's clock, Data the seed of the reactor's randomness (32 bytes).
	KindBegin Kind = iota + 1
	// KindEnd: the reactor has freed everything.
	KindEnd
	// KindMissing: records were lost here for want of room. Arg counts them. With a
	// Conn: bytes of that connection, Arg received, Arg2 sent.
	KindMissing

	// Of an endpoint, Slot.

	KindRegister   // mail: it begins; Text is its name
	KindDeregister // mail: it ends
	KindRetryAt    // its next try is at Arg, by the limiter of its host or its back-off
	KindDrop       // mail: its connections are dropped; Text is the reason

	// Of the reactor.

	KindStop    // its orderly end begins
	KindCall    // Dispatch, Call or Each called a function for Slot, or a link or inbox, Text, handed out a message with pointers: what that did is not recorded
	KindMessage // a link or inbox, Text, handed out the message Data, which has no pointers
	KindTurn    // a turn in which something happened that has no record of its own

	// Of a connection, on the reactor.

	KindConnect  // a set-up begins; Text is the endpoint's name, Arg the connection's id, Arg2 its role
	KindPhase    // mail: the set-up has come to state Arg
	KindOutcome  // mail: the set-up has ended, with Err or without
	KindWritable // the selector says that there is room to write
	KindLost     // the connection has ended: Text says why; for people
	KindState    // the endpoint has entered state Arg; for people

	// Of a connection, during the set-up (Setup) or after it.

	KindSeed    // Data is the seed of a source of randomness (32 bytes, ChaCha8), or Text says where from
	KindResolve // Text the host asked for, Data its addresses, or Err
	KindEnter   // the set-up has told of state Arg
	KindDialed  // Text the target, Data a Peer, Arg the room to write, or Err
	KindRead    // Data was read, or Err; Arg is Queued afterwards; Text a stamp of 16 bytes or nothing; Flags
	KindWrite   // Data was accepted, or Err and Arg2 bytes were not; Arg is Queued afterwards
	KindControl // as KindWrite, for WriteControl
	KindFlush   // Err or none; Arg is Queued afterwards
	KindWait    // waiting has ended with Err
	KindClock   // the connection's clock has said Arg, and not Arg2, the time of its last read, if that is not 0
	KindClose   // the stream was closed
	KindSecrets // Data is lines of a TLS key log

	kinds
)

var kindNames = [kinds]string{
	KindBegin: "begin", KindEnd: "end", KindMissing: "missing", KindRegister: "register", KindDeregister: "deregister",
	KindRetryAt: "retry-at", KindDrop: "drop", KindStop: "stop", KindCall: "call", KindMessage: "message", KindTurn: "turn",
	KindConnect: "connect", KindPhase: "phase", KindOutcome: "outcome", KindWritable: "writable", KindLost: "lost", KindState: "state",
	KindSeed: "seed", KindResolve: "resolve", KindEnter: "enter", KindDialed: "dialed", KindRead: "read", KindWrite: "write",
	KindControl: "control", KindFlush: "flush", KindWait: "wait", KindClock: "clock", KindClose: "close", KindSecrets: "secrets",
}

func (k Kind) String() string {
	if k < kinds && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Flags of a record.
type Flags uint8

const (
	// Setup: it happened on the connector's goroutine.
	Setup Flags = 1 << iota
	// Buffered is what the stream said after the read.
	Buffered
	// More: the data goes on in the next record of the connection.
	More
)

// Record is one thing that happened. Text and Data are valid as long as whoever
// handed the record out says.
type Record struct {
	Kind  Kind
	Flags Flags
	Err   Error // of calls that failed

	Seq    uint64 // 1, 2, 3, … in the order in which things happened
	At     int64  // when, by the recorder's clock, in nanoseconds (package clock)
	Turn   uint64 // of the reactor: 1, 2, 3, …, those in which something happened
	Begin  int64  // the turn's time
	Parked int64  // its time after it had parked; 0: it had not

	Conn uint32 // number of the connection in this recording, from 1; 0: of none
	Slot uint32 // place of the endpoint

	Arg, Arg2 int64
	Text      []byte
	Data      []byte
}

// HeaderSize is the length of a record without Text and Data, in bytes.
const HeaderSize = 88

// MaxText bounds Text, and the text of an error, in bytes. Longer ones are cut.
const MaxText = 1<<16 - 1

// maxData bounds Data in bytes, for Parse: no ring takes that much.
const maxData = 1 << 30

// Layout, little-endian:
//
//	 0 kind, 1 flags, 2 error class, 3 error phase, 4 errno uint16, 6 further error classes uint16
//	 8 seq, 16 at, 24 turn, 32 begin, 40 parked, 48 conn uint32, 52 slot uint32
//	56 arg, 64 arg2, 72 text length uint32, 76 error text length uint32, 80 data length uint64
//	88 text, error text, data

// size is the length of the record's binary form. Texts over MaxText are cut.
func (r *Record) size() int {
	return HeaderSize + min(len(r.Text), MaxText) + min(len(r.Err.Text), MaxText) + len(r.Data)
}

// put writes the record to b, which is size bytes long.
func (r *Record) put(b []byte) {
	le := binary.LittleEndian
	_ = b[HeaderSize-1]
	b[0], b[1], b[2], b[3] = byte(r.Kind), byte(r.Flags), byte(r.Err.Class), r.Err.Phase
	le.PutUint16(b[4:], uint16(r.Err.Errno))
	le.PutUint16(b[6:], r.Err.Also)
	le.PutUint64(b[8:], r.Seq)
	le.PutUint64(b[16:], uint64(r.At))
	le.PutUint64(b[24:], r.Turn)
	le.PutUint64(b[32:], uint64(r.Begin))
	le.PutUint64(b[40:], uint64(r.Parked))
	le.PutUint32(b[48:], r.Conn)
	le.PutUint32(b[52:], r.Slot)
	le.PutUint64(b[56:], uint64(r.Arg))
	le.PutUint64(b[64:], uint64(r.Arg2))
	text, why := min(len(r.Text), MaxText), min(len(r.Err.Text), MaxText)
	le.PutUint32(b[72:], uint32(text))
	le.PutUint32(b[76:], uint32(why))
	le.PutUint64(b[80:], uint64(len(r.Data)))
	n := HeaderSize
	n += copy(b[n:], r.Text[:text])
	n += copy(b[n:], r.Err.Text[:why])
	copy(b[n:], r.Data)
}

// Append appends the binary form of r, with Data or, for a format that keeps the
// data elsewhere, without: the header then still says how long it is.
func (r *Record) Append(dst []byte, withData bool) []byte {
	n, size := len(dst), r.size()
	if !withData {
		size -= len(r.Data)
	}
	dst = append(dst, make([]byte, size)...)
	r.put(dst[n:])
	return dst
}

// ErrRecord is the error for bytes that are no record.
var ErrRecord = errors.New("tape: not a record")

// Parse reads one record, all of b, that Append has written with Data, or without;
// then Data is nil, and missing is how long it is, at most 1 GiB. Text and Data are
// views into b.
func (r *Record) Parse(b []byte) (missing uint64, err error) {
	if len(b) < HeaderSize {
		return 0, fmt.Errorf("%w: %d bytes, a record has %d at least", ErrRecord, len(b), HeaderSize)
	}
	le := binary.LittleEndian
	text, why, data := uint64(le.Uint32(b[72:])), uint64(le.Uint32(b[76:])), le.Uint64(b[80:])
	rest := uint64(len(b) - HeaderSize)
	switch {
	case b[0] == 0 || Kind(b[0]) >= kinds:
		return 0, fmt.Errorf("%w: kind %d is not in 1..%d", ErrRecord, b[0], kinds-1)
	case data > maxData:
		return 0, fmt.Errorf("%w: %d bytes of data, the limit is %d", ErrRecord, data, maxData)
	case text > MaxText || why > MaxText || text+why > rest:
		return 0, fmt.Errorf("%w: texts of %d and %d bytes in %d", ErrRecord, text, why, rest)
	case text+why != rest && text+why+data != rest:
		return 0, fmt.Errorf("%w: %d bytes of data announced, %d there", ErrRecord, data, rest-text-why)
	}
	*r = Record{
		Kind: Kind(b[0]), Flags: Flags(b[1]),
		Err:    Error{Class: Class(b[2]), Phase: b[3], Errno: uint32(le.Uint16(b[4:])), Also: le.Uint16(b[6:])},
		Seq:    le.Uint64(b[8:]),
		At:     int64(le.Uint64(b[16:])),
		Turn:   le.Uint64(b[24:]),
		Begin:  int64(le.Uint64(b[32:])),
		Parked: int64(le.Uint64(b[40:])),
		Conn:   le.Uint32(b[48:]),
		Slot:   le.Uint32(b[52:]),
		Arg:    int64(le.Uint64(b[56:])),
		Arg2:   int64(le.Uint64(b[64:])),
	}
	b = b[HeaderSize:]
	if text > 0 {
		r.Text, b = b[:text:text], b[text:]
	}
	if why > 0 {
		r.Err.Text, b = string(b[:why]), b[why:]
	}
	if len(b) > 0 {
		r.Data = b
		return 0, nil
	}
	return data, nil
}

// Peer is what KindDialed tells of the stream, as JSON.
type Peer struct {
	Local  netip.AddrPort `json:"local"`
	Remote netip.AddrPort `json:"remote"`
	// Of TLS; Version 0: there is none.
	Version    uint16 `json:"version,omitempty"`
	Suite      uint16 `json:"suite,omitempty"`
	Resumed    bool   `json:"resumed,omitempty"`
	ALPN       string `json:"alpn,omitempty"`
	ServerName string `json:"serverName,omitempty"`
	// Timestamps is the stream.Timestamps that was granted. Layer is what was recorded: "plain", "above-tls" or "below-tls".
	Layer      string `json:"layer"`
	Timestamps uint8  `json:"timestamps,omitempty"`
}

// The layers of a Peer.
const (
	Plain    = "plain"
	AboveTLS = "above-tls"
	BelowTLS = "below-tls"
)
