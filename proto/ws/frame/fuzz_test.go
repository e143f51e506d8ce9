package frame

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzHeader(f *testing.F) {
	for _, s := range []string{"\x81\x05hello", "\x81\x85\x37\xfa\x21\x3dxxxxx", "\x82\x7e\x01\x00", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
		"\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00", "\x83\x00", "\x09\x00", "\x88\x7e\x00\x7e", ""} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		h, n, err := ParseHeader(p)
		if err != nil {
			require.IsType(t, Error(""), err)
			require.Zero(t, n)
			return
		}
		if n == 0 {
			require.Less(t, len(p), MaxHeaderSize)
			return
		}
		require.LessOrEqual(t, n, MaxHeaderSize)
		require.Equal(t, p[:n], AppendHeader(nil, h)) // the shortest form is the only one
	})
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("hello, world: thirty-two bytes and some more"), uint32(0x37fa213d), 3, 7)
	f.Add([]byte{}, uint32(0), 0, 0)
	f.Fuzz(func(t *testing.T, p []byte, k uint32, offset, cut int) {
		key := [4]byte{byte(k), byte(k >> 8), byte(k >> 16), byte(k >> 24)}
		offset &= 0xFFFF
		want := maskBytewise(p, key, offset)
		q := bytes.Clone(p)
		cut = int(uint(cut) % uint(len(q)+1))
		Mask(q[:cut], key, offset)
		Mask(q[cut:], key, offset+cut)
		require.Equal(t, want, q)
		Mask(q, key, offset)
		require.Equal(t, p, q)
	})
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("κόσμε"), 3, 5)
	f.Add([]byte("\xf4\x90\x80\x80"), 1, 2)
	f.Add([]byte("\xf4\x80\x9c0"), 1, 2)
	f.Add([]byte("0123456789abcdef0123456789abcdef\xe2\x82\xac"), 33, 34)
	f.Fuzz(func(t *testing.T, p []byte, a, b int) {
		a = int(uint(a) % uint(len(p)+1))
		b = a + int(uint(b)%uint(len(p)-a+1))
		var u UTF8
		ok := u.Feed(p[:a])
		ok = u.Feed(p[a:b]) && ok
		ok = u.Feed(p[b:]) && ok
		require.Equal(t, firstBad(p) == 0, ok)
		require.Equal(t, utf8.Valid(p), ok && u.Done())
		require.Equal(t, utf8.Valid(p), ValidUTF8(p))
	})
}

func FuzzParseClose(f *testing.F) {
	for _, s := range []string{"", "\x03", "\x03\xe8", "\x03\xe8bye", "\x03\xe8\xff", "\x03\xed", "\x0b\xb8", "\xff\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		code, reason, err := ParseClose(p)
		if err != nil {
			require.IsType(t, Error(""), err)
			require.Nil(t, reason)
			return
		}
		require.True(t, utf8.Valid(reason))
		require.True(t, code.OnWire() || code == CloseNoStatus && len(p) == 0)
		if len(p) <= MaxControlPayload {
			require.True(t, bytes.Equal(p, AppendClose(nil, code, string(reason))))
		}
	})
}
