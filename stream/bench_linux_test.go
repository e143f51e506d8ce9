package stream

import (
	"bytes"
	"crypto/tls"
	"testing"
)

func BenchmarkTCPReadNothing(b *testing.B) {
	s, _ := pair(b, nil)
	p := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Read(p); err != ErrWouldBlock {
			b.Fatal(err)
		}
	}
}

func BenchmarkTCPWriteRead200(b *testing.B) {
	s, peer := pair(b, nil)
	m, p := pattern(200, 0), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Write(m); err != nil {
			b.Fatal(err)
		}
		if _, err := peer.Read(p); err != nil {
			b.Fatal(err)
		}
	}
}

// onePiece gives all that was captured in one read.
type onePiece struct {
	*TCP
	wire []byte
}

func (o *onePiece) Read(p []byte) (int, error) {
	if len(o.wire) == 0 {
		return 0, ErrWouldBlock
	}
	n := copy(p, o.wire)
	o.wire = o.wire[n:]
	return n, nil
}

// A hundred records of 256 bytes in one read: no system call, one record an
// operation.
func BenchmarkTLSReadRecord256(b *testing.B) {
	const records = 100
	s := handshake(b, tls.VersionTLS13, ScratchRaw, nil, &tls.Config{SessionTicketsDisabled: true}, nil)
	s.client.Lend(NewScratch())
	below := &onePiece{TCP: s.lower.TCP}
	s.client.lower, s.tap.hold = below, true
	m, p := bytes.Repeat([]byte{1}, 256), make([]byte, ScratchIn)
	left := 0
	b.ReportAllocs()
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			s.tap.wire = s.tap.wire[:0]
			for range records {
				if _, err := s.server.Write(m); err != nil {
					b.Fatal(err)
				}
			}
			below.wire, left = s.tap.wire, records
			b.StartTimer()
			if n, err := s.client.Read(p); n != records*len(m) {
				b.Fatal(n, err)
			}
		}
		left--
	}
}
