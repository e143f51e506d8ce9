package pcapng

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// hand writes files by hand, in either byte order, right or wrong.
type hand struct{ binary.ByteOrder }

var orders = map[string]hand{"little-endian": {binary.LittleEndian}, "big-endian": {binary.BigEndian}}

// cat appends numbers in the byte order, bytes and strings as they are.
func (h hand) cat(parts ...any) (p []byte) {
	for _, part := range parts {
		switch v := part.(type) {
		case string:
			p = append(p, v...)
		case []byte:
			p = append(p, v...)
		default:
			var err error
			if p, err = binary.Append(p, h.ByteOrder, v); err != nil {
				panic(err)
			}
		}
	}
	return p
}

// block is a block with its lengths, padded.
func (h hand) block(typ uint32, parts ...any) []byte {
	body := h.cat(parts...)
	body = append(body, padding[:padded(len(body))-len(body)]...)
	n := uint32(minBlock + len(body))
	return h.cat(typ, n, body, n)
}

// option is an option or a record, padded.
func (h hand) option(code uint16, parts ...any) []byte {
	v := h.cat(parts...)
	p := h.cat(code, uint16(len(v)), v)
	return append(p, padding[:padded(len(v))-len(v)]...)
}

func (h hand) section(options ...any) []byte {
	return h.block(TypeSection, uint32(byteOrderMagic), uint16(1), uint16(0), int64(-1), h.cat(options...))
}

func (h hand) iface(link uint16, snap uint32, options ...any) []byte {
	return h.block(TypeInterface, link, uint16(0), snap, h.cat(options...))
}

// epb is an enhanced packet block of all the data, which are padded.
func (h hand) epb(iface uint32, time uint64, data string, options ...any) []byte {
	n := uint32(len(data))
	return h.block(TypeEnhancedPacket, iface, uint32(time>>32), uint32(time), n, n,
		data, padding[:padded(len(data))-len(data)], h.cat(options...))
}

// classic is a classic pcap of one record for each of data.
func (h hand) classic(magic uint32, link, fraction uint32, data ...string) []byte {
	p := h.cat(magic, uint16(2), uint16(4), uint64(0), uint32(65_535), link)
	for _, d := range data {
		p = append(p, h.cat(uint32(1_790_000_000), fraction, uint32(len(d)), uint32(len(d)+1), d)...)
	}
	return p
}

func open(t testing.TB, file ...[]byte) *Reader {
	t.Helper()
	r, err := NewReader(bytes.NewReader(bytes.Join(file, nil)))
	require.NoError(t, err)
	return r
}

// next is a block without error.
func next(t testing.TB, r *Reader) Block {
	t.Helper()
	b, err := r.Next()
	require.NoError(t, err)
	return b
}

// wantEnd checks that the input ends here, again and again.
func wantEnd(t testing.TB, r *Reader, size int) {
	t.Helper()
	for range 2 {
		_, err := r.Next()
		require.Equal(t, io.EOF, err)
	}
	require.EqualValues(t, size, r.Whole())
}

// failure is the *Error inside err.
func failure(t testing.TB, err error) *Error {
	t.Helper()
	var e *Error
	require.True(t, errors.As(err, &e), "%v", err)
	return e
}
