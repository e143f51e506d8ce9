package stream

import "fmt"

// Timestamps says which receive times the kernel is asked for
// (SO_TIMESTAMPING). Each Read that brings bytes then brings one [Stamp].
//
// A software stamp is taken when the network stack is given the packet, before
// TCP looks at it: from there to the handler is what this machine adds. It is the
// time of the youngest segment of the bytes read, as the kernel merges segments
// in its queue: exact when a read takes one segment, too late for older bytes
// when it takes several, never too early. With TLS it is the time of the read that
// completed the record. The kernel begins to stamp packets, all that the machine
// receives, some milliseconds after the first socket has asked: the first reads
// may have no stamp.
//
// A hardware stamp is the NIC's: when the packet came from the wire, by the
// NIC's own clock (PHC). It compares with other clocks only while phc2sys, or
// the like, keeps that clock on the system's time; PTP clocks run on TAI, 37 s
// ahead of UTC, unless phc2sys is told so. The NIC must have been told to stamp
// everything it receives, "hwstamp_ctl -i eth0 -r 1" (SIOCSHWTSTAMP, root).
//
// A read costs about 60 ns more, and allocates nothing.
type Timestamps uint8

// The kinds of Timestamps.
const (
	// TimestampsOff asks for none. Reads are the plain ones.
	TimestampsOff Timestamps = iota
	// TimestampsSoftware asks for the network stack's.
	TimestampsSoftware
	// TimestampsHardware asks for the NIC's as well. Where the interface cannot
	// stamp, or was not told to, setting the stream up fails with an
	// OptionError, as far as the interface is known and says so; else
	// Stamp.Hardware is 0.
	TimestampsHardware
)

var timestampNames = [...]string{"off", "software", "hardware"}

func (t Timestamps) String() string {
	if int(t) < len(timestampNames) {
		return timestampNames[t]
	}
	return fmt.Sprintf("timestamps %d", uint8(t))
}

// UnmarshalText implements encoding.TextUnmarshaler: off, software, hardware.
func (t *Timestamps) UnmarshalText(text []byte) error {
	for i, name := range timestampNames {
		if string(text) == name {
			*t = Timestamps(i)
			return nil
		}
	}
	return fmt.Errorf("stream: unknown timestamps %q: want off, software or hardware", text)
}

// Stamp is when the kernel received the bytes of a Read, in nanoseconds; 0 where
// there is no such stamp. See [Timestamps] for what it means.
type Stamp struct {
	Software int64 // by CLOCK_REALTIME; clock.Wall converts it
	Hardware int64 // by the NIC's clock; clock.Wall converts it while that is kept on UTC
}

// Stamped is a stream whose reads can be stamped. One goroutine at a time, the
// one that reads.
type Stamped interface {
	// Timestamps tells what was asked for, and granted.
	Timestamps() Timestamps
	// Stamp is that of the last Read that brought bytes.
	Stamp() Stamp
}

// Timestamps implements [Stamped]: those of the layer below.
func (t *TLS) Timestamps() Timestamps {
	if s, ok := t.lower.(Stamped); ok {
		return s.Timestamps()
	}
	return TimestampsOff
}

// Stamp implements [Stamped]: that of the read which completed the records of
// the last Read, as no read is made while there is a complete one.
func (t *TLS) Stamp() Stamp {
	if s, ok := t.lower.(Stamped); ok {
		return s.Stamp()
	}
	return Stamp{}
}

var _ Stamped = (*TLS)(nil)
