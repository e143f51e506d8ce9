package pcapng

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// Each lie about a length is found, said with its values, and does no harm.
func TestHostileLengths(t *testing.T) {
	for name, h := range orders {
		good := h.cat(h.section(), h.iface(LinkRaw, 4))
		for _, c := range []struct {
			name  string
			block []byte
			want  error
			text  string
		}{
			// What surrounds a block: nothing behind it can be found.
			{"zeros", make([]byte, 16), ErrLength, "16 zero bytes, and then something else"},
			{"zeros at its end", h.cat(uint32(77), uint32(12), uint32(0)), ErrLength, "a block of 12 bytes that ends in zeros, and behind it 0 zero bytes, and then something else"},
			{"length 0", h.cat(uint32(6), uint32(0), uint32(0)), ErrLength, "enhanced packet: length 0, at least 12"},
			{"length 8", h.cat(uint32(6), uint32(8), uint32(8)), ErrLength, "enhanced packet: length 8, at least 12"},
			{"length 13", h.cat(uint32(77), uint32(13), uint32(0), uint32(13)), ErrLength, "block of type 0x4d: length 13 is not a multiple of 4"},
			{"another length at the end", h.cat(uint32(77), uint32(12), uint32(16)), ErrLength, "length 12 at its begin and 16 at its end"},
			{"more than the limit", h.cat(uint32(77), uint32(MaxBlock+4)), ErrLimit, "length 16777220, at most 16777216 are read"},
			{"the most", h.cat(uint32(77), ^uint32(3)), ErrLimit, "length 4294967292, at most 16777216 are read"},
			{"the limit, cut off", h.cat(uint32(77), uint32(MaxBlock)), ErrTruncated, "the input ends after"},
			{"no byte order", h.cat(TypeSection, uint32(28), uint32(0x1A2B3C4E)), ErrLength, "byte-order magic 0x"},

			// What is inside: the next block is found.
			{"short section", h.block(TypeSection, uint32(byteOrderMagic)), ErrBlock, "section header: length 16, at least 28"},
			{"short interface", h.block(TypeInterface, uint32(1)), ErrBlock, "interface: length 16, at least 20"},
			{"short packet", h.block(TypeEnhancedPacket, uint64(0), uint64(0)), ErrBlock, "enhanced packet: length 28, at least 32"},
			{"short obsolete packet", h.block(TypePacket), ErrBlock, "packet (obsolete): length 12, at least 32"},
			{"short simple packet", h.block(TypeSimplePacket), ErrBlock, "simple packet: length 12, at least 16"},
			{"short names", h.block(TypeNames), ErrBlock, "name resolution: length 12, at least 16"},
			{"short statistics", h.block(TypeStats, uint64(0)), ErrBlock, "interface statistics: length 20, at least 24"},
			{"short secrets", h.block(TypeSecrets, uint32(0)), ErrBlock, "decryption secrets: length 16, at least 20"},
			{"short custom block", h.block(TypeCustom), ErrBlock, "custom block: length 12, at least 16"},
			{"data longer than the packet", h.block(TypeEnhancedPacket, uint32(0), uint64(0), uint32(5), uint32(5), "1234"), ErrBlock,
				"5 bytes of data, and 4 are left in the block"},
			{"all data that there can be", h.block(TypeEnhancedPacket, uint32(0), uint64(0), ^uint32(0), uint32(5), "1234"), ErrBlock,
				"4294967295 bytes of data, and 4 are left in the block"},
			{"data longer than the obsolete packet", h.block(TypePacket, uint32(0), uint64(0), uint32(5), uint32(5), "1234"), ErrBlock, "5 bytes of data"},
			{"simple packet longer than it is", h.block(TypeSimplePacket, uint32(4)), ErrBlock, "4 bytes of data, and 0 are left"},
			{"secrets longer than the block", h.block(TypeSecrets, SecretsTLS, uint32(9), "12345678"), ErrBlock, "9 bytes of secrets, and 8 are left"},
			{"packet of no interface", h.epb(1, 0, ""), ErrBlock, "it is of interface 1, and the section has 1 so far"},
			{"packet of the last interface", h.epb(^uint32(0), 0, ""), ErrBlock, "it is of interface 4294967295"},
			{"statistics of no interface", h.block(TypeStats, uint32(2), uint64(0)), ErrBlock, "it is of interface 2"},
			{"option longer than the block", h.epb(0, 0, "", h.cat(OptComment, uint16(5), "1234")), ErrBlock,
				"option 1 has 5 bytes, and 4 are left in the block"},
			{"section's option", h.section(h.cat(OptComment, uint16(0xffff))), ErrBlock, "option 1 has 65535 bytes, and 0 are left"},
			{"interface's option", h.iface(0, 0, h.cat(OptComment, uint16(1))), ErrBlock, "option 1 has 1 bytes"},
			{"secrets' option", h.block(TypeSecrets, uint32(0), uint32(0), h.cat(OptComment, uint16(1))), ErrBlock, "option 1 has 1 bytes"},
			{"statistics' option", h.block(TypeStats, uint32(0), uint64(0), h.cat(OptComment, uint16(1))), ErrBlock, "option 1 has 1 bytes"},
			{"obsolete packet's option", h.block(TypePacket, uint32(0), uint64(0), uint64(0), h.cat(OptComment, uint16(1))), ErrBlock, "option 1 has 1 bytes"},
			{"names' option", h.block(TypeNames, h.option(NameEnd), h.cat(OptComment, uint16(1))), ErrBlock, "option 1 has 1 bytes"},
			{"record longer than the block", h.block(TypeNames, h.cat(NameIPv4, uint16(9), "12345678")), ErrBlock, "record 1 has 9 bytes, and 8 are left"},
			{"record shorter than its address", h.block(TypeNames, h.option(NameIPv6, "123456789012345")), ErrBlock,
				"a record of type 2 has 15 bytes, and its address 16"},
			{"custom option without its enterprise", h.epb(0, 0, "", h.option(OptCustom, "123")), ErrBlock, "custom option 2989 has 3 bytes, at least 4"},
			{"long unit of time", h.iface(0, 0, h.option(OptIfTSResol, uint16(9))), ErrBlock, "option 9 has 2 bytes, not 1"},
			{"short offset", h.iface(0, 0, h.option(OptIfTSOffset, uint32(9))), ErrBlock, "option 14 has 4 bytes, not 8"},
			{"no offset", h.iface(0, 0, h.option(OptIfTSOffsetNS)), ErrBlock, "option 19 has 0 bytes, not 4"},
			{"too great an offset", h.iface(0, 0, h.option(OptIfTSOffsetNS, int32(-second))), ErrBlock, "if_tsoffset_ns is -1000000000, not within a second"},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				r := open(t, good, c.block, h.section())
				next(t, r)
				next(t, r)
				_, err := r.Next()
				require.ErrorIs(t, err, c.want)
				require.ErrorContains(t, err, c.text)
				require.EqualValues(t, len(good), failure(t, err).Offset)
				require.EqualValues(t, len(good), failure(t, err).Whole)
				require.EqualValues(t, len(good), r.Whole())

				b, after := r.Next()
				if c.want == ErrBlock {
					require.NoError(t, after)
					require.Equal(t, KindSection, b.Kind)
					wantEnd(t, r, len(good)+len(c.block)+len(h.section()))
				} else {
					require.Equal(t, err, after)
				}
			})
		}
	}
}

// An interface that is wrong keeps its number: the packets of those behind it stay
// with theirs.
func TestWrongInterfaceKeepsItsNumber(t *testing.T) {
	h := orders["little-endian"]
	r := open(t, h.section(), h.iface(LinkRaw, 0, h.option(OptIfTSOffset)), h.iface(LinkIPv6, 0), h.epb(1, 0, ""))
	next(t, r)
	_, err := r.Next()
	require.ErrorIs(t, err, ErrBlock)
	next(t, r)
	i, ok := r.Interface(next(t, r).Packet.Interface)
	require.True(t, ok)
	require.Equal(t, LinkIPv6, i.LinkType)
}

func TestSimplePacketNeedsAnInterface(t *testing.T) {
	h := orders["little-endian"]
	r := open(t, h.section(), h.block(TypeSimplePacket, uint32(0)))
	next(t, r)
	_, err := r.Next()
	require.ErrorIs(t, err, ErrBlock)
	require.ErrorContains(t, err, "simple packet: it is of interface 0, and the section has 0 so far")
}

// What is odd and harmless is read.
func TestLeniency(t *testing.T) {
	h := orders["little-endian"]
	for _, c := range []struct {
		name  string
		block []byte
		want  Packet
	}{
		{"options without an end", h.epb(0, 0, "", h.option(OptComment, "c")), Packet{Data: []byte{}, Options: []Option{Comment("c")}}},
		{"options behind the end", h.epb(0, 0, "", h.option(OptEnd), h.option(OptComment, "c")), Packet{Data: []byte{}}},
		{"flags of another length", h.epb(0, 0, "", h.option(OptPacketFlags, uint16(1))), Packet{Data: []byte{}, Options: []Option{{OptPacketFlags, []byte{1, 0}}}}},
		{"original less than captured", h.block(TypeEnhancedPacket, uint32(0), uint64(0), uint32(4), uint32(3), "1234"), Packet{Length: 3, Data: []byte("1234")}},
		{"more than snaplen", h.epb(0, 0, "123456789"), Packet{Length: 9, Data: []byte("123456789")}},
		{"simple packet cut at snaplen", h.block(TypeSimplePacket, uint32(9), "1234"), Packet{Length: 9, Data: []byte("1234")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, h.section(), h.iface(LinkRaw, 4), c.block)
			next(t, r)
			next(t, r)
			require.Equal(t, &c.want, next(t, r).Packet)
		})
	}
}

// ends are where blocks of the file end.
func ends(t *testing.T, file []byte) (at map[int64]bool) {
	r := open(t, file)
	at = map[int64]bool{}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return at
		}
		require.NoError(t, err)
		at[b.Offset+b.Size] = true
	}
}

// A file cut anywhere is read up to its last whole block, which Whole tells.
func TestTruncatedAnywhere(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcapng":     appendAll(nil),
		"big-endian": orders["big-endian"].everything(),
		"pcap":       orders["big-endian"].classic(0xA1B2C3D4, 1, 5, "abc", "", "defgh"),
	} {
		t.Run(name, func(t *testing.T) {
			at := ends(t, file)
			require.True(t, at[int64(len(file))])
			whole := int64(0)
			for n := range len(file) {
				if at[int64(n)] {
					whole = int64(n)
				}
				for _, source := range []func(io.Reader) io.Reader{
					func(r io.Reader) io.Reader { return r }, iotest.DataErrReader, iotest.OneByteReader, brokenOff} {
					r, err := NewReader(source(bytes.NewReader(file[:n])))
					for err == nil {
						_, err = r.Next()
					}
					if errors.Is(err, io.EOF) {
						require.True(t, at[int64(n)], n)
					} else {
						require.ErrorIs(t, err, ErrTruncated, n)
						require.Equal(t, whole, failure(t, err).Whole, n)
						require.Equal(t, whole, failure(t, err).Offset, n)
					}
					if r != nil {
						require.Equal(t, whole, r.Whole(), n)
					}
				}
			}
		})
	}
}

// brokenOff ends like a decompressor whose input was cut.
func brokenOff(r io.Reader) io.Reader {
	return io.MultiReader(r, iotest.ErrReader(io.ErrUnexpectedEOF))
}

func TestBrokenOffBetweenBlocks(t *testing.T) {
	file := goldenBytes(t)
	r, err := NewReader(brokenOff(bytes.NewReader(file)))
	for err == nil {
		_, err = r.Next()
	}
	require.EqualError(t, err, "pcapng: truncated: at byte 300: the input broke off between two blocks; whole up to byte 300")
}

func TestErrorTexts(t *testing.T) {
	file := goldenBytes(t)
	r := open(t, file[:160])
	var err error
	for err == nil {
		_, err = r.Next()
	}
	require.EqualError(t, err, "pcapng: truncated: at byte 148: enhanced packet: the input ends after 12 of 60 bytes; whole up to byte 148")
}

// A power failure leaves zeros where the file had grown and nothing was written yet.
func TestZerosUpToTheEnd(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcapng": goldenBytes(t),
		"pcap":   orders["little-endian"].classic(0xA1B2C3D4, 1, 5, "abc"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{16, 17, 4096, 3*readSize + 1} {
				r := open(t, file, make([]byte, n))
				var err error
				for err == nil {
					_, err = r.Next()
				}
				require.ErrorIs(t, err, ErrTruncated)
				require.EqualError(t, err, fmt.Sprintf("pcapng: truncated: at byte %d: zero bytes up to the end, %d of them, as a power failure leaves; whole up to byte %d",
					len(file), n, len(file)))
				require.Len(t, r.buf, readSize)

				r = open(t, file, make([]byte, n), []byte("x"))
				for err = nil; err == nil; {
					_, err = r.Next()
				}
				require.ErrorIs(t, err, ErrLength)
				require.ErrorContains(t, err, fmt.Sprintf("%d zero bytes, and then something else", n))
				require.EqualValues(t, len(file), r.Whole())
			}
		})
	}
}

// The same, and the file had grown in the middle of a block.
func TestTornBlock(t *testing.T) {
	file := goldenBytes(t)
	const from, to = 148, 208 // the packet
	for n := from + 5; n <= to; n++ {
		torn := append(bytes.Clone(file[:n]), make([]byte, 4096)...)
		r := open(t, torn)
		var err error
		for err == nil {
			_, err = r.Next()
		}
		require.ErrorIs(t, err, ErrTruncated, n)
		if n > to-4 { // of its length at the end one byte is not zero
			require.EqualValues(t, to, r.Whole(), n)
			continue
		}
		require.EqualValues(t, from, r.Whole(), n)
		require.ErrorContains(t, err, fmt.Sprintf("a block of 60 bytes that ends in zeros, and behind it zero bytes up to the end, %d of them", len(torn)-to))
	}
}

// An error of the input is passed on, and what came before it is read.
func TestInputFails(t *testing.T) {
	broken := errors.New("input/output error")
	file := goldenBytes(t)
	_, err := NewReader(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)

	r, err := NewReader(io.MultiReader(bytes.NewReader(file[:100]), iotest.ErrReader(broken)))
	require.NoError(t, err)
	next(t, r)
	next(t, r)
	for range 2 {
		_, err = r.Next()
		require.ErrorIs(t, err, broken)
		require.EqualError(t, err, "pcapng: reading: input/output error: at byte 92: decryption secrets; whole up to byte 92")
	}

	r, err = NewReader(io.MultiReader(bytes.NewReader(file[:100]), silent{}))
	for err == nil {
		_, err = r.Next()
	}
	require.ErrorIs(t, err, io.ErrNoProgress)
}

// silent reads nothing and says nothing.
type silent struct{}

func (silent) Read([]byte) (int, error) { return 0, nil }
