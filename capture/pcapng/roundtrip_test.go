package pcapng

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const pen = 32473 // RFC 5612: for examples

// appendAll appends a block of every kind, each with options where it has some.
func appendAll(dst []byte) []byte {
	comment := Comment("größer als nötig")
	dst = AppendSection(dst, &Section{Options: []Option{
		Text(OptHardware, "a computer"), Text(OptOS, "an OS"), Text(OptUserAppl, "boomnet"), comment, Custom(pen, []byte("boom1"))}})
	dst = AppendInterface(dst, &Interface{LinkType: LinkRaw, SnapLen: 65_535, Name: "md", Options: []Option{
		Text(OptIfDescription, "market data"), Uint64(OptIfSpeed, 10_000_000_000), comment}})
	dst = AppendInterface(dst, &Interface{LinkType: LinkEthernet, Options: []Option{Text(OptIfName, "eth0")}})
	dst = AppendSecrets(dst, &Secrets{Type: SecretsTLS, Data: []byte("CLIENT_RANDOM 00 01\n"), Options: []Option{comment}})
	dst = AppendNames(dst, &Names{
		Records: []NameRecord{
			Name(netip.MustParseAddr("192.0.2.1"), "feed.venue.test", "a.venue.test"),
			Name(netip.MustParseAddr("2001:db8::1"), "feed.venue.test")},
		Options: []Option{Text(OptNameServer, "ns.venue.test"), {Code: OptNameServerIPv4, Value: []byte{192, 0, 2, 53}}}})
	dst = AppendPacket(dst, &Packet{Interface: 0, Time: 1_790_000_000_123_456_789, Length: 9, Data: ping, Options: []Option{
		Uint32(OptPacketFlags, FlagInbound), Uint64(OptPacketDropCount, 3), comment, Custom(pen, []byte("boom2"))}})
	dst = AppendPacket(dst, &Packet{Interface: 1, Time: 0})
	dst = AppendCustom(dst, &CustomBlock{PEN: pen, Data: []byte("boom"), Copy: true})
	dst = AppendCustom(dst, &CustomBlock{PEN: pen, Data: []byte("boom!")})
	dst = AppendUnknown(dst, &Unknown{Type: 0x8000_0042, Data: []byte("whatever")})
	return AppendStats(dst, &Stats{Interface: 0, Time: 1_790_000_001_000_000_000, Options: []Option{
		Time(OptStatsStart, 1_790_000_000_000_000_000), Time(OptStatsEnd, 1_790_000_001_000_000_000),
		Uint64(OptStatsReceived, 2), Uint64(OptStatsDropped, 0), comment}})
}

// ping is an IPv4 packet, ICMP echo.
var ping = []byte{0x45, 0, 0, 29, 0, 1, 0, 0, 64, 1, 0xf6, 0xd9, 192, 0, 2, 1, 192, 0, 2, 2, 8, 0, 0xb6, 0xfe, 0, 0, 0, 0, 'A'}

// appendBlock appends what was read.
func appendBlock(dst []byte, b Block) []byte {
	switch b.Kind {
	case KindSection:
		return AppendSection(dst, b.Section)
	case KindInterface:
		return AppendInterface(dst, b.Interface)
	case KindPacket:
		return AppendPacket(dst, b.Packet)
	case KindNames:
		return AppendNames(dst, b.Names)
	case KindStats:
		return AppendStats(dst, b.Stats)
	case KindSecrets:
		return AppendSecrets(dst, b.Secrets)
	case KindCustom:
		return AppendCustom(dst, b.Custom)
	case KindUnknown:
		return AppendUnknown(dst, b.Unknown)
	}
	panic("no kind")
}

// again reads a file and appends all that was read.
func again(t testing.TB, file []byte) []byte {
	t.Helper()
	r, err := NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	var out []byte
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = appendBlock(out, b)
	}
}

func TestWhatIsReadAppendsTheSame(t *testing.T) {
	file := appendAll(appendAll(nil)) // two sections
	got := again(t, file)
	require.Equal(t, len(file), len(got))
	require.Equal(t, got, again(t, got))
}

func TestKinds(t *testing.T) {
	var got []string
	for k := range KindUnknown + 2 {
		got = append(got, k.String())
	}
	require.Equal(t, []string{"kind 0", "section", "interface", "packet", "names", "statistics", "secrets", "custom", "unknown", "kind 9"}, got)
}
