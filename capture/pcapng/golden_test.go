package pcapng

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is a file written by hand from the figures of the draft.
const golden = `
	0a0d0d0a 2c000000 4d3c2b1a 0100 0000   | Section Header Block, version 1.0
	ffffffffffffffff                       | of unknown length
	0400 0700 626f6f6d6e6574 00            | shb_userappl "boomnet"
	0000 0000                              | opt_endofopt
	2c000000

	01000000 30000000 6500 0000 ffff0000   | Interface Description Block: LINKTYPE_RAW, snaplen 65,535
	0200 0200 6d64 0000                    | if_name "md"
	0900 0100 09 000000                    | if_tsresol 10^-9
	0100 0300 68c3a9 00                    | opt_comment "hé"
	0000 0000
	30000000

	0a000000 1c000000 4b534c54 05000000    | Decryption Secrets Block: TLS key log of 5 bytes
	612062200a 000000
	1c000000

	04000000 1c000000                      | Name Resolution Block
	0100 0800 c0000201 612e6200            | nrb_record_ipv4: 192.0.2.1 is a.b
	0000 0000                              | nrb_record_end
	1c000000

	06000000 3c000000 00000000             | Enhanced Packet Block: interface 0
	01000000 01000000 03000000 04000000    | at 2^32 + 1 ns, 3 bytes of 4
	616263 00
	0200 0400 02000000                     | epb_flags: outbound
	ad0b 0600 d97e0000 4869 0000           | custom option 2989, PEN 32473, "Hi"
	0000 0000
	3c000000

	ad0b0000 14000000 d97e0000 626f6f6d    | Custom Block, to be copied: PEN 32473, "boom"
	14000000
	ad0b0040 10000000 d97e0000             | Custom Block, not to be copied: no data
	10000000

	42000080 10000000 01020304 10000000    | of local use

	05000000 28000000 00000000             | Interface Statistics Block: interface 0
	01000000 00000000                      | at 2^32 ns
	0400 0800 0500000000000000             | isb_ifrecv 5
	0000 0000
	28000000
`

func goldenBytes(t testing.TB) (p []byte) {
	t.Helper()
	for line := range strings.Lines(golden) {
		line, _, _ = strings.Cut(line, "|")
		b, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		require.NoError(t, err)
		p = append(p, b...)
	}
	return p
}

func TestGolden(t *testing.T) {
	want := goldenBytes(t)

	var got []byte
	got = AppendSection(got, &Section{Options: []Option{Text(OptUserAppl, "boomnet")}})
	got = AppendInterface(got, &Interface{LinkType: LinkRaw, SnapLen: 65_535, Name: "md", Options: []Option{Comment("hé")}})
	got = AppendSecrets(got, &Secrets{Type: SecretsTLS, Data: []byte("a b \n")})
	got = AppendNames(got, &Names{Records: []NameRecord{Name(netip.MustParseAddr("192.0.2.1"), "a.b")}})
	got = AppendPacket(got, &Packet{Time: 1<<32 + 1, Length: 4, Data: []byte("abc"),
		Options: []Option{Uint32(OptPacketFlags, FlagOutbound), Custom(pen, []byte("Hi"))}})
	got = AppendCustom(got, &CustomBlock{PEN: pen, Data: []byte("boom"), Copy: true})
	got = AppendCustom(got, &CustomBlock{PEN: pen})
	got = AppendUnknown(got, &Unknown{Type: 0x8000_0042, Data: []byte{1, 2, 3, 4}})
	got = AppendStats(got, &Stats{Time: 1 << 32, Options: []Option{Uint64(OptStatsReceived, 5)}})
	require.Equal(t, hex.Dump(want), hex.Dump(got))
	require.Equal(t, hex.Dump(want), hex.Dump(again(t, want)))
}

func TestGoldenIsRead(t *testing.T) {
	file := goldenBytes(t)
	r := open(t, file)
	require.Equal(t, "pcapng", r.Format())

	require.Equal(t, Block{Kind: KindSection, Type: TypeSection, Offset: 0, Size: 44,
		Section: &Section{Major: 1, Length: -1, Options: []Option{Text(OptUserAppl, "boomnet")}}}, next(t, r))
	md := &Interface{LinkType: LinkRaw, SnapLen: 65_535, Name: "md", Resolution: 9,
		Options: []Option{Text(OptIfName, "md"), {OptIfTSResol, []byte{9}}, Comment("hé")}}
	require.Equal(t, Block{Kind: KindInterface, Type: TypeInterface, Offset: 44, Size: 48, Interface: md}, next(t, r))
	require.Equal(t, Block{Kind: KindSecrets, Type: TypeSecrets, Offset: 92, Size: 28,
		Secrets: &Secrets{Type: SecretsTLS, Data: []byte("a b \n")}}, next(t, r))

	b := next(t, r)
	require.Equal(t, Block{Kind: KindNames, Type: TypeNames, Offset: 120, Size: 28,
		Names: &Names{Records: []NameRecord{{NameIPv4, []byte("\xc0\x00\x02\x01a.b\x00")}}}}, b)
	addr, ok := b.Names.Records[0].Addr()
	require.True(t, ok)
	require.Equal(t, "192.0.2.1", addr.String())
	require.Equal(t, []string{"a.b"}, b.Names.Records[0].Names())

	b = next(t, r)
	require.Equal(t, Block{Kind: KindPacket, Type: TypeEnhancedPacket, Offset: 148, Size: 60,
		Packet: &Packet{Time: 4_294_967_297, Length: 4, Data: []byte("abc"),
			Options: []Option{Uint32(OptPacketFlags, FlagOutbound), Custom(pen, []byte("Hi"))}}}, b)
	data, ok := CustomData(b.Packet.Options[1], pen)
	require.True(t, ok)
	require.Equal(t, "Hi", string(data))

	require.Equal(t, Block{Kind: KindCustom, Type: TypeCustom, Offset: 208, Size: 20,
		Custom: &CustomBlock{PEN: pen, Data: []byte("boom"), Copy: true}}, next(t, r))
	require.Equal(t, Block{Kind: KindCustom, Type: TypeCustomNoCopy, Offset: 228, Size: 16,
		Custom: &CustomBlock{PEN: pen, Data: []byte{}}}, next(t, r))
	require.Equal(t, Block{Kind: KindUnknown, Type: 0x8000_0042, Offset: 244, Size: 16,
		Unknown: &Unknown{Type: 0x8000_0042, Data: []byte{1, 2, 3, 4}}}, next(t, r))
	require.Equal(t, Block{Kind: KindStats, Type: TypeStats, Offset: 260, Size: 40,
		Stats: &Stats{Time: 4_294_967_296, Options: []Option{Uint64(OptStatsReceived, 5)}}}, next(t, r))
	wantEnd(t, r, len(file))

	i, ok := r.Interface(0) // as long as its section
	require.True(t, ok)
	require.Equal(t, md, i)
	_, ok = r.Interface(1)
	require.False(t, ok)
}
