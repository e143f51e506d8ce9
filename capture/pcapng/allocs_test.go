package pcapng

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// endless is a file that begins with head and goes on with loop for ever.
type endless struct {
	head, loop []byte
	at         int
}

func (e *endless) Read(p []byte) (int, error) {
	if len(e.head) > 0 {
		n := copy(p, e.head)
		e.head = e.head[n:]
		return n, nil
	}
	n := 0
	for n < len(p) {
		m := copy(p[n:], e.loop[e.at:])
		n += m
		e.at = (e.at + m) % len(e.loop)
	}
	return n, nil
}

// blocks are those of which a long file consists.
func (h hand) blocks() []byte {
	return bytes.Join([][]byte{
		h.epb(0, 5, "abc"),
		h.epb(1, 5, "abc", h.option(OptPacketFlags, FlagInbound), h.option(OptComment, "c"), h.option(OptCustom, uint32(pen), "boom")),
		h.block(TypePacket, uint16(0), uint16(9), uint64(5), uint32(0), uint32(2)),
		h.block(TypeSimplePacket, uint32(5), "12345"),
		h.block(TypeNames, h.option(NameIPv4, "\xc0\x00\x02\x01a.test\x00"), h.option(NameEnd)),
		h.block(TypeSecrets, SecretsTLS, uint32(3), "abc"),
		h.block(TypeStats, uint32(0), uint64(5), h.option(OptStatsStart, uint64(9))),
		h.block(TypeCustom, uint32(pen), "boom"),
		h.block(77, "whatever"),
	}, nil)
}

func TestReadingDoesNotAllocate(t *testing.T) {
	for name, h := range orders {
		head := h.cat(h.section(), h.iface(LinkRaw, 0), h.iface(LinkRaw, 0, h.option(OptIfTSResol, uint8(0x80|20))))
		for _, c := range []struct {
			name       string
			head, loop []byte
		}{
			{"pcapng", head, h.blocks()},
			{"pcap", h.classic(0xA1B2C3D4, 1, 0), h.cat(uint64(5), uint32(3), uint32(3), "abc")},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				r, err := NewReader(&endless{head: c.head, loop: c.loop})
				require.NoError(t, err)
				for range 100 {
					next(t, r)
				}
				require.Zero(t, testing.AllocsPerRun(20_000, func() {
					if _, err := r.Next(); err != nil {
						t.Fatal(err)
					}
				}))
			})
		}
	}
}

func TestAppendingDoesNotAllocate(t *testing.T) {
	options := []Option{Uint32(OptPacketFlags, FlagInbound), Comment("c"), Custom(pen, []byte("boom"))}
	names := []NameRecord{Name(netip.MustParseAddr("192.0.2.1"), "a.test")}
	dst := make([]byte, 0, 4096)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		dst = AppendSection(dst[:0], &Section{Options: options})
		dst = AppendInterface(dst, &Interface{LinkType: LinkRaw, Name: "md", Options: options})
		dst = AppendPacket(dst, &Packet{Time: 5, Data: ping, Options: options})
		dst = AppendSecrets(dst, &Secrets{Type: SecretsTLS, Data: ping})
		dst = AppendNames(dst, &Names{Records: names})
		dst = AppendStats(dst, &Stats{Options: options})
		dst = AppendCustom(dst, &CustomBlock{PEN: pen, Data: ping})
		dst = AppendUnknown(dst, &Unknown{Type: 77, Data: ping})
	}))
}
