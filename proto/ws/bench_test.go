package ws

import (
	"fmt"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// BenchmarkNext is the time of a frame in a read of 64 KiB, which ends inside
// a frame as reads do. The copy into the read buffer is the fake network's.
func BenchmarkNext(b *testing.B) {
	for _, op := range []frame.Opcode{frame.Text, frame.Binary} {
		for _, size := range []int{180, 256} {
			b.Run(fmt.Sprintf("%v/%dB", op, size), func(b *testing.B) {
				one := sf(true, op, strings.Repeat("a", size))
				wire := []byte(strings.Repeat(string(one), readSize/len(one)+2))
				at := 0
				s := &script{reads: make([][]byte, 1)}
				reads := s.reads
				c := New(s, nil, nil)
				c.Lend(stream.NewScratch())
				b.ReportAllocs()
				frames := 0
				for b.Loop() {
					reads[0], s.reads = wire[at:at+readSize], reads
					at = (at + readSize) % len(one)
					if _, err := c.Fill(); err != nil {
						b.Fatal(err)
					}
					for _, ok := c.Next(); ok; _, ok = c.Next() {
						frames++
					}
					c.Release()
				}
				if c.Err() != nil {
					b.Fatal(c.Err())
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(frames), "ns/frame")
			})
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{64, 256} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			s := &script{out: make([]byte, 0, 1<<10)}
			c := New(s, nil, nil)
			p := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				s.out = s.out[:0]
				if err := c.WriteBinary(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCompressed is the time of a message that was, or is to be, compressed,
// and how many bytes it has on the wire.
func BenchmarkCompressed(b *testing.B) {
	for _, reset := range []bool{false, true} {
		kind := "takeover"
		if reset {
			kind = "no takeover"
		}
		z := &Compression{ClientNoContextTakeover: reset, ServerNoContextTakeover: reset}
		for _, size := range []int{200, 1000, 16 << 10} {
			p := quotes(size)
			b.Run(fmt.Sprintf("next/%s/%dB", kind, size), func(b *testing.B) {
				peer := newDeflatePeer(b, z)
				peer.deflate(string(quotes(40 << 10)))
				wire := peer.frame(string(p))
				c, s := compressedConn(&Compression{ServerNoContextTakeover: reset})
				c.Lend(stream.NewScratch())
				if !reset {
					c.inflater.remember(quotesWindow)
				}
				reads := make([][]byte, 1)
				b.ReportAllocs()
				for b.Loop() {
					reads[0], s.reads = wire, reads
					_, _ = c.Fill()
					if _, ok := c.Next(); !ok {
						b.Fatal(c.Err())
					}
					c.Release()
					if !reset { // every message finds the window that it was made with
						c.inflater.window = c.inflater.window[:0]
						c.inflater.remember(quotesWindow)
					}
				}
				b.ReportMetric(float64(len(wire)), "wire-B")
			})
			b.Run(fmt.Sprintf("write/%s/%dB", kind, size), func(b *testing.B) {
				c, s := compressedConn(&Compression{ClientNoContextTakeover: reset, Threshold: 1})
				s.out = make([]byte, 0, 64<<10)
				b.ReportAllocs()
				for b.Loop() {
					s.out = s.out[:0]
					if err := c.WriteText(p); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(s.out)), "wire-B")
			})
		}
	}
}

var quotesWindow = quotes(40 << 10)[8<<10:]
