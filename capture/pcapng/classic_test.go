package pcapng

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassic(t *testing.T) {
	for name, h := range orders {
		for _, c := range []struct {
			magic      uint32
			format     string
			resolution uint8
			time       int64
		}{
			{0xA1B2C3D4, "pcap", 6, 1_790_000_000_123_456_000},
			{0xA1B23C4D, "pcap (nanoseconds)", 9, 1_790_000_000_000_123_456},
		} {
			t.Run(name+" "+c.format, func(t *testing.T) {
				// The high bits of the link type tell of the FCS.
				file := h.classic(c.magic, 0x2400_0000|uint32(LinkSLL2), 123_456, "abc", "", "defgh")
				r := open(t, file)
				require.Equal(t, c.format, r.Format())
				i := &Interface{LinkType: LinkSLL2, SnapLen: 65_535, Resolution: c.resolution}
				got, ok := r.Interface(0)
				require.True(t, ok)
				require.Equal(t, i, got)

				require.Equal(t, Block{Kind: KindInterface, Size: 24, Interface: i}, next(t, r))
				require.Equal(t, Block{Kind: KindPacket, Offset: 24, Size: 19,
					Packet: &Packet{Time: c.time, Length: 4, Data: []byte("abc")}}, next(t, r))
				require.EqualValues(t, 43, r.Whole())
				require.Equal(t, Block{Kind: KindPacket, Offset: 43, Size: 16,
					Packet: &Packet{Time: c.time, Length: 1, Data: []byte{}}}, next(t, r))
				require.Equal(t, Block{Kind: KindPacket, Offset: 59, Size: 21,
					Packet: &Packet{Time: c.time, Length: 6, Data: []byte("defgh")}}, next(t, r))
				wantEnd(t, r, len(file))
			})
		}
	}
}

func TestClassicHostile(t *testing.T) {
	h := orders["little-endian"]
	r := open(t, h.classic(0xA1B2C3D4, 1, 0), h.cat(uint64(0), ^uint32(0), uint32(1)))
	next(t, r)
	for range 2 {
		_, err := r.Next()
		require.ErrorIs(t, err, ErrLimit)
		require.EqualError(t, err, "pcapng: over the limit: at byte 24: pcap record: 4294967295 bytes of data, at most 16777200 are read; whole up to byte 24")
	}

	_, err := NewReader(bytes.NewReader(h.cat(uint32(0xA1B2C3D4), uint16(2), uint16(3), make([]byte, 16))))
	require.ErrorIs(t, err, ErrVersion)
	require.ErrorContains(t, err, "pcap version 2.3, and 2.4 is known")
}

func TestNotACapture(t *testing.T) {
	for _, c := range []struct {
		name, input string
		want        error
		text        string
	}{
		{"nothing", "", ErrTruncated, "pcapng: truncated: at byte 0: the input is empty; whole up to byte 0"},
		{"two bytes", "\x0a\x0d", ErrTruncated, "the input ends after 2 bytes (0a 0d)"},
		{"a section header cut", "\x0a\x0d\x0d\x0a\x1c", ErrTruncated, "a section header: the input ends after 5 bytes"},
		{"a pcap's header cut", "\xd4\xc3\xb2\xa1\x02", ErrTruncated, "the header of a pcap: the input ends after 5 of 24 bytes"},
		{"text", `{"e":"trade","p":1}`, ErrFormat, "pcapng: not a capture file: it begins with 7b 22 65 22 3a 22 74 72 61 64 65 22"},
		{"five bytes", "hello", ErrFormat, "it begins with 68 65 6c 6c 6f"},
		{"no byte order", "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00\x01\x02\x03\x04", ErrFormat, "a section header of pcapng without its byte-order magic"},
		{"zstd", "\x28\xb5\x2f\xfd            ", ErrFormat, "compressed by zstd, decompress it first"},
		{"gzip", "\x1f\x8b\x08\x00            ", ErrFormat, "compressed by gzip, decompress it first"},
		{"Kuznetzov", "\x34\xcd\xb2\xa1            ", ErrFormat, "variant of pcap"},
		{"transfer as text", "\x0d\x0a\x0d\x0d\x0a           ", ErrFormat, "damaged by a transfer as text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := NewReader(strings.NewReader(c.input))
			require.Nil(t, r)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.text)
			require.Zero(t, failure(t, err).Whole)
		})
	}
}
