package pcapng

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCommentIsCutAtARune(t *testing.T) {
	require.Equal(t, Option{OptComment, []byte("why\nnot")}, Comment("why\nnot"))
	require.Equal(t, "a\uFFFDb", string(Comment("a\xff\xfeb").Value))
	for n := MaxOption - 4; n <= MaxOption+4; n++ { // the end of each rune in each place
		for _, tail := range []string{"aaaaaaaa", "éééé", "€€€", "😀😀"} {
			text := strings.Repeat("x", n-4) + tail
			v := Comment(text).Value
			require.LessOrEqual(t, len(v), MaxOption)
			require.Greater(t, len(v), min(MaxOption, len(text))-utf8.UTFMax)
			require.True(t, utf8.Valid(v))
			require.True(t, strings.HasPrefix(text, string(v)))
		}
	}
}

func TestCustomData(t *testing.T) {
	o := Custom(pen, []byte("boom"))
	require.Equal(t, Option{OptCustom, []byte{0xd9, 0x7e, 0, 0, 'b', 'o', 'o', 'm'}}, o)
	for _, code := range []uint16{OptCustomText, OptCustom, OptCustomTextNoCopy, OptCustomNoCopy} {
		data, ok := CustomData(Option{code, o.Value}, pen)
		require.True(t, ok)
		require.Equal(t, "boom", string(data))
	}
	for name, o := range map[string]Option{
		"another enterprise": Custom(pen+1, []byte("boom")),
		"too short":          {OptCustom, []byte{0xd9, 0x7e, 0}},
		"no custom option":   {OptComment, o.Value},
	} {
		_, ok := CustomData(o, pen)
		require.False(t, ok, name)
	}
}

func TestValues(t *testing.T) {
	require.Equal(t, "eth0", Option{OptIfName, []byte("eth0\x00rest")}.Text())
	require.Equal(t, "eth0", Option{OptIfName, []byte("eth0")}.Text())

	for _, c := range []struct {
		o    Option
		want uint64
		ok   bool
	}{
		{Uint32(4, 1<<31), 1 << 31, true},
		{Uint64(4, 1<<63), 1 << 63, true},
		{Option{4, []byte{7}}, 7, true},
		{Option{4, []byte{1, 2}}, 0x0201, true},
		{Option{4, nil}, 0, false},
		{Option{4, []byte{1, 2, 3}}, 0, false},
	} {
		v, ok := c.o.Uint()
		require.Equal(t, c.ok, ok)
		require.Equal(t, c.want, v)
	}

	ns, ok := Time(OptStatsEnd, 1_790_000_000_123_456_789).Time()
	require.True(t, ok)
	require.Equal(t, int64(1_790_000_000_123_456_789), ns)
	ns, ok = Time(OptStatsEnd, -1).Time()
	require.True(t, ok)
	require.Zero(t, ns)
	_, ok = Uint32(OptStatsEnd, 1).Time()
	require.False(t, ok)

	options := []Option{Comment("a"), Uint32(OptPacketFlags, 1), Comment("b")}
	o, ok := Find(options, OptComment)
	require.True(t, ok)
	require.Equal(t, "a", o.Text())
	_, ok = Find(options, OptCustom)
	require.False(t, ok)
}

func TestName(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	for _, c := range []struct {
		addr  netip.Addr
		names []string
		want  []string
	}{
		{netip.MustParseAddr("192.0.2.1"), []string{"a.test", "b.test"}, []string{"a.test", "b.test"}},
		{v6, []string{"a.test"}, []string{"a.test"}},
		{v6, nil, nil},
		{netip.MustParseAddr("::ffff:192.0.2.1"), []string{"a.test\x00b.test", ""}, []string{"a.test"}},
		{v6, []string{strings.Repeat("a", MaxOption), "b.test"}, []string{"b.test"}},
	} {
		r := Name(c.addr, c.names...)
		addr, ok := r.Addr()
		require.True(t, ok)
		require.Equal(t, c.addr.Unmap(), addr)
		require.Equal(t, c.want, r.Names())
	}
	for _, r := range []NameRecord{{NameIPv4, []byte("abc")}, {NameIPv6, make([]byte, 15)}, {77, make([]byte, 16)}} {
		_, ok := r.Addr()
		require.False(t, ok)
		require.Nil(t, r.Names())
	}
}

// What does not fit in 16 bits of length would be a broken file.
func TestTooLongIsRefused(t *testing.T) {
	long := make([]byte, MaxOption+1)
	for name, do := range map[string]func(){
		"option":         func() { AppendSection(nil, &Section{Options: []Option{{77, long}}}) },
		"custom option":  func() { AppendPacket(nil, &Packet{Options: []Option{Custom(pen, long[:MaxOption-3])}}) },
		"name record":    func() { AppendNames(nil, &Names{Records: []NameRecord{{77, long}}}) },
		"interface name": func() { AppendInterface(nil, &Interface{Name: string(long)}) },
	} {
		require.Panics(t, do, name)
	}
	fits := AppendPacket(nil, &Packet{Options: []Option{Custom(pen, long[:MaxOption-4])}})
	require.Zero(t, len(fits)%4)
}

// The end of a list is written where it belongs, whatever is in the list.
func TestEndsWithinListsAreLeftOut(t *testing.T) {
	want := AppendNames(nil, &Names{Records: []NameRecord{{NameIPv4, []byte("abcdx\x00")}}, Options: []Option{Comment("c")}})
	got := AppendNames(nil, &Names{
		Records: []NameRecord{{NameEnd, nil}, {NameIPv4, []byte("abcdx\x00")}},
		Options: []Option{{OptEnd, nil}, Comment("c")}})
	require.True(t, bytes.Equal(want, got))
}

// The name in the field counts, and the times are nanoseconds.
func TestInterfaceOptionsOfItsOwn(t *testing.T) {
	i := &Interface{Name: "md", Resolution: 6, Offset: 5, Options: []Option{Text(OptIfName, "eth0"),
		{OptIfTSResol, []byte{6}}, Uint64(OptIfTSOffset, 5), Uint32(OptIfTSOffsetNS, 7), Comment("c")}}
	require.Equal(t, AppendInterface(nil, &Interface{Name: "md", Options: []Option{Comment("c")}}), AppendInterface(nil, i))
	require.Len(t, i.Options, 5)
}
