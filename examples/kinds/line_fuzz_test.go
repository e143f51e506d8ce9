package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/stream"
)

// pieces is a stream that delivers text in pieces whose sizes cuts tells.
type pieces struct {
	stream.Unqueued
	text []byte
	cuts []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.text) == 0 {
		return 0, io.EOF
	}
	size := len(p.text)
	if len(p.cuts) > 0 {
		size = 1 + int(p.cuts[0])
		p.cuts = p.cuts[1:]
	}
	n := copy(b, p.text[:min(size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

func (p *pieces) Write(b []byte) (int, error)        { return len(b), nil }
func (p *pieces) WriteControl(b []byte) (int, error) { return len(b), nil }
func (p *pieces) Source() stream.Source              { return stream.Source{FD: -1} }
func (p *pieces) Close() error                       { return nil }

// FuzzLines compares what arrives in pieces with what a split of the whole says.
func FuzzLines(f *testing.F) {
	long := strings.Repeat("x", MaxLine)
	f.Add([]byte("a\r\nb\n\nc"), []byte{0, 1, 2})
	f.Add([]byte(long+"\r\n"+long+"\n"), []byte{255})
	f.Add([]byte(long+"x\n"), []byte{})
	f.Add([]byte("\r\r\n\r"), []byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		var got, want []string
		l := &Line{OnLine: func(_ *LineConn, line []byte) error {
			got = append(got, string(line))
			return nil
		}}
		c := &LineConn{line: l, stream: &pieces{text: bytes.Clone(text), cuts: cuts}}
		var err error
		for err == nil {
			_, err = c.OnReady()
		}

		lines := bytes.Split(text, []byte{'\n'})
		rest := lines[len(lines)-1]
		tooLong := false
		for i, line := range lines {
			line = bytes.TrimSuffix(line, []byte{'\r'})
			if tooLong = len(line) > MaxLine; tooLong {
				break
			}
			if i < len(lines)-1 {
				want = append(want, string(line))
			}
		}
		require.Equal(t, want, got)
		switch {
		case tooLong:
			require.ErrorContains(t, err, "longer than")
		case len(rest) > 0:
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		default:
			require.Equal(t, io.EOF, err)
		}
	})
}
