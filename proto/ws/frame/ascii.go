package frame

import "encoding/binary"

const highBits = 0x8080808080808080

// asciiPrefixWords returns how many bytes at the start of p are ASCII, looking at
// words, 32 bytes a step. It is the twin that every processor can run.
func asciiPrefixWords(p []byte) int {
	n := 0
	for len(p)-n >= 32 {
		q := p[n : n+32]
		if (binary.LittleEndian.Uint64(q)|binary.LittleEndian.Uint64(q[8:])|
			binary.LittleEndian.Uint64(q[16:])|binary.LittleEndian.Uint64(q[24:]))&highBits != 0 {
			break
		}
		n += 32
	}
	for len(p)-n >= 8 && binary.LittleEndian.Uint64(p[n:])&highBits == 0 {
		n += 8
	}
	// What is left is less than a word: look at the last whole one again.
	if len(p) >= 8 && binary.LittleEndian.Uint64(p[len(p)-8:])&highBits == 0 && len(p)-n < 8 {
		return len(p)
	}
	for n < len(p) && p[n] < 0x80 {
		n++
	}
	return n
}
