package frame

import "unicode/utf8"

// UTF8 validates text that arrives in pieces, cut anywhere, and fails at the
// first byte that can no longer become valid (sections 5.6 and 8.1). The zero
// value is at the start of a text.
//
// The state is how many bytes the current rune still needs and which range the
// next of them must be in; only the byte after the first has a narrower range
// than 80–BF (RFC 3629, section 4):
//
//	            C2–DF                 80–BF
//	  ┌──────────────────► need 1 ──────────────► back to 0
//	  │  E0 (A0–BF), E1–EC, ED (80–9F), EE–EF
//	need 0 ──────────────► need 2 ── 80–BF ─────► need 1
//	  │  F0 (90–BF), F1–F3, F4 (80–8F)
//	  └──────────────────► need 3 ── 80–BF ─────► need 2
type UTF8 struct{ need, lo, hi byte }

// bad wants a byte from an empty range: it stays bad whatever follows.
var bad = UTF8{need: 1, lo: 1, hi: 0}

// Feed takes the next piece and reports whether the text can still become valid.
// After false it stays false until Reset. It does not allocate.
func (u *UTF8) Feed(p []byte) bool {
	s := *u
	for i := 0; i < len(p); i++ {
		if s.need == 0 && p[i] < 0x80 {
			i += asciiPrefix(p[i:]) - 1
		} else if !s.step(p[i]) {
			*u = bad
			return false
		}
	}
	*u = s
	return true
}

// Done reports whether the text may end here: it was valid and no rune is cut.
func (u *UTF8) Done() bool { return u.need == 0 }

// Reset goes back to the start of a text.
func (u *UTF8) Reset() { *u = UTF8{} }

// step takes one byte that is not ASCII at the start of a rune.
func (u *UTF8) step(b byte) bool {
	if u.need > 0 {
		if b < u.lo || b > u.hi {
			return false
		}
		u.need, u.lo, u.hi = u.need-1, 0x80, 0xBF
		return true
	}
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case b < 0xC2: // a continuation byte, or an overlong form
		return false
	case b < 0xE0:
		u.need = 1
	case b < 0xF0:
		u.need = 2
		if b == 0xE0 { // below are overlong forms
			u.lo = 0xA0
		} else if b == 0xED { // above are surrogates
			u.hi = 0x9F
		}
	case b < 0xF5:
		u.need = 3
		if b == 0xF0 { // below are overlong forms
			u.lo = 0x90
		} else if b == 0xF4 { // above is beyond U+10FFFF
			u.hi = 0x8F
		}
	default:
		return false
	}
	return true
}

// ValidUTF8 reports whether p is valid UTF-8 as a whole. It is fast for ASCII
// and does not allocate.
func ValidUTF8(p []byte) bool {
	n := asciiPrefix(p)
	return n == len(p) || utf8.Valid(p[n:])
}
