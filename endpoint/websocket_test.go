package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

// scripted is a stream that answers with a text and keeps what it is told.
type scripted struct {
	stream.Unqueued
	answer *strings.Reader
	told   strings.Builder
}

func (s *scripted) Read(p []byte) (int, error) {
	if s.answer.Len() == 0 {
		return 0, stream.ErrWouldBlock
	}
	return s.answer.Read(p)
}
func (s *scripted) Write(p []byte) (int, error)        { return s.told.Write(p) }
func (s *scripted) WriteControl(p []byte) (int, error) { return len(p), nil }
func (s *scripted) Source() stream.Source              { return stream.Source{FD: -1} }
func (s *scripted) Close() error                       { return nil }

// attachment is a place in a reactor that does not exist.
type attachment struct {
	Attachment
	next  bool
	timer int64
}

func (*attachment) ID() uint32               { return 1 }
func (*attachment) Scratch() *stream.Scratch { return stream.NewScratch() }
func (*attachment) Now() int64               { return 0 }
func (*attachment) WantWrite()               {}
func (*attachment) Ready()                   {}
func (a *attachment) Next() bool             { return a.next }
func (a *attachment) SetTimer(at int64)      { a.timer = at }

// timed has a timer.
type timed struct {
	WebSocket
	fired []int64
	on    []*ws.Conn
	err   error
}

func (*timed) OnData(*ws.Conn) error { return nil }
func (f *timed) OnTimer(c *ws.Conn, now int64) error {
	f.fired, f.on = append(f.fired, now), append(f.on, c)
	return f.err
}

// attach makes a connection of f.
func (f *timed) attach(t *testing.T, next bool) (*webSocketHot, *attachment) {
	h := &webSocketHot{w: &f.WebSocket, c: ws.New(&scripted{answer: strings.NewReader("")}, nil, nil)}
	t.Cleanup(h.Discard)
	at := &attachment{next: next}
	require.NoError(t, h.OnAttach(at))
	return h, at
}

func newTimed(t *testing.T) *timed {
	f := &timed{WebSocket: WebSocket{URL: "ws://venue/"}}
	require.NoError(t, f.Bind(f))
	return f
}

func TestATimerFiresOnceAndCanBeMovedAndTakenBack(t *testing.T) {
	f := newTimed(t)
	h, at := f.attach(t, false)
	require.Zero(t, at.timer)
	f.SetTimer(50)
	f.SetTimer(20)
	require.EqualValues(t, 20, at.timer)
	require.NoError(t, h.OnTimer(19)) // of something else
	require.Empty(t, f.fired)
	require.NoError(t, h.OnTimer(25))
	require.Equal(t, []int64{25}, f.fired)
	require.Zero(t, at.timer, "once")
	f.SetTimer(60)
	f.SetTimer(0)
	require.Zero(t, at.timer)
	require.NoError(t, h.OnTimer(60))
	require.Len(t, f.fired, 1)

	f.err = errors.New("no answer")
	f.SetTimer(70)
	err := h.OnTimer(70)
	require.ErrorIs(t, err, f.err)
	require.Equal(t, User, NewLoss(Open, 1, err).Phase)
}

// TestAWriteRefusedWhileClosingDoesNotCutTheEndShort has a timer write after the
// close frame, as a heartbeat would.
func TestAWriteRefusedWhileClosingDoesNotCutTheEndShort(t *testing.T) {
	f := newTimed(t)
	h, _ := f.attach(t, false)
	require.NoError(t, h.Close(0))
	f.err = fmt.Errorf("heartbeat: %w", h.c.WriteString("ping"))
	require.ErrorIs(t, f.err, ws.ErrClosing)
	f.SetTimer(50)
	require.NoError(t, h.OnTimer(50))
	require.Len(t, f.fired, 1)
	require.NoError(t, h.c.Err(), "the peer's answer is still waited for")

	open := newTimed(t)
	other, _ := open.attach(t, false)
	open.err = f.err // of another connection
	open.SetTimer(50)
	require.ErrorIs(t, other.OnTimer(50), f.err)
}

func TestALossTakesTheTimerBack(t *testing.T) {
	f := newTimed(t)
	h, _ := f.attach(t, false)
	f.SetTimer(50)
	h.OnDetach()
	f.SetTimer(60) // not open: nothing happens
	second, at := f.attach(t, false)
	require.Zero(t, at.timer)
	require.NoError(t, second.OnTimer(100))
	require.Empty(t, f.fired)
}

func TestARenewalTakesTheTimerOver(t *testing.T) {
	for name, lost := range map[string]bool{"after the overlap": false, "by the loss of the current one": true} {
		t.Run(name, func(t *testing.T) {
			f := newTimed(t)
			old, _ := f.attach(t, false)
			f.SetTimer(50)
			next, at := f.attach(t, true)
			require.Zero(t, at.timer, "the current one has it")
			require.NoError(t, next.OnTimer(50))
			require.Empty(t, f.fired)
			if lost {
				old.OnDetach()
			}
			next.OnPromote()
			require.EqualValues(t, 50, at.timer)
			require.NoError(t, old.OnTimer(50))
			require.Empty(t, f.fired, "the old one has given it away")
			require.NoError(t, next.OnTimer(50))
			require.Equal(t, []int64{50}, f.fired)
			require.Same(t, next.c, f.on[0])
			old.OnDetach()
			f.SetTimer(90)
			require.EqualValues(t, 90, at.timer)
		})
	}
}

func TestSignMayChangeWhatIsAskedForEachTime(t *testing.T) {
	calls := 0
	w := &signed{WebSocket: WebSocket{URL: "ws://venue/ws?x=1", Options: ws.Options{Header: http.Header{"X-Key": {"k"}}}}}
	w.Sign = func(ctx context.Context, u *url.URL, header http.Header) error {
		calls++
		require.NoError(t, ctx.Err())
		require.Equal(t, "/ws?x=1", u.RequestURI())
		require.Equal(t, http.Header{"X-Key": {"k"}}, header, "as configured, whatever the last call did")
		header.Set("X-Signature", strings.Repeat("s", calls))
		u.RawQuery = "token=" + strings.Repeat("t", calls)
		return nil
	}
	require.NoError(t, w.Bind(w))
	try := func() (string, []State, error) {
		s := &scripted{answer: strings.NewReader("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")}
		var states []State
		via := NewConnector(1, Seams{Dial: func(context.Context, string, *stream.Options) (stream.Stream, error) { return s, nil }},
			func(s State) { states = append(states, s) })
		_, err := via.Run(t.Context(), w)
		return s.told.String(), states, err
	}
	for n := 1; n <= 2; n++ {
		asked, _, err := try()
		require.ErrorIs(t, err, ws.ErrRefused)
		require.True(t, strings.HasPrefix(asked, "GET /ws?token="+strings.Repeat("t", n)+" HTTP/1.1\r\n"), asked)
		require.Contains(t, asked, "X-Key: k\r\nX-Signature: "+strings.Repeat("s", n)+"\r\n")
	}
	require.Equal(t, http.Header{"X-Key": {"k"}}, w.Options.Header)

	broken := errors.New("no key")
	w.Sign = func(context.Context, *url.URL, http.Header) error { return broken }
	asked, states, err := try()
	require.Empty(t, asked, "nothing is sent")
	require.Equal(t, []State{Upgrading}, states)
	loss := NewLoss(Upgrading, 1, err)
	require.ErrorIs(t, loss, broken)
	require.Equal(t, User, loss.Phase)
}

type signed struct {
	WebSocket
	good
}

func TestNamesShowNoPassword(t *testing.T) {
	for url, name := range map[string]string{
		"wss://venue.example.com/ws?streams=btcusdt@trade": "wss://venue.example.com/ws?streams=btcusdt@trade",
		"wss://desk:sesame@venue.example.com/ws":           "wss://desk:xxxxx@venue.example.com/ws",
		"":                                                 "",
	} {
		w := WebSocket{URL: url}
		require.Equal(t, name, w.EndpointName())
		w.Name = "orders"
		require.Equal(t, "orders", w.EndpointName())
	}
}
