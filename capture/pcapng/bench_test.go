package pcapng

import "testing"

func BenchmarkAppendPacket(b *testing.B) {
	options := []Option{Uint32(OptPacketFlags, FlagInbound), Custom(pen, make([]byte, 40))}
	for _, c := range []struct {
		name string
		p    Packet
	}{
		{"180B", Packet{Time: 1_790_000_000_123_456_789, Data: make([]byte, 180)}},
		{"180B+options", Packet{Time: 1_790_000_000_123_456_789, Data: make([]byte, 180), Options: options}},
		{"1460B", Packet{Time: 1_790_000_000_123_456_789, Data: make([]byte, 1460)}},
	} {
		b.Run(c.name, func(b *testing.B) {
			dst := AppendPacket(nil, &c.p)
			b.SetBytes(int64(len(dst)))
			for b.Loop() {
				dst = AppendPacket(dst[:0], &c.p)
			}
		})
	}
}

func BenchmarkNext(b *testing.B) {
	le, be := orders["little-endian"], orders["big-endian"]
	options := func(h hand) []byte {
		return h.cat(h.option(OptPacketFlags, FlagInbound), h.option(OptCustom, uint32(pen), make([]byte, 40)), h.option(OptEnd))
	}
	for _, c := range []struct {
		name       string
		head, loop []byte
	}{
		{"180B", le.cat(le.section(), le.iface(LinkRaw, 0)), le.epb(0, 5, string(make([]byte, 180)))},
		{"180B+options", le.cat(le.section(), le.iface(LinkRaw, 0)), le.epb(0, 5, string(make([]byte, 180)), options(le))},
		{"180B+options,big-endian", be.cat(be.section(), be.iface(LinkRaw, 0)), be.epb(0, 5, string(make([]byte, 180)), options(be))},
		{"1460B", le.cat(le.section(), le.iface(LinkRaw, 0)), le.epb(0, 5, string(make([]byte, 1460)))},
		{"pcap", le.classic(0xA1B23C4D, 1, 0), le.cat(uint64(5), uint32(180), uint32(180), make([]byte, 180))},
	} {
		b.Run(c.name, func(b *testing.B) {
			r, err := NewReader(&endless{head: c.head, loop: c.loop})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(c.loop)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
