package frame

// Error is a violation of the protocol. Errors are constants: they compare with
// ==, work with errors.Is, and returning one does not allocate.
type Error string

// The violations, each with the section of RFC 6455 that it breaks.
const (
	// ErrReservedOpcode: an opcode of 3–7 or 11–15 (5.2).
	ErrReservedOpcode Error = "ws: reserved opcode"
	// ErrReservedBits: an RSV bit without an extension that defines it (5.2).
	ErrReservedBits Error = "ws: reserved bit set without an extension"
	// ErrLengthTopBit: the most significant bit of a 64-bit length is set (5.2).
	ErrLengthTopBit Error = "ws: top bit of a 64-bit length is set"
	// ErrLengthNotMinimal: a length in more bytes than it needs (5.2).
	ErrLengthNotMinimal Error = "ws: length is not in its shortest form"
	// ErrMasked: a masked frame from a server (5.1).
	ErrMasked Error = "ws: masked frame from a server"
	// ErrControlFragmented: a control frame without FIN (5.5).
	ErrControlFragmented Error = "ws: fragmented control frame"
	// ErrControlTooLong: a control frame of more than MaxControlPayload bytes (5.5).
	ErrControlTooLong Error = "ws: control frame longer than 125 bytes"
	// ErrOrphanContinuation: a continuation frame without a message to continue (5.4).
	ErrOrphanContinuation Error = "ws: continuation frame outside a message"
	// ErrInterleaved: a text or binary frame inside a fragmented message (5.4).
	ErrInterleaved Error = "ws: new message inside a fragmented message"
	// ErrCloseBody: a close frame of one byte, too short for a code (5.5.1).
	ErrCloseBody Error = "ws: close frame with a body of one byte"
	// ErrCloseCode: a close code that must not be sent (7.4).
	ErrCloseCode Error = "ws: close code that must not be sent"
	// ErrCloseReason: a close reason that is not UTF-8 (5.5.1).
	ErrCloseReason Error = "ws: close reason is not valid UTF-8"
	// ErrInvalidUTF8: a text message that is not UTF-8 (8.1).
	ErrInvalidUTF8 Error = "ws: text is not valid UTF-8"
	// ErrDeflate: a compressed message whose data is not DEFLATE, or is cut
	// (RFC 7692, 7.2.2).
	ErrDeflate Error = "ws: compressed message is not valid DEFLATE data"
	// ErrTooBig: a message larger than the receiver's limit (7.4.1, 10.4).
	ErrTooBig Error = "ws: message larger than the limit"
)

// Error implements error.
func (e Error) Error() string { return string(e) }

// CloseCode is the code of the close frame that answers the violation,
// section 7.4.1. This is the only table from errors to codes.
func (e Error) CloseCode() CloseCode {
	switch e {
	case ErrInvalidUTF8, ErrCloseReason, ErrDeflate:
		return CloseInvalidPayload
	case ErrTooBig:
		return CloseTooBig
	}
	return CloseProtocolError
}
