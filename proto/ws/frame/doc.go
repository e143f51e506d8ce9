// Package frame is the wire format of the WebSocket protocol, RFC 6455,
// section 5: headers, masking, close bodies and UTF-8. It is pure: bytes in,
// values out; no I/O, no clock, no memory of its own, and apart from the
// appending functions nothing allocates.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	|F| RSV | opcode|M| length 7    | length 16 if it is 126,       |
//	|I| 1 2 3       |A|             | length 64 if it is 127        |
//	|N|     |       |S|             | (most significant byte first) |
//	+-+-+-+-+-------+-+-------------+-------------------------------+
//	| mask key, 4 bytes, if M is set| payload, masked if M is set   |
//	+-------------------------------+-------------------------------+
//
// A header is read with [ParseHeader], which asks for more bytes by answering
// n == 0, and written with [AppendHeader]. What a header may look like by itself
// is checked here; what depends on who sent it, on extensions, or on the frames
// before it (a masked frame from a server, RSV bits, the order of fragments) is
// checked by the connection that knows those things, package ws.
//
// Every violation is a constant of type [Error]: comparable with ==, free of
// allocations, and with the close code that answers it, [Error.CloseCode].
//
// All functions are safe for any goroutine; a [UTF8] belongs to one at a time.
package frame
