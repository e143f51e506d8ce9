package frame

import (
	"bytes"
	"testing"
)

func BenchmarkMaskCopy(b *testing.B) {
	for _, n := range []int{16, 180, 256, 4096} {
		b.Run(size(n), func(b *testing.B) {
			src, dst := make([]byte, n), make([]byte, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				MaskCopy(dst, src, [4]byte{1, 2, 3, 4}, 0)
			}
		})
	}
}

func BenchmarkValidUTF8(b *testing.B) {
	for _, n := range []int{16, 180, 256, 4096} {
		b.Run(size(n), func(b *testing.B) {
			p := bytes.Repeat([]byte("a"), n)
			b.SetBytes(int64(n))
			for b.Loop() {
				if !ValidUTF8(p) {
					b.Fatal("invalid")
				}
			}
		})
	}
}

func BenchmarkParseHeader(b *testing.B) {
	p := AppendHeader(nil, Header{Fin: true, Opcode: Text, Length: 180})
	for b.Loop() {
		if _, n, _ := ParseHeader(p); n != 4 {
			b.Fatal("not parsed")
		}
	}
}

func size(n int) string {
	switch {
	case n < 1024:
		return string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10)) + "B"
	default:
		return string(rune('0'+n/1024)) + "KiB"
	}
}
