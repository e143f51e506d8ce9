package stream

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordSize(t *testing.T) {
	for want, b := range map[int][]byte{
		0:         {23, 3, 3, 0},
		5:         {23, 3, 3, 0, 0},
		6:         {23, 3, 3, 0, 1, 0xff},
		maxRecord: {23, 3, 3, 0x48, 0},
	} {
		require.Equal(t, want, recordSize(b))
	}
	require.Equal(t, recordHeader, recordSize([]byte{23, 3, 3, 0x48, 1}), "too long: the header alone")
	require.Equal(t, recordHeader, recordSize([]byte("HTTP/1.1")))
}

// cut feeds wire in pieces and takes all complete records, at most limit of
// them a turn, as a reader with a small buffer would; -1: no limit. It checks
// that records come whole, in order and one at a time, and that memory is bounded.
func cut(t *testing.T, wire []byte, piece func() int, limit int) {
	var r records
	raw, rest := make([]byte, 4096), wire
	var taken []byte
	take := func(size int) {
		require.Equal(t, size, recordSize(r.front()))
		r.lend(size)
		b := make([]byte, size+100)
		n := r.take(b)
		require.Equal(t, size, n, "in one piece, nothing beyond it")
		require.Zero(t, r.take(b[n:]))
		taken = append(taken, b[:n]...)
	}
	for len(rest) > 0 || r.next() > 0 {
		if r.next() == 0 {
			n := copy(raw, rest[:max(1, min(piece(), len(rest)))])
			rest = rest[n:]
			r.feed(raw[:n])
		}
		for i := 0; i != limit; i++ {
			size := r.next()
			if size == 0 {
				break
			}
			take(size)
		}
		r.settle()
		clear(raw) // lent to somebody else
		require.LessOrEqual(t, cap(r.held), 2*(maxRecord+len(raw)))
		require.Equal(t, len(wire)-len(rest)-len(taken), len(r.held)-r.off, "nothing lost")
	}
	require.True(t, bytes.Equal(wire[:len(taken)], taken))
	require.Less(t, len(wire)-len(taken), maxRecord)
	require.True(t, bytes.Equal(wire[len(taken):], r.held[r.off:]))
}

func TestRecordsCutAnywhere(t *testing.T) {
	var wire []byte
	for i, n := range []int{0, 1, 300, 0, 5000, 18432, 2, 700} {
		wire = append(append(wire, 23, 3, 3, byte(n>>8), byte(n)), pattern(n, byte(i))...)
	}
	wire = append(wire, 23, 3, 3, 1, 0, 9, 9) // incomplete
	for _, limit := range []int{-1, 1, 2} {
		for size := range 300 {
			cut(t, wire, func() int { return size + 1 }, limit)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte{23, 3, 3, 0, 2, 1, 2, 23, 3, 3, 0, 0, 21, 3, 3, 0, 2, 1, 0}, []byte{1, 5, 2}, 1)
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), []byte{3}, 3)
	f.Add(append([]byte{23, 3, 3, 0x48, 0}, make([]byte, 18432)...), []byte{255, 1}, 2)
	f.Fuzz(func(t *testing.T, wire, pieces []byte, limit int) {
		if limit &= 3; limit == 0 {
			limit = -1
		}
		i := 0
		wire = wire[:min(len(wire), 3*maxRecord)]
		cut(t, wire, func() int {
			if len(pieces) == 0 {
				return 100
			}
			i++
			return 1 + int(pieces[i%len(pieces)])*16
		}, limit)
	})
}
