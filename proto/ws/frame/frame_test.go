package frame

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestParseHeader(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, tc := range []struct {
		name, wire string
		want       Header
		err        error
	}{
		{"text", "81 05", Header{Fin: true, Opcode: Text, Length: 5}, nil},
		{"masked text of section 5.7", "81 85 37fa213d", Header{Fin: true, Opcode: Text, Masked: true, Key: key, Length: 5}, nil},
		{"first fragment", "01 03", Header{Opcode: Text, Length: 3}, nil},
		{"last fragment", "80 02", Header{Fin: true, Opcode: Continuation, Length: 2}, nil},
		{"ping", "89 05", Header{Fin: true, Opcode: Ping, Length: 5}, nil},
		{"longest control", "8a 7d", Header{Fin: true, Opcode: Pong, Length: 125}, nil},
		{"256 bytes", "82 7e 0100", Header{Fin: true, Opcode: Binary, Length: 256}, nil},
		{"64 KiB", "82 7f 0000000000010000", Header{Fin: true, Opcode: Binary, Length: 65536}, nil},
		{"2^40", "82 7f 0000010000000000", Header{Fin: true, Opcode: Binary, Length: 1 << 40}, nil},
		{"rsv bits are kept", "f1 00", Header{Fin: true, Rsv: 7, Opcode: Text}, nil},
		{"rsv1 is 4", "c1 00", Header{Fin: true, Rsv: 4, Opcode: Text}, nil},
		{"largest", "82 ff 7fffffffffffffff 37fa213d", Header{Fin: true, Opcode: Binary, Masked: true, Key: key, Length: 1<<63 - 1}, nil},
		{"top bit", "82 7f 8000000000000000", Header{}, ErrLengthTopBit},
		{"all bits", "82 7f ffffffffffffffff", Header{}, ErrLengthTopBit},
		{"125 in 16 bits", "82 7e 007d", Header{}, ErrLengthNotMinimal},
		{"65535 in 64 bits", "82 7f 000000000000ffff", Header{}, ErrLengthNotMinimal},
		{"opcode 3", "83 00", Header{}, ErrReservedOpcode},
		{"opcode 7", "87 00", Header{}, ErrReservedOpcode},
		{"opcode 11", "8b 00", Header{}, ErrReservedOpcode},
		{"opcode 15", "8f 00", Header{}, ErrReservedOpcode},
		{"ping without fin", "09 00", Header{}, ErrControlFragmented},
		{"close of 126", "88 7e 007e", Header{}, ErrControlTooLong},
		{"pong of 64 bits", "8a 7f", Header{}, ErrControlTooLong},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wire := unhex(t, tc.wire)
			h, n, err := ParseHeader(append(wire, "payload"...))
			if tc.err != nil {
				require.Equal(t, tc.err, err)
				require.Zero(t, n)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, h)
			require.Equal(t, len(wire), n)
			for i := range wire { // any piece of it asks for more
				_, n, err := ParseHeader(wire[:i])
				require.NoError(t, err)
				require.Zero(t, n)
			}
			require.Equal(t, wire, AppendHeader(nil, h))
		})
	}
}

func TestMaskOfTheRFC(t *testing.T) {
	p := []byte("Hello")
	Mask(p, [4]byte{0x37, 0xfa, 0x21, 0x3d}, 0)
	require.Equal(t, unhex(t, "7f9f4d5158"), p)
}

func maskBytewise(p []byte, key [4]byte, offset int) []byte {
	q := bytes.Clone(p)
	for i := range q {
		q[i] ^= key[(i+offset)%4]
	}
	return q
}

func TestMaskAllLengthsOffsetsAlignments(t *testing.T) {
	src := make([]byte, 140)
	for i := range src {
		src[i] = byte(i*7 + 1)
	}
	for _, key := range [][4]byte{{1, 2, 3, 4}, {}, {0, 0, 0, 9}} {
		for n := 0; n < 130; n++ {
			for offset := 0; offset < 5; offset++ {
				p := bytes.Clone(src[offset : offset+n])
				want := maskBytewise(p, key, offset)
				dst := make([]byte, n+3)
				MaskCopy(dst, p, key, offset)
				require.Equal(t, want, dst[:n])
				require.Equal(t, []byte{0, 0, 0}, dst[n:])
				Mask(p, key, offset)
				require.Equal(t, want, p)
			}
		}
	}
}

func TestClose(t *testing.T) {
	for _, tc := range []struct {
		name   string
		body   []byte
		code   CloseCode
		reason string
		err    error
	}{
		{"empty", nil, CloseNoStatus, "", nil},
		{"one byte", []byte{3}, CloseNoStatus, "", ErrCloseBody},
		{"normal", []byte{0x03, 0xe8}, CloseNormal, "", nil},
		{"with reason", []byte("\x03\xe9zweiundvierzig ✓"), CloseGoingAway, "zweiundvierzig ✓", nil},
		{"bad UTF-8", []byte("\x03\xe8\xff"), CloseNormal, "", ErrCloseReason},
		{"cut UTF-8", []byte("\x03\xe8\xe2\x9c"), CloseNormal, "", ErrCloseReason},
		{"no status on the wire", []byte{0x03, 0xed}, CloseNoStatus, "", ErrCloseCode},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, reason, err := ParseClose(tc.body)
			require.Equal(t, tc.err, err)
			require.Equal(t, tc.code, code)
			require.Equal(t, tc.reason, string(reason))
			if err == nil {
				require.Equal(t, tc.body, AppendClose(nil, code, string(reason)))
			}
		})
	}
}

func TestCloseCodesOnWire(t *testing.T) {
	allowed := map[CloseCode]bool{1000: true, 1001: true, 1002: true, 1003: true}
	for c := CloseCode(1007); c <= 1014; c++ {
		allowed[c] = true
	}
	for c := CloseCode(3000); c <= 4999; c++ {
		allowed[c] = true
	}
	for c := 0; c <= 0xFFFF; c++ {
		require.Equal(t, allowed[CloseCode(c)], CloseCode(c).OnWire(), "%d", c)
	}
}

func TestAppendCloseCutsAtARune(t *testing.T) {
	for n := 118; n < 130; n++ {
		p := AppendClose(nil, CloseNormal, strings.Repeat("a", n)+"€€")
		require.LessOrEqual(t, len(p), MaxControlPayload)
		require.Greater(t, len(p), MaxControlPayload-3)
		require.True(t, utf8.Valid(p[2:]))
	}
	require.Len(t, AppendClose(nil, CloseNormal, strings.Repeat("\x80", 300)), 2) // no boundary at all
}

func TestErrorsHaveOneCode(t *testing.T) {
	require.Equal(t, CloseInvalidPayload, ErrInvalidUTF8.CloseCode())
	require.Equal(t, CloseInvalidPayload, ErrCloseReason.CloseCode())
	require.Equal(t, CloseTooBig, ErrTooBig.CloseCode())
	for _, e := range []Error{ErrReservedOpcode, ErrReservedBits, ErrLengthTopBit, ErrLengthNotMinimal, ErrMasked,
		ErrControlFragmented, ErrControlTooLong, ErrOrphanContinuation, ErrInterleaved, ErrCloseBody, ErrCloseCode} {
		require.Equal(t, CloseProtocolError, e.CloseCode(), e.Error())
	}
}

func TestNames(t *testing.T) {
	require.Equal(t, "ping", Ping.String())
	require.Equal(t, "opcode 11", Opcode(11).String())
	require.Equal(t, "1006 abnormal", CloseAbnormal.String())
	require.Equal(t, "4001", CloseCode(4001).String())
	for o := range Opcode(20) {
		require.Equal(t, strings.HasPrefix(o.String(), "opcode"), o.IsReserved())
	}
	for c := CloseNormal; c <= CloseTLSHandshake; c++ {
		if c != 1004 {
			require.Greater(t, len(c.String()), 5)
		}
	}
}

// firstBad is the length of the shortest prefix that no continuation makes valid.
func firstBad(p []byte) int {
	for i := 0; i < len(p); {
		_, n := utf8.DecodeRune(p[i:])
		if n == 1 && p[i] >= 0x80 {
			for k := 1; k <= utf8.UTFMax && i+k <= len(p); k++ {
				if !canBecomeValid(p[i : i+k]) {
					return i + k
				}
			}
			return 0 // cut, not bad
		}
		i += n
	}
	return 0
}

// canBecomeValid tries the lowest and highest bytes that could follow.
func canBecomeValid(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	if len(p) >= 4 {
		return false
	}
	for _, b := range []byte{0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF} {
		if canBecomeValid(append(bytes.Clone(p), b)) {
			return true
		}
	}
	return false
}

func TestUTF8FailsAtTheFirstBadByte(t *testing.T) {
	for _, s := range []string{
		"", "plain", "κόσμε", "\xc2", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xed\xa0\x80",
		"\xee\x80\x80", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5", "\xff", "\x80",
		"κόσμε\xf4\x90\x80\x80edited", "a\xe2\x82a", strings.Repeat("x", 100) + "\xff", strings.Repeat("x", 70) + "é" + strings.Repeat("y", 70),
	} {
		var u UTF8
		bad := 0
		for i := 0; i < len(s) && bad == 0; i++ {
			if !u.Feed([]byte{s[i]}) {
				bad = i + 1
			}
		}
		require.Equal(t, firstBad([]byte(s)), bad, "%q", s)
		require.Equal(t, utf8.ValidString(s), bad == 0 && u.Done(), "%q", s)
		require.Equal(t, utf8.ValidString(s), ValidUTF8([]byte(s)), "%q", s)
		if bad > 0 {
			require.False(t, u.Feed([]byte("a")), "stays bad")
			require.False(t, u.Done())
			u.Reset()
			require.True(t, u.Feed([]byte("a")) && u.Done())
		}
	}
}

func TestUTF8AllTwoBytePairs(t *testing.T) {
	for a := range 256 {
		for b := range 256 {
			p := []byte{byte(a), byte(b)}
			require.Equal(t, utf8.Valid(p), ValidUTF8(p))
			var u UTF8
			require.Equal(t, utf8.Valid(p), u.Feed(p) && u.Done())
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	wire := AppendHeader(nil, Header{Fin: true, Opcode: Text, Length: 300})
	body := AppendClose(nil, CloseNormal, "bye")
	p, buf := make([]byte, 300), make([]byte, 0, 16)
	bad := []byte{0x83, 0}
	var u UTF8
	require.Zero(t, testing.AllocsPerRun(100, func() {
		h, _, _ := ParseHeader(wire)
		buf = AppendHeader(buf[:0], h)
		_, _, err := ParseHeader(bad)
		if err != ErrReservedOpcode {
			panic(err)
		}
		Mask(p, [4]byte{1, 2, 3, 4}, 0)
		_, _, _ = ParseClose(body)
		u.Feed(p)
		ValidUTF8(p)
	}))
}
