package ws

import (
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/stretchr/testify/require"
)

// hostile is what a server may do wrong: the bytes, the close code that must be
// on the wire, and the error.
var hostile = []struct {
	name, in string
	code     frame.CloseCode
	err      frame.Error
}{
	{"close of one byte", "\x88\x01\x03", 1002, frame.ErrCloseBody},
	{"close with bad UTF-8", "\x88\x04\x03\xe8\xc3\x28", 1007, frame.ErrCloseReason},
	{"close of 126 bytes", "\x88\x7e\x00\x7e" + strings.Repeat("x", 126), 1002, frame.ErrControlTooLong},
	{"masked frame", "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1002, frame.ErrMasked},
	{"masked empty frame", "\x81\x80\x00\x00\x00\x00", 1002, frame.ErrMasked},
	{"masked ping", "\x89\x80\x00\x00\x00\x00", 1002, frame.ErrMasked},
	{"64-bit length with its top bit set", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x01", 1002, frame.ErrLengthTopBit},
	{"all ones as the length", "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff", 1002, frame.ErrLengthTopBit},
	{"16 bits for 5", "\x81\x7e\x00\x05hello", 1002, frame.ErrLengthNotMinimal},
	{"64 bits for 5", "\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x05hello", 1002, frame.ErrLengthNotMinimal},
	{"64 bits for 65535", "\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 1002, frame.ErrLengthNotMinimal},
	{"rsv1", "\xc1\x00", 1002, frame.ErrReservedBits},
	{"rsv2", "\xa1\x00", 1002, frame.ErrReservedBits},
	{"rsv3", "\x91\x05hello", 1002, frame.ErrReservedBits},
	{"rsv on a ping", "\xc9\x00", 1002, frame.ErrReservedBits},
	{"opcode 3", "\x83\x00", 1002, frame.ErrReservedOpcode},
	{"opcode 7", "\x87\x05hello", 1002, frame.ErrReservedOpcode},
	{"opcode 11", "\x8b\x00", 1002, frame.ErrReservedOpcode},
	{"opcode 15", "\x8f\x00", 1002, frame.ErrReservedOpcode},
	{"fragmented ping", "\x09\x00", 1002, frame.ErrControlFragmented},
	{"fragmented close", "\x08\x02\x03\xe8", 1002, frame.ErrControlFragmented},
	{"ping of 126 bytes", "\x89\x7e\x00\x7e" + strings.Repeat("x", 126), 1002, frame.ErrControlTooLong},
	{"pong of 64 bits", "\x8a\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 1002, frame.ErrControlTooLong},
	{"orphan continuation", "\x80\x05hello", 1002, frame.ErrOrphanContinuation},
	{"orphan first fragment", "\x00\x05hello", 1002, frame.ErrOrphanContinuation},
	{"continuation after a message", "\x81\x00\x80\x00", 1002, frame.ErrOrphanContinuation},
	{"text inside fragments", "\x01\x01a\x81\x01b", 1002, frame.ErrInterleaved},
	{"binary inside fragments", "\x01\x01a\x02\x01b", 1002, frame.ErrInterleaved},
	{"bad UTF-8 in text", "\x81\x05he\xffxo", 1007, frame.ErrInvalidUTF8},
	{"cut UTF-8 in text", "\x81\x02\xe2\x82", 1007, frame.ErrInvalidUTF8},
	{"surrogate in text", "\x81\x03\xed\xa0\x80", 1007, frame.ErrInvalidUTF8},
	{"bad UTF-8 across fragments", "\x01\x01\xe2\x80\x01\x28", 1007, frame.ErrInvalidUTF8},
	{"cut UTF-8 at the last fragment", "\x01\x01\xe2\x80\x01\x82", 1007, frame.ErrInvalidUTF8},
	{"length of 2^40", "\x82\x7f\x00\x00\x01\x00\x00\x00\x00\x00", 1009, frame.ErrTooBig},
	{"length of 2^63-1", "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 1009, frame.ErrTooBig},
	{"fragments of 2^62 each", "\x02\x01a\x00\x7f\x40\x00\x00\x00\x00\x00\x00\x00", 1009, frame.ErrTooBig},
}

func TestHostileServer(t *testing.T) {
	for _, tc := range hostile {
		t.Run(tc.name, func(t *testing.T) {
			wire := join(text("before"), []byte(tc.in), text("never"))
			var want history
			for i := 0; i <= len(wire); i++ {
				s := &script{reads: cutAt(wire, i)}
				c := New(s, testOptions(), nil)
				h := play(t, c, s, i%2 == 0)
				e := requireEnd(t, c)
				require.ErrorIs(t, e, tc.err)
				require.Equal(t, tc.code, e.Code)
				require.Equal(t, tc.code, e.Sent)
				require.False(t, e.Remote)
				require.False(t, e.Clean)
				require.Equal(t, tc.code, sentClose(t, s.out))
				require.Equal(t, sentFrame{frame.Text, "before"}, h.Messages[0])
				require.NotContains(t, h.Messages, sentFrame{frame.Text, "never"})
				require.Empty(t, h.Controls)
				if i == 0 {
					want = h
				}
				require.Equal(t, want, h, "cut at %d", i)
				n := len(s.out)
				require.Equal(t, c.Err(), c.WriteText([]byte("x")))
				require.Equal(t, c.Err(), c.Close(1000, ""))
				require.Len(t, s.out, n)
			}
		})
	}
}

func TestCloseCodesFromThePeer(t *testing.T) {
	valid := func(c frame.CloseCode) bool {
		return c >= 1000 && c <= 1003 || c >= 1007 && c <= 1014 || c >= 3000 && c <= 4999
	}
	for _, code := range []frame.CloseCode{0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
		1015, 1016, 1100, 2000, 2999, 3000, 3999, 4000, 4999, 5000, 65535} {
		s := &script{reads: [][]byte{sf(true, frame.Close, string([]byte{byte(code >> 8), byte(code)})+"why")}}
		c := New(s, testOptions(), nil)
		play(t, c, s, false)
		e := requireEnd(t, c)
		if valid(code) {
			require.Equal(t, &CloseError{Code: code, Reason: "why", Remote: true, Clean: true, Sent: code}, e)
			require.Equal(t, code, sentClose(t, s.out))
		} else {
			require.ErrorIs(t, e, frame.ErrCloseCode)
			require.Equal(t, frame.CloseProtocolError, sentClose(t, s.out))
		}
	}
}

func TestBadUTF8EndsTheConnectionBeforeTheFrameIsComplete(t *testing.T) {
	for _, tc := range []struct{ name, in string }{
		{"in a cut frame", "\x81\x7d" + "fine so far \xf4\x90"},
		{"in a cut first fragment", "\x01\x7d" + "\xed\xa0"},
		{"in a cut last fragment", "\x01\x01\xe2\x80\x7d\x28"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &script{reads: pieces([]byte(tc.in), 1)}
			c := New(s, testOptions(), nil)
			play(t, c, s, false)
			require.Equal(t, frame.CloseInvalidPayload, requireEnd(t, c).Code)
			require.Equal(t, frame.CloseInvalidPayload, sentClose(t, s.out))
		})
	}
}

func TestSkipUTF8(t *testing.T) {
	o := testOptions()
	o.SkipUTF8 = true
	s := &script{reads: [][]byte{join(text("\xff"), sf(false, frame.Text, "\xff"), sf(true, frame.Continuation, "\xe2"))}}
	h := play(t, New(s, o, nil), s, false)
	require.Empty(t, h.Err)
	require.Len(t, h.Messages, 2)
}

func TestMaxMessage(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"exactly", text(strings.Repeat("a", 100)), true},
		{"one more", text(strings.Repeat("a", 101)), false},
		{"one more at the header", text(strings.Repeat("a", 101))[:4], false},
		{"16 bits of length at the header", text(strings.Repeat("a", 1000))[:4], false},
		{"fragments exactly", join(sf(false, frame.Text, strings.Repeat("a", 60)), ping("x"), sf(true, frame.Continuation, strings.Repeat("a", 40))), true},
		{"fragments one more", join(sf(false, frame.Text, strings.Repeat("a", 60)), sf(true, frame.Continuation, strings.Repeat("a", 41))[:2]), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := testOptions()
			o.MaxMessage = 100
			s := &script{reads: [][]byte{tc.in}}
			c := New(s, o, nil)
			h := play(t, c, s, false)
			if tc.ok {
				require.NoError(t, c.Err())
				require.Len(t, h.Messages, 1)
				return
			}
			require.ErrorIs(t, c.Err(), frame.ErrTooBig)
			require.ErrorContains(t, c.Err(), "limit 100")
			require.Equal(t, frame.CloseTooBig, sentClose(t, s.out))
		})
	}
}

func TestAPingDoesNotEndABatch(t *testing.T) {
	s := &script{reads: [][]byte{join(ping("1"), text("a"), ping("2"), ping("3"), text("b"), ping("4"))}}
	c := New(s, testOptions(), nil)
	n, err := c.Fill()
	require.NoError(t, err)
	require.EqualValues(t, n, c.Counters().BytesRead)
	var got []string
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		got = append(got, string(m.Payload))
	}
	require.Equal(t, []string{"a", "b"}, got)
	require.Equal(t, []sentFrame{{frame.Pong, "1"}, {frame.Pong, "2"}, {frame.Pong, "3"}, {frame.Pong, "4"}}, sent(t, s.out))
	require.EqualValues(t, 4, c.Counters().Pings)
}
