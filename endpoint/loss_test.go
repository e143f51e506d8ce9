package endpoint

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

func TestNewLossFindsPhaseAndCode(t *testing.T) {
	refused := &ws.UpgradeError{StatusCode: 429, Status: "429 Too Many Requests", Header: http.Header{"Retry-After": {"7"}}, Body: []byte("slow down"), Err: ws.ErrRefused}
	for name, tc := range map[string]struct {
		state State
		err   error
		phase State
		code  int
		says  string
	}{
		"dead name":    {Resolving, &stream.DialError{Phase: stream.Resolving, Target: "tcp://x:1", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}}, Resolving, 0, "resolving: lookup x: no such host"},
		"refused":      {Connecting, &stream.DialError{Phase: stream.Connecting, Target: "tcp://x:1", Err: syscall.ECONNREFUSED}, Connecting, 0, "connecting: connection refused"},
		"handshake":    {Connecting, &stream.DialError{Phase: stream.Securing, Target: "tls://x:1", Err: io.ErrUnexpectedEOF}, Securing, 0, "securing: unexpected EOF"},
		"HTTP refusal": {Upgrading, refused, Upgrading, 429, "upgrading: HTTP 429 Too Many Requests"},
		"close":        {Open, &ws.CloseError{Code: 1012, Reason: "restart", Remote: true, Clean: true}, Open, 1012, `open: closed by the peer: 1012 service restart "restart"`},
		"violation":    {Open, &ws.CloseError{Code: 1002, Err: frame.ErrMasked}, Open, 1002, "open: 1002 masked"},
		"user":         {Open, ByUser(io.ErrNoProgress), User, 0, "user: " + io.ErrNoProgress.Error()},
		"panic":        {Open, &PanicError{Value: "boom"}, User, 0, "user: panic: boom"},
	} {
		t.Run(name, func(t *testing.T) {
			e := NewLoss(tc.state, 3, tc.err)
			require.Equal(t, tc.phase, e.Phase)
			require.Equal(t, tc.code, e.Code)
			require.Equal(t, uint32(3), e.Conn)
			require.NotEmpty(t, e.Error())
			require.Contains(t, e.Summary(), tc.says)
		})
	}
	var said *ws.UpgradeError
	require.ErrorAs(t, NewLoss(Upgrading, 1, refused), &said)
	require.Equal(t, "slow down", string(said.Body), "what the peer said is kept whole")
	require.Equal(t, "7", said.Header.Get("Retry-After"))
}

func TestConnectorClosesWhatItDialledAfterAnError(t *testing.T) {
	s := &closable{}
	var entered []State
	seams := Seams{Dial: func(_ context.Context, target string, o *stream.Options) (stream.Stream, error) {
		require.Equal(t, "tcp://venue:1", target)
		o.OnPhase(stream.Resolving)
		o.OnPhase(stream.Connecting)
		return s, nil
	}}
	c := NewConnector(1, seams, func(s State) { entered = append(entered, s) })
	_, err := c.Run(context.Background(), protocolFunc(func(ctx context.Context, via *Connector) (Hot, error) {
		_, err := via.Dial(ctx, "tcp://venue:1", nil)
		require.NoError(t, err)
		return nil, io.ErrUnexpectedEOF
	}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 1, s.closed)
	require.Equal(t, []State{Resolving, Connecting}, entered)

	_, err = c.Run(context.Background(), protocolFunc(func(context.Context, *Connector) (Hot, error) { return nil, nil }))
	require.ErrorContains(t, err, "neither")
}

func TestConnectorTellsWhyItsContextEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	late := &DeadlineError{State: Securing, After: 5}
	cancel(late)
	c := NewConnector(1, Seams{}, nil)
	_, err := c.Run(ctx, protocolFunc(func(ctx context.Context, _ *Connector) (Hot, error) { return nil, ctx.Err() }))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, late)
}

type protocolFunc func(context.Context, *Connector) (Hot, error)

func (f protocolFunc) Connect(ctx context.Context, via *Connector) (Hot, error) { return f(ctx, via) }

type closable struct {
	stream.Stream
	closed int
}

func (s *closable) Close() error { s.closed++; return nil }

func TestBindRefusesWhatCannotWork(t *testing.T) {
	require.ErrorContains(t, (&WebSocket{URL: "ws://x"}).Bind(&struct{}{}), "no method OnData")
	require.ErrorContains(t, (&WebSocket{URL: "http://x"}).Bind(&good{}), "http")
	require.ErrorContains(t, (&WebSocket{URL: "ws://x", Policy: Policy{MaxDelay: -1}}).Bind(&good{}), "MaxDelay")
	err := (&WebSocket{URL: "ws://x"}).Bind(&wrongOpen{})
	require.ErrorContains(t, err, "it must be OnOpen(*ws.Conn) error")
	w := &WebSocket{URL: "ws://x"}
	require.NoError(t, w.Bind(&good{}))
	require.ErrorContains(t, w.Bind(&good{}), "registered already")
	require.Nil(t, w.Conn())
	require.ErrorIs(t, w.Conn().WriteText(nil), ws.ErrNotConnected)
	w.SetTimer(1) // not open: nothing happens
	_, err = new(WebSocket).Connect(context.Background(), NewConnector(1, Seams{}, nil))
	require.ErrorContains(t, err, "before Bind")
}

type good struct{}

func (*good) OnData(*ws.Conn) error { return nil }

type wrongOpen struct{ good }

func (*wrongOpen) OnOpen(*ws.Conn) {}

func TestWithContextHandsOn(t *testing.T) {
	ctx := &[]string{}
	w := &WithContext[*[]string]{Context: ctx, Handler: logger{}}
	require.NoError(t, w.OnOpen(nil))
	require.NoError(t, w.OnData(nil))
	require.Equal(t, Stop, w.OnLoss(&LossError{Err: errors.New("x")}))
	require.Equal(t, []string{"open", "data", "loss"}, *ctx)
	plain := &WithContext[*[]string]{Context: ctx, Handler: dataOnly{}}
	require.NoError(t, plain.OnOpen(nil))
	require.Equal(t, Reconnect, plain.OnLoss(nil))
}

type dataOnly struct{}

func (dataOnly) OnData(log *[]string, _ *ws.Conn) error { *log = append(*log, "data"); return nil }

type logger struct{ dataOnly }

func (logger) OnOpen(log *[]string, _ *ws.Conn) error    { *log = append(*log, "open"); return nil }
func (logger) OnLoss(log *[]string, _ *LossError) Action { *log = append(*log, "loss"); return Stop }
