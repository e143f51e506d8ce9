package ws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

func TestThePeerCloses(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   []byte
		want CloseError
		echo string
	}{
		{"with code and reason", closing(frame.CloseGoingAway, "maintenance"),
			CloseError{Code: frame.CloseGoingAway, Reason: "maintenance", Remote: true, Clean: true, Sent: frame.CloseGoingAway}, "\x03\xe9"},
		{"without a body", closing(frame.CloseNoStatus, ""),
			CloseError{Code: frame.CloseNoStatus, Remote: true, Clean: true, Sent: frame.CloseNoStatus}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &script{reads: [][]byte{join(tc.in, text("after"), tc.in)}}
			c := New(s, testOptions(), nil)
			h := play(t, c, s, false)
			require.Empty(t, h.Messages)
			require.Len(t, h.Controls, 1)
			require.Equal(t, &tc.want, requireEnd(t, c))
			require.Equal(t, []sentFrame{{frame.Close, tc.echo}}, h.Sent)
			require.NotZero(t, c.CloseDeadline())
		})
	}
}

func TestOnControlShowsTheClose(t *testing.T) {
	s := &script{reads: [][]byte{closing(4321, "because")}}
	c := New(s, testOptions(), nil)
	var code frame.CloseCode
	var reason string
	c.OnControl = func(ev Control) { code, reason = ev.Code, string(ev.Reason) }
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	require.Equal(t, frame.CloseCode(4321), code)
	require.Equal(t, "because", reason)
}

func TestWeClose(t *testing.T) {
	s := &script{}
	clk := clock.NewManual(1_000_000)
	c := New(s, &Options{Clock: clk, Rand: fixedRand(), CloseTimeout: time.Second}, nil)
	require.Zero(t, c.CloseDeadline())
	require.NoError(t, c.Close(frame.CloseNormal, "enough"))
	require.EqualValues(t, 1_000_000+time.Second, c.CloseDeadline())
	require.NoError(t, c.Err(), "not ended: the peer may go on")
	require.Equal(t, ErrClosing, c.WriteText(nil))
	require.Equal(t, ErrClosing, c.Ping(nil))
	require.Equal(t, ErrClosing, c.Close(frame.CloseNormal, ""))
	require.ErrorIs(t, ErrClosing, net.ErrClosed)
	s.reads = [][]byte{join(text("still"), ping("p"), text("coming")), closing(frame.CloseNormal, "bye")}
	h := play(t, c, s, true)
	require.Equal(t, []sentFrame{{frame.Text, "still"}, {frame.Text, "coming"}}, h.Messages)
	require.Equal(t, []sentFrame{{frame.Close, "\x03\xe8enough"}, {frame.Pong, "p"}}, h.Sent)
	require.Equal(t, &CloseError{Code: frame.CloseNormal, Reason: "bye", Clean: true, Sent: frame.CloseNormal}, requireEnd(t, c))
	before := c.Err()
	c.Expire(1 << 60)
	require.Equal(t, before, c.Err(), "what has ended does not expire")
}

func TestBothCloseAtOnce(t *testing.T) {
	s := &script{reads: [][]byte{closing(4002, "me too")}}
	c := New(s, testOptions(), nil)
	_, err := c.Fill() // it has arrived but nobody has looked
	require.NoError(t, err)
	require.NoError(t, c.Close(4001, ""))
	require.False(t, c.HasNext())
	e := requireEnd(t, c)
	require.Equal(t, &CloseError{Code: 4002, Reason: "me too", Clean: true, Sent: 4001}, e)
	require.Len(t, sent(t, s.out), 1)
}

func TestThePeerNeverAnswersTheClose(t *testing.T) {
	clk := clock.NewManual(0)
	c := New(&script{}, &Options{Clock: clk}, nil)
	c.Expire(1 << 60)
	require.NoError(t, c.Err(), "no close, no deadline")
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	c.Expire(clk.Advance(DefaultCloseTimeout - 1))
	require.NoError(t, c.Err())
	c.Expire(clk.Advance(1))
	e := requireEnd(t, c)
	require.ErrorIs(t, e, ErrCloseTimeout)
	require.Equal(t, frame.CloseAbnormal, e.Code)
	require.Equal(t, frame.CloseNormal, e.Sent)
	require.False(t, e.Clean)
}

func TestTheStreamEndsBeforeTheAnswer(t *testing.T) {
	s := &script{end: io.EOF}
	c := New(s, testOptions(), nil)
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	play(t, c, s, false)
	e := requireEnd(t, c)
	require.Equal(t, frame.CloseAbnormal, e.Code)
	require.Equal(t, frame.CloseNormal, e.Sent)
	require.ErrorIs(t, e, io.ErrUnexpectedEOF)
}

func TestAViolationAfterOurClose(t *testing.T) {
	s := &script{reads: [][]byte{{0x83, 0}}}
	c := New(s, testOptions(), nil)
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	play(t, c, s, false)
	require.ErrorIs(t, c.Err(), frame.ErrReservedOpcode)
	require.Equal(t, frame.CloseNormal, sentClose(t, s.out), "one close frame only")
}

func TestTheEchoWaitsForRoom(t *testing.T) {
	s := &script{reads: [][]byte{closing(frame.CloseNormal, "")}, refuse: stream.ErrBackPressured}
	c := New(s, testOptions(), nil)
	play(t, c, s, false)
	require.True(t, requireEnd(t, c).Clean)
	require.Equal(t, stream.ErrWouldBlock, c.Flush())
	s.refuse = nil
	require.NoError(t, c.Flush(), "Flush works after the end")
	require.Equal(t, frame.CloseNormal, sentClose(t, s.out))
}

func TestCloseArguments(t *testing.T) {
	for _, tc := range []struct {
		code   frame.CloseCode
		reason string
		want   string
	}{
		{1006, "", "1006"}, {1015, "", "1015"}, {999, "", "999"}, {5000, "", "5000"}, {1004, "", "1004"},
		{1000, strings.Repeat("x", 124), "124 bytes, limit 123"},
		{1000, "\xff", "UTF-8"},
		{frame.CloseNoStatus, "why", "needs a code"},
	} {
		s := &script{}
		c := New(s, testOptions(), nil)
		require.ErrorContains(t, c.Close(tc.code, tc.reason), tc.want)
		require.Empty(t, s.out)
		require.NoError(t, c.Err())
		require.NoError(t, c.WriteText(nil), "nothing has changed")
	}
	s := &script{}
	c := New(s, testOptions(), nil)
	require.NoError(t, c.Close(frame.CloseNoStatus, ""))
	require.Equal(t, []sentFrame{{frame.Close, ""}}, sent(t, s.out))
	s = &script{}
	c = New(s, testOptions(), nil)
	require.NoError(t, c.Close(4999, strings.Repeat("x", 123)))
	require.Len(t, sent(t, s.out)[0].Payload, 125)
}

func TestACloseThatCannotBeWritten(t *testing.T) {
	broken := errors.New("broken pipe")
	c := New(&script{refuse: broken}, testOptions(), nil)
	require.ErrorIs(t, c.Close(frame.CloseNormal, ""), broken)
	_, err := c.Fill()
	require.ErrorIs(t, err, broken)
	require.Zero(t, requireEnd(t, c).Sent)
}

func TestDiscard(t *testing.T) {
	s := &script{reads: [][]byte{sf(false, frame.Text, "half")}}
	c := New(s, testOptions(), nil)
	c.Lend(stream.NewScratch())
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	require.NoError(t, c.Discard())
	require.NoError(t, c.Discard())
	require.True(t, s.closed)
	require.Empty(t, s.out)
	require.Nil(t, c.asm)
	require.ErrorIs(t, c.Err(), net.ErrClosed)
	require.ErrorIs(t, c.WriteText(nil), net.ErrClosed)
	_, ok := c.Next()
	require.False(t, ok)
	_, err := c.Fill()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestCloseErrorText(t *testing.T) {
	require.Equal(t, `ws: closed by the peer: 1008 policy violation "slow down"`,
		(&CloseError{Code: 1008, Reason: "slow down", Remote: true}).Error())
	require.Equal(t, "ws: closed by us: 1000 normal", (&CloseError{Code: 1000, Clean: true}).Error())
	e := &CloseError{Code: 1002, Err: fmt.Errorf("%w: detail", frame.ErrMasked)}
	require.Equal(t, "ws: closed: 1002 protocol error: ws: masked frame from a server: detail", e.Error())
	var fe frame.Error
	require.ErrorAs(t, e, &fe)
	require.Equal(t, frame.ErrMasked, fe)
	require.Equal(t, frame.CloseCode(1002), CloseStatus(fmt.Errorf("wrapped: %w", e)))
	require.Zero(t, CloseStatus(io.EOF))
	require.Zero(t, CloseStatus(nil))
}

func TestWait(t *testing.T) {
	ctx := t.Context()
	s := &script{}
	c := New(waitingScript{s}, testOptions(), text("ahead"))
	require.NoError(t, c.Wait(ctx), "input is here already")
	_, ok := c.Next()
	require.True(t, ok)

	waits := 0
	s.onWait = func(write bool) { waits++; s.reads = [][]byte{text("x")}; require.False(t, write) }
	require.NoError(t, c.Wait(ctx))
	require.Equal(t, 1, waits)

	s.queued = 5
	s.onWait = func(write bool) {
		require.Equal(t, s.queued > 0, write)
		s.queued = 0
	}
	require.NoError(t, c.Wait(ctx))

	cause := errors.New("enough")
	ended, cancel := context.WithCancelCause(ctx)
	cancel(cause)
	require.Equal(t, cause, c.Wait(ended))
	require.NoError(t, c.Err(), "a wait that ended changes nothing")
}

func TestWaitServesTheCloseDeadline(t *testing.T) {
	for _, waits := range []bool{false, true} {
		var s stream.Stream = &script{}
		if waits {
			s = waitingScript{&script{}}
		}
		c := New(s, &Options{CloseTimeout: 5 * time.Millisecond}, nil)
		require.NoError(t, c.Close(frame.CloseNormal, ""))
		for c.Err() == nil {
			if err := c.Wait(t.Context()); err == nil {
				_, err = c.Fill()
				require.Equal(t, stream.ErrWouldBlock, err)
			}
		}
		require.ErrorIs(t, c.Err(), ErrCloseTimeout)
		require.Equal(t, c.Err(), c.Wait(t.Context()))
	}
}
