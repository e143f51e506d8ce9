package pcapng

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMaxBlock(t *testing.T) {
	big := AppendPacket(nil, &Packet{Data: make([]byte, 1<<20)})
	head := AppendInterface(AppendSection(nil, &Section{}), &Interface{})
	for _, limit := range []int{len(big), len(big) - 4, 0} {
		r := open(t, head, big)
		r.SetMaxBlock(limit)
		next(t, r)
		next(t, r)
		b, err := r.Next()
		if limit == len(big) {
			require.NoError(t, err)
			require.Len(t, b.Packet.Data, 1<<20)
			continue
		}
		require.ErrorIs(t, err, ErrLimit)
		require.EqualValues(t, len(head), r.Whole())
	}
}

// A length is a promise: memory is taken for what has come.
func TestPromisedLengthTakesNoMemory(t *testing.T) {
	h := orders["little-endian"]
	r := open(t, h.section(), h.cat(uint32(77), uint32(MaxBlock), make([]byte, 1000)))
	next(t, r)
	_, err := r.Next()
	require.ErrorIs(t, err, ErrTruncated)
	require.Len(t, r.buf, readSize)
}

// The buffer is as long as the longest block may be, and a read more.
func TestBufferIsBounded(t *testing.T) {
	head := AppendInterface(AppendSection(nil, &Section{}), &Interface{})
	largest := AppendUnknown(nil, &Unknown{Type: 77, Data: make([]byte, MaxBlock-minBlock)})
	small := AppendPacket(nil, &Packet{Data: ping})
	r := open(t, head, small, largest, small, largest, largest)
	for {
		if _, err := r.Next(); err != nil {
			require.Equal(t, io.EOF, err)
			break
		}
		require.LessOrEqual(t, cap(r.buf), 2*(MaxBlock+readSize)) // append may round up
	}
	require.LessOrEqual(t, len(r.buf), MaxBlock+readSize)
}

func TestManyInterfaces(t *testing.T) {
	h := orders["little-endian"]
	one := h.iface(LinkRaw, 0)
	for _, c := range []struct {
		name string
		one  []byte
		n    int // that are read
		text string
	}{
		{"interfaces", one, MaxInterfaces, "interface: the section has more than 65536"},
		{"bytes", h.iface(LinkRaw, 0, bytes.Repeat(h.option(OptComment, make([]byte, 1<<15)), 30)), 17, "those of the section have more than 16777216 bytes together"},
		{"options", h.iface(LinkRaw, 0, bytes.Repeat(h.option(OptComment), 1000)), 65, "those of the section have more than 65536 options together"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := open(t, h.section(), bytes.Repeat(c.one, c.n), h.section(), bytes.Repeat(c.one, c.n+1))
			for range 1 + c.n + 1 + c.n {
				next(t, r)
			}
			for range 2 {
				_, err := r.Next()
				require.ErrorIs(t, err, ErrLimit)
				require.ErrorContains(t, err, c.text)
			}
		})
	}
}

func TestManyOptions(t *testing.T) {
	h := orders["little-endian"]
	for _, c := range []struct {
		name string
		one  []byte
		typ  uint32
		text string
	}{
		{"options", h.option(OptComment), TypeSection, "more than 65536 options"},
		{"records", h.option(9), TypeNames, "more than 65536 records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			block := func(n int) []byte {
				list := bytes.Repeat(c.one, n)
				if c.typ == TypeSection {
					return h.section(list)
				}
				return h.block(c.typ, list)
			}
			r := open(t, h.section(), block(MaxOptions), block(MaxOptions+1), h.section())
			next(t, r)
			next(t, r)
			_, err := r.Next()
			require.ErrorIs(t, err, ErrBlock)
			require.ErrorContains(t, err, c.text)
			require.Equal(t, KindSection, next(t, r).Kind)
		})
	}
}
