package pcapng

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// short reads at most n bytes at a time.
type short struct {
	io.Reader
	n int
}

func (s short) Read(p []byte) (int, error) { return s.Reader.Read(p[:min(len(p), s.n)]) }

// readAll reads a file as far as it goes. It returns what Append made of it, whether
// all of it is in there, what was passed over, and why it ended.
func readAll(t *testing.T, file []byte, n, maxBlock int) (out []byte, passed []error, whole int64, end error) {
	r, err := NewReader(short{bytes.NewReader(file), n})
	if err != nil {
		return nil, nil, failure(t, err).Whole, err
	}
	r.SetMaxBlock(maxBlock)
	if r.classic != nil {
		out = AppendSection(out, &Section{})
	}
	for at := int64(0); ; {
		b, err := r.Next()
		require.GreaterOrEqual(t, r.Whole(), whole)
		require.LessOrEqual(t, r.Whole(), int64(len(file)))
		whole = r.Whole()
		switch {
		case err == nil:
			require.GreaterOrEqual(t, b.Offset, at)
			require.Equal(t, whole, b.Offset+b.Size)
			at = whole
			out = appendBlock(out, b)
		case passable(err):
			require.Equal(t, whole, failure(t, err).Whole)
			passed = append(passed, err)
			require.LessOrEqual(t, len(passed), len(file)/minBlock)
		default:
			require.LessOrEqual(t, len(r.buf), maxBlock+readSize)
			require.LessOrEqual(t, cap(r.options), 2*MaxOptions)
			return out, passed, whole, err
		}
	}
}

// FuzzReader: no input does harm. What was read and appended again reads the same;
// a file cut at Whole is whole.
func FuzzReader(f *testing.F) {
	for _, h := range orders {
		f.Add(h.everything(), uint16(7))
		f.Add(h.classic(0xA1B2C3D4, 1, 5, "abc", "", "defgh"), uint16(1))
		f.Add(h.classic(0xA1B23C4D, 101, 5, string(ping)), uint16(100))
		f.Add(h.cat(h.section(), h.iface(LinkRaw, 4, h.option(OptIfTSResol, uint8(0x80|64))), h.blocks()), uint16(9999))
		f.Add(h.cat(h.section(), h.epb(0, 0, ""), h.block(TypeSection, uint32(byteOrderMagic), uint16(3), uint16(0), int64(-1)), h.block(77), h.section()), uint16(12))
	}
	f.Add(appendAll(appendAll(nil)), uint16(1000))
	f.Add(goldenBytes(f), uint16(64))
	f.Add(append(goldenBytes(f)[:180], make([]byte, 100)...), uint16(64))
	f.Fuzz(func(t *testing.T, file []byte, n uint16) {
		const maxBlock = 1 << 20
		out, passed, whole, end := readAll(t, file, int(n)+1, maxBlock)
		if !errors.Is(end, io.EOF) {
			require.EqualValues(t, whole, failure(t, end).Whole)
			if errors.Is(end, ErrTruncated) && whole > 0 {
				sameOut, samePassed, sameWhole, sameEnd := readAll(t, file[:whole], len(file)+1, maxBlock)
				require.Equal(t, io.EOF, sameEnd)
				require.Equal(t, whole, sameWhole)
				require.True(t, bytes.Equal(out, sameOut))
				require.LessOrEqual(t, len(samePassed), len(passed)) // those behind Whole have gone
			}
		}
		if len(passed) > 0 || len(out) == 0 {
			return // an interface may be missing
		}
		twice, passed, whole, end := readAll(t, out, len(out), 2*maxBlock)
		require.Equal(t, io.EOF, end)
		require.Empty(t, passed)
		require.EqualValues(t, len(out), whole)
		require.True(t, bytes.Equal(out, twice))
	})
}

// FuzzTimes: the fast way and the exact one agree.
func FuzzTimes(f *testing.F) {
	f.Add(uint64(1_790_000_000_123_456_789), uint8(9), int64(0), int32(0))
	f.Add(^uint64(0), uint8(0x80|63), int64(-1<<63), int32(-1))
	f.Fuzz(func(t *testing.T, units uint64, resolution uint8, offset int64, offsetNS int32) {
		require.Equal(t, exact(units, resolution, offset, offsetNS), nanoseconds(units, resolution, offset, offsetNS))
	})
}
