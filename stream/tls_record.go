package stream

// Sizes of TLS records in bytes (RFC 8446, section 5; RFC 5246, section 6.2).
const (
	recordHeader = 5
	// maxPlaintext is the most that one record carries.
	maxPlaintext = 1 << 14
	// maxCiphertext is the most that a header may announce: TLS 1.2's limit.
	// TLS 1.3's is lower, and crypto/tls enforces it.
	maxCiphertext = maxPlaintext + 2048
	maxRecord     = recordHeader + maxCiphertext
	// minExpansion is what sealing adds at the very least, without the header:
	// the tag of every AEAD, the MAC of every other suite.
	minExpansion = 16
	// overhead13 is what TLS 1.3 adds to the plaintext of a record that is not
	// padded: header, content type, tag.
	overhead13 = recordHeader + 1 + 16
	// maxOverhead bounds it for TLS 1.2: header, IV, HMAC-SHA-384, CBC padding.
	maxOverhead = recordHeader + 16 + 48 + 16
)

// sealedSize bounds the size of n bytes of plaintext once they are sealed.
func sealedSize(n, overhead int) int {
	return n + (n+maxPlaintext-1)/maxPlaintext*overhead
}

// plainRoom is its inverse: how much plaintext fits into room bytes of records.
func plainRoom(room, overhead int) int {
	const full = maxPlaintext
	return room/(full+overhead)*full + max(0, room%(full+overhead)-overhead)
}

// records cuts what arrives from the network into TLS records and hands them
// out one by one, never a byte beyond the one that is on loan. It knows
// nothing of what is in them.
//
//	          feed                 lend            take
//	network ───────→ held │ fresh ──────→ a record ─────→ crypto/tls
//	                  ↑       │
//	                  └───────┘ settle
//
// Fresh bytes lie in borrowed memory and stay there until settle, at the end
// of the turn, keeps what is left of them. Held bytes are the record's own
// memory: normally less than one record; more when the reader's buffer was
// full, then at most one Scratch.Raw more. While both are there, held is
// exactly one record, or not even one because fresh has been used up: so every
// record lies in one piece.
type records struct {
	held  []byte
	off   int    // held[off:] is left
	fresh []byte // what is left of the last feed
	loan  int    // bytes of the record on loan that were not taken yet
	quiet int    // turns in a row that ended with nothing held
}

// keepHeld is the memory in bytes that may stay with a connection that has held
// nothing at the end of keepTurns turns in a row.
const (
	keepHeld  = 4 << 10
	keepTurns = 64
)

// front is the memory in which the next byte lies.
func (r *records) front() []byte {
	if r.off < len(r.held) {
		return r.held[r.off:]
	}
	return r.fresh
}

// recordSize is the size of the record at the start of b with its header, 0
// when b is too short to tell. When the header announces too much, the record
// is the header alone: that is all that crypto/tls needs to refuse it, and
// nothing is ever collected on behalf of such a length.
func recordSize(b []byte) int {
	if len(b) < recordHeader {
		return 0
	}
	if n := int(b[3])<<8 | int(b[4]); n <= maxCiphertext {
		return recordHeader + n
	}
	return recordHeader
}

// feed takes what was read from the network. The owner feeds only when no
// complete record is left.
func (r *records) feed(b []byte) {
	r.fresh = b
	r.held, r.off = r.held[:copy(r.held, r.held[r.off:])], 0
	if len(r.held) > 0 {
		r.topUp(recordHeader)
		r.topUp(recordSize(r.held))
	}
}

// topUp moves fresh bytes until held has size of them.
func (r *records) topUp(size int) {
	if k := min(size-len(r.held), len(r.fresh)); k > 0 {
		r.held = append(r.held, r.fresh[:k]...)
		r.fresh = r.fresh[k:]
	}
}

// next is the size of the next record if all of it is there, else 0.
func (r *records) next() int {
	front := r.front()
	if size := recordSize(front); size <= len(front) {
		return size
	}
	return 0
}

// lend puts the next size bytes on loan.
func (r *records) lend(size int) { r.loan = size }

// take copies bytes on loan to b and returns how many.
func (r *records) take(b []byte) int {
	front := r.front()
	n := copy(b, front[:min(len(front), r.loan)])
	r.loan -= n
	if r.off < len(r.held) {
		r.off += n
	} else {
		r.fresh = r.fresh[n:]
	}
	return n
}

// settle ends the turn: fresh bytes that are left are kept, and memory that was
// not needed for a while is given back. At once would be too early: under load
// nearly every read ends inside a record.
func (r *records) settle() {
	if r.off == len(r.held) {
		r.held, r.off = r.held[:0], 0
	}
	r.held = append(r.held, r.fresh...)
	r.fresh = nil
	switch {
	case len(r.held) > 0:
		r.quiet = 0
	case cap(r.held) > keepHeld:
		if r.quiet++; r.quiet == keepTurns {
			r.held, r.quiet = nil, 0
		}
	}
}
