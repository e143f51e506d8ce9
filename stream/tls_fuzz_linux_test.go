package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzTLSRead sends a client arbitrary things in arbitrary pieces: records
// that are properly sealed, of any type and with any content, and bytes that
// are not. Whatever comes, Read must not panic, not loop, not return (0, nil),
// keep its memory bounded, and deliver exactly what was sealed as data before
// the first thing that ends the connection.
//
// Each step of script is three bytes: a kind, a length, a size of piece.
func FuzzTLSRead(f *testing.F) {
	f.Add([]byte{23, 10, 1, 23, 200, 50, 21, 0, 3}, []byte("payload"), uint16(100))
	f.Add([]byte{22, 5, 2, 22, 5, 9, 23, 0, 1, 23, 1, 1}, keyUpdateAnswer, uint16(1))
	f.Add([]byte{0, 9, 4, 0, 200, 200}, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), uint16(3))
	f.Add([]byte{23, 3, 0, 21, 2, 0, 23, 3, 0}, closeNotify, uint16(30000))
	f.Fuzz(func(t *testing.T, script, content []byte, size uint16) {
		if len(script) > 90 {
			script = script[:90] // longer ones find nothing new
		}
		s, seal, _ := forged(t, 1+int(size)*3%5000)
		s.client.Lend(NewScratch())
		p := make([]byte, 1+int(size))
		var sent, got []byte
		intact := true // nothing but data was sent so far
		var end error
		read := func() {
			// One more than could be needed: a stream that goes on for ever is found.
			for range len(content)*256 + 100_000 {
				n, err := s.client.Read(p)
				require.True(t, n > 0 != (err != nil), "n %d, err %v", n, err)
				require.LessOrEqual(t, cap(s.client.in.held), 2*(maxRecord+ScratchRaw))
				got = append(got, p[:n]...)
				if err == nil {
					continue
				}
				if err == ErrWouldBlock {
					require.False(t, s.client.Buffered())
				} else {
					require.True(t, end == nil || end == err)
					end = err
				}
				if err != ErrWouldBlock || s.lower.max >= 5000 || !moreBelow(s) {
					return
				}
			}
			t.Fatal("reading does not end")
		}
		for ; len(script) >= 3 && end == nil; script = script[3:] {
			kind, n, piece := script[0], int(script[1]), 1+int(script[2])
			payload := content[:min(n, len(content))]
			wire := payload
			switch {
			case kind == typeData || kind == typeAlert || kind == typeHandshake:
				wire = seal.seal(kind, payload, n)
				if intact && kind == typeData {
					sent = append(sent, payload...)
				}
				intact = intact && kind == typeData
			case len(wire) > 0:
				intact = false
			}
			for len(wire) > 0 && end == nil {
				k := min(piece, len(wire))
				s.deliver(t, wire[:k])
				wire = wire[k:]
				read()
			}
		}
		if intact && end == nil {
			require.Equal(t, string(sent), string(got))
		}
		require.Equal(t, string(sent), string(got[:min(len(got), len(sent))]))
		require.NoError(t, s.client.Close())
	})
}

// moreBelow reports whether the kernel has more for the stream.
func moreBelow(s *session) bool {
	more, err := pollNow(s.lower.FD(), 1)
	return more && err == nil
}
