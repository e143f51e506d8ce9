package stats

import (
	"runtime"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// MaxText is the most that a Text holds, in bytes.
const MaxText = 240

const textWords = MaxText / wordSize

// Text is a short string that changes now and then: a name, the last error. The
// rules of Counter hold. Longer strings are cut at a rune.
type Text struct {
	// turn is odd while the owner writes. Who reads the same even number before
	// and after has read one string and not parts of two.
	turn  atomic.Uint64
	size  atomic.Uint64
	words [textWords]atomic.Uint64
}

// Set makes s the value. Only the owner may call it. It does not allocate; it
// takes some tens of nanoseconds.
func (t *Text) Set(s string) {
	turn := t.turn.Load() | 1
	t.turn.Store(turn)
	s = cut(s, MaxText)
	t.size.Store(uint64(len(s)))
	storeBytes(t.words[:], s)
	t.turn.Store(turn + 1)
}

// Value returns the string. Any goroutine may call it; it allocates. Control
// characters and what is not UTF-8 are replaced, so that it may be shown on a
// terminal whoever has written it.
func (t *Text) Value() string {
	var buf [MaxText]byte
	for range readTries {
		turn := t.turn.Load()
		n := min(t.size.Load(), MaxText)
		loadBytes(buf[:], t.words[:])
		if turn&1 == 0 && t.turn.Load() == turn {
			return printable(string(buf[:n]))
		}
		runtime.Gosched()
	}
	return "" // the owner writes without a pause, or has died while writing
}

// readTries is how often a reader that was overtaken by the owner tries again.
const readTries = 1000

// cut returns the longest prefix of s that has at most n bytes and ends at a rune.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// printable replaces what would do something to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// storeBytes puts s into words, low byte first, and leaves what lies behind it.
func storeBytes(words []atomic.Uint64, s string) {
	for i := 0; len(s) > 0; i++ {
		var w uint64
		n := min(len(s), wordSize)
		for j := range n {
			w |= uint64(s[j]) << (8 * j)
		}
		words[i].Store(w)
		s = s[n:]
	}
}

// loadBytes is the reverse for all words; buf has room for them.
func loadBytes(buf []byte, words []atomic.Uint64) {
	for i := range words {
		w := words[i].Load()
		for j := range wordSize {
			buf[i*wordSize+j] = byte(w >> (8 * j))
		}
	}
}
