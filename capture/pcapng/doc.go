// Package pcapng writes and reads capture files: pcapng as
// draft-ietf-opsawg-pcapng describes it, and, reading only, the classic pcap of
// draft-ietf-opsawg-pcap. Wireshark, tshark, tcpdump and whatever else knows the
// format read what it writes. It is pure: bytes in, blocks out, no clock, no file.
//
// A pcapng file is a row of blocks. Each has its length at both ends, so that it
// can be stepped over by those who do not know its type:
//
//	┌───────────┬────────────┬────────────────────────────┬────────────┐
//	│ type (32) │ length(32) │ body, padded to 4 bytes    │ length(32) │
//	└───────────┴────────────┴────────────────────────────┴────────────┘
//
//	0x0A0D0D0A  section header     byte order and version; a file may have several,
//	                               each starts anew                    [Section]
//	1           interface          link type, name, unit of its times  [Interface]
//	6           enhanced packet    interface, time, lengths, bytes     [Packet]
//	2, 3        packet (obsolete), simple packet: read as              [Packet]
//	4           name resolution    addresses and their names           [Names]
//	5           interface statistics                                   [Stats]
//	10          decryption secrets e.g. a TLS key log                  [Secrets]
//	0xBAD       custom             of a private enterprise number      [CustomBlock]
//	any other                      kept as bytes                       [Unknown]
//
// Most bodies end with options, a list of code (16), length (16) and value, padded
// to 4 bytes: comments, names, flags, and custom options of an enterprise
// ([Option]).
//
// Writing is appending to a slice: [AppendSection], then [AppendInterface] for
// each interface, which numbers them from 0, then [AppendPacket] and the others in
// any order. Everything is written little-endian with times in nanoseconds. The
// Append functions keep nothing, allocate only when dst must grow, and may be called
// by any goroutine; an option longer than [MaxOption], the caller's mistake, panics.
//
// Reading is [NewReader] and [Reader.Next] until io.EOF. Both byte orders and every
// unit of time are read; what Next hands out is already as Append writes it:
// times are nanoseconds since 1970 UTC, the numbers in options are
// little-endian. So what was read can be appended as it is. Lengths are checked
// before they are used, and memory stays below a few times [MaxBlock].
//
// A file whose writer died ends in half a block. Then Next returns an [*Error] of
// [ErrTruncated] which says where the last whole block ends; [Reader.Whole] is that
// place, and a file cut there is whole again. A block whose inside is wrong
// ([ErrBlock]) can be passed over: call Next again. After a wrong length
// ([ErrLength]) nothing can be found again, as only the length tells where the next
// block begins.
package pcapng
