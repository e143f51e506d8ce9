package pcapng

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// everything is a section with all that depends on the byte order, of an interface
// whose times are microseconds, an hour behind.
func (h hand) everything() []byte {
	const start = 1_790_000_000_000_001
	return bytes.Join([][]byte{
		h.section(h.option(OptUserAppl, "other"), h.option(OptCustom, uint32(pen), "boom")),
		h.iface(LinkEthernet, 262_144, h.option(OptIfName, "eth0"), h.option(OptIfIPv4, []byte{192, 0, 2, 1, 255, 255, 255, 0}),
			h.option(OptIfMAC, []byte{2, 0, 0, 0, 0, 1}), h.option(OptIfSpeed, uint64(1e9)), h.option(OptIfTSResol, uint8(6)),
			h.option(OptIfTZone, uint32(3600)), h.option(OptIfFilter, "\x00tcp"), h.option(OptIfFCSLen, uint8(4)), h.option(OptIfTSOffset, int64(3600)),
			h.option(OptIfTxSpeed, uint64(1e6)), h.option(OptIfRxSpeed, uint64(2e6)), h.option(OptIfTSOffsetNS, int32(-7))),
		h.epb(0, start, "abc", h.option(OptPacketFlags, FlagInbound), h.option(OptPacketHash, "\x02\x01\x02\x03\x04"),
			h.option(OptPacketDropCount, uint64(7)), h.option(OptPacketID, uint64(1)<<40), h.option(OptPacketQueue, uint32(3)),
			h.option(OptPacketVerdict, uint8(2), uint64(2)), h.option(OptPacketVerdict, uint8(0), uint64(0x0101010101010101)),
			h.option(OptPacketProcess, uint32(1234), uint32(5678)), h.option(OptCustomNoCopy, uint32(pen), "\x01\x02")),
		h.block(TypePacket, uint16(0), uint16(9), uint32(start>>32), uint32(start&0xffffffff), uint32(1), uint32(2), "d\x00\x00\x00",
			h.option(OptPacketFlags, FlagOutbound)),
		h.block(TypePacket, uint16(0), uint16(0xffff), uint32(0), uint32(5), uint32(0), uint32(2)),
		h.block(TypeSimplePacket, uint32(5), "12345"),
		h.block(TypeNames, h.option(NameIPv4, "\xc0\x00\x02\x01a.test\x00"), h.option(9, "new"), h.option(NameEnd), h.option(OptNameServer, "ns.test")),
		h.block(TypeSecrets, SecretsTLS, uint32(3), "abc\x00", h.option(OptComment, "keys")),
		h.block(TypeStats, uint32(0), uint32(0), uint32(5), h.option(OptStatsStart, uint32(0), uint32(9)), h.option(OptStatsReceived, uint64(11))),
		h.block(TypeCustom, uint32(pen), "boom"),
	}, nil)
}

// What is read is the same in either order, and as Append writes it.
func TestBothByteOrders(t *testing.T) {
	const hour = 3600 * second
	for name, h := range orders {
		t.Run(name, func(t *testing.T) {
			file := h.everything()
			r := open(t, file)

			require.Equal(t, &Section{BigEndian: h.ByteOrder == binary.BigEndian, Major: 1, Length: -1,
				Options: []Option{Text(OptUserAppl, "other"), Custom(pen, []byte("boom"))}}, next(t, r).Section)
			require.Equal(t, &Interface{LinkType: LinkEthernet, SnapLen: 262_144, Name: "eth0", Resolution: 6, Offset: 3600, OffsetNS: -7,
				Options: []Option{Text(OptIfName, "eth0"), {OptIfIPv4, []byte{192, 0, 2, 1, 255, 255, 255, 0}},
					{OptIfMAC, []byte{2, 0, 0, 0, 0, 1}}, Uint64(OptIfSpeed, 1e9), {OptIfTSResol, []byte{6}}, Uint32(OptIfTZone, 3600),
					Text(OptIfFilter, "\x00tcp"), {OptIfFCSLen, []byte{4}}, Uint64(OptIfTSOffset, 3600), Uint64(OptIfTxSpeed, 1e6),
					Uint64(OptIfRxSpeed, 2e6), Uint32(OptIfTSOffsetNS, 1<<32-7)}}, next(t, r).Interface)

			require.Equal(t, &Packet{Time: 1_790_000_000_000_001_000 + hour - 7, Length: 3, Data: []byte("abc"), Options: []Option{
				Uint32(OptPacketFlags, FlagInbound), {OptPacketHash, []byte{2, 1, 2, 3, 4}}, Uint64(OptPacketDropCount, 7), Uint64(OptPacketID, 1<<40),
				Uint32(OptPacketQueue, 3), {OptPacketVerdict, []byte{2, 2, 0, 0, 0, 0, 0, 0, 0}}, {OptPacketVerdict, []byte{0, 1, 1, 1, 1, 1, 1, 1, 1}},
				{OptPacketProcess, []byte{0xd2, 4, 0, 0, 0x2e, 0x16, 0, 0}}, {OptCustomNoCopy, []byte{0xd9, 0x7e, 0, 0, 1, 2}},
			}}, next(t, r).Packet)
			// Obsolete packet blocks: the count of those lost is an option now.
			require.Equal(t, &Packet{Time: 1_790_000_000_000_001_000 + hour - 7, Length: 2, Data: []byte("d"), Options: []Option{
				Uint32(OptPacketFlags, FlagOutbound), Uint64(OptPacketDropCount, 9)}}, next(t, r).Packet)
			require.Equal(t, &Packet{Time: 5_000 + hour - 7, Length: 2, Data: []byte{}}, next(t, r).Packet)
			require.Equal(t, &Packet{Length: 5, Data: []byte("12345")}, next(t, r).Packet)

			names := next(t, r).Names
			require.Equal(t, []string{"a.test"}, names.Records[0].Names())
			require.Equal(t, NameRecord{9, []byte("new")}, names.Records[1])
			require.Equal(t, []Option{Text(OptNameServer, "ns.test")}, names.Options)
			require.Equal(t, &Secrets{Type: SecretsTLS, Data: []byte("abc"), Options: []Option{Comment("keys")}}, next(t, r).Secrets)
			require.Equal(t, &Stats{Time: 5_000 + hour - 7, Options: []Option{
				Time(OptStatsStart, 9_000+hour-7), Uint64(OptStatsReceived, 11)}}, next(t, r).Stats)
			require.Equal(t, &CustomBlock{PEN: pen, Data: []byte("boom"), Copy: true}, next(t, r).Custom)
			wantEnd(t, r, len(file))
		})
	}
	require.Equal(t, again(t, orders["little-endian"].everything()), again(t, orders["big-endian"].everything()))
}

// Each section has its own byte order and numbers its interfaces from 0.
func TestSectionsStartAnew(t *testing.T) {
	le, be := orders["little-endian"], orders["big-endian"]
	r := open(t,
		le.section(), le.iface(LinkRaw, 0), le.iface(LinkEthernet, 0), le.epb(1, 5, "a"),
		be.section(), be.iface(LinkSLL2, 0, be.option(OptIfTSResol, uint8(9))), be.epb(0, 5, "b"), be.epb(1, 5, "c"),
		le.section(), le.epb(0, 5, "d"))
	for range 4 {
		next(t, r)
	}
	first, ok := r.Interface(1)
	require.True(t, ok)
	require.Equal(t, LinkEthernet, first.LinkType)

	require.True(t, next(t, r).Section.BigEndian)
	_, ok = r.Interface(0)
	require.False(t, ok)
	next(t, r)
	require.EqualValues(t, 5, next(t, r).Packet.Time)
	_, err := r.Next()
	require.ErrorIs(t, err, ErrBlock)
	require.ErrorContains(t, err, "of interface 1, and the section has 1 so far")

	require.False(t, next(t, r).Section.BigEndian)
	_, err = r.Next()
	require.ErrorIs(t, err, ErrBlock)
	_, err = r.Next()
	require.Equal(t, io.EOF, err)
}

// A section of a version that is not known is passed over, as the draft demands;
// blocks of it may look like anything.
func TestUnknownVersionIsPassedOver(t *testing.T) {
	for name, h := range orders {
		t.Run(name, func(t *testing.T) {
			first := h.section()
			other := h.block(TypeSection, uint32(byteOrderMagic), uint16(2), uint16(1), int64(-1))
			r := open(t, first, other, h.block(TypeEnhancedPacket), h.iface(LinkRaw, 0), h.section(), h.iface(LinkIPv6, 0))
			next(t, r)
			_, err := r.Next()
			require.ErrorIs(t, err, ErrVersion)
			require.EqualError(t, err, "pcapng: unknown version: at byte 28: section header: version 2.1, and 1 is known; whole up to byte 28")
			require.Equal(t, KindSection, next(t, r).Kind)
			require.Equal(t, LinkIPv6, next(t, r).Interface.LinkType)
			_, err = r.Next()
			require.Equal(t, io.EOF, err)
		})
	}
}

// Minor versions add nothing that readers must know: some wrote 1.2.
func TestMinorVersionIsRead(t *testing.T) {
	h := orders["little-endian"]
	b := next(t, open(t, h.block(TypeSection, uint32(byteOrderMagic), uint16(1), uint16(2), int64(64))))
	require.Equal(t, &Section{Major: 1, Minor: 2, Length: 64}, b.Section)
}
