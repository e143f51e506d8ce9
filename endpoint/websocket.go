package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws"
)

// WebSocket is a Protocol to embed: a client connection to a ws:// or wss://
// URL. The embedding type must have
//
//	OnData(c *ws.Conn) error
//
// which is called once for each network read that completed at least one
// message, and takes them with c.Next. Messages that it leaves come again in the
// next turn. It may also have
//
//	OnOpen(c *ws.Conn) error                  // the upgrade is done; subscribe here
//	OnControl(c *ws.Conn, m ws.Control)       // a ping, pong or close was received
//	OnWritable(c *ws.Conn) error              // the write queue is empty again
//	OnTimer(c *ws.Conn, now int64) error      // the time given to SetTimer has come
//	OnLoss(e *endpoint.LossError) endpoint.Action
//	OnExpire() time.Duration                  // see ExpireHandler
//
// An error that one of them returns ends the connection: with close code 1000,
// or the error's own if it has a method CloseCode() frame.CloseCode. ws.ErrClosing
// leaves a connection that is closing to its orderly end.
//
// A WebSocket must not be copied or changed once it is registered.
type WebSocket struct {
	// Name is for displays, logs and errors. Default: the URL, a password in it
	// reads "xxxxx". Set it when the path or the query holds a secret.
	Name string
	// URL is ws://host[:port]/path or wss://…, query and user info included.
	URL string
	// Options of the protocol, and in Options.Stream those of the stream.
	Options ws.Options
	// Policy is deadlines and back-off.
	Policy Policy
	// Sign, if not nil, is called for each connection before its opening handshake,
	// for what is good for this one only: a signature with the time in it, a token
	// that expires. It may change path and query of u and the fields of header,
	// copies of URL and Options.Header. It runs on the connector goroutine, several
	// calls at a time, and may block until ctx ends (Policy.UpgradeTimeout). An
	// error is a loss in phase User.
	Sign func(ctx context.Context, u *url.URL, header http.Header) error

	bound      bool
	url        *url.URL
	target     string
	conn       *ws.Conn // nil unless open
	hot        *webSocketHot
	timer      int64 // SetTimer; 0: not set
	onData     func(*ws.Conn) error
	onOpen     func(*ws.Conn) error
	onControl  func(*ws.Conn, ws.Control)
	onWritable func(*ws.Conn) error
	onTimer    func(*ws.Conn, int64) error
}

// Conn is the open connection, nil when there is none; the write methods of a
// nil *ws.Conn answer ws.ErrNotConnected. Reactor's goroutine only.
func (w *WebSocket) Conn() *ws.Conn { return w.conn }

// RoundTrip is the time that the last answered ping of Policy.PingInterval took;
// 0: there was none. Reactor's goroutine only.
func (w *WebSocket) RoundTrip() time.Duration {
	if w.hot == nil {
		return 0
	}
	return w.hot.roundTrip
}

// SetTimer has OnTimer called once at the time at (see package clock), or in the
// first turn after it; 0 takes it back. There is one timer: setting it again moves
// it, a connection that renews another one (Policy.TimeToLive) takes it over, a
// loss takes it back. Reactor's goroutine only; nothing happens when not open.
func (w *WebSocket) SetTimer(at int64) {
	if w.hot != nil {
		w.timer = at
		w.hot.arm()
	}
}

// EndpointName implements Named.
func (w *WebSocket) EndpointName() string {
	if w.Name != "" {
		return w.Name
	}
	if u, err := url.Parse(w.URL); err == nil {
		return u.Redacted()
	}
	return w.URL
}

// EndpointPolicy implements Configured.
func (w *WebSocket) EndpointPolicy() *Policy { return &w.Policy }

// Bind implements Binder: it finds the methods of the embedding type.
func (w *WebSocket) Bind(self any) error {
	if w.bound {
		return fmt.Errorf("endpoint: WebSocket %q is registered already", w.EndpointName())
	}
	u, target, err := ws.ParseURL(w.URL)
	if err != nil {
		return err
	}
	if err := w.Policy.Validate(); err != nil {
		return err
	}
	data, ok := self.(interface{ OnData(*ws.Conn) error })
	if !ok {
		return fmt.Errorf("endpoint: %T has no method OnData(*ws.Conn) error", self)
	}
	// A method of the right name and the wrong signature would be passed over
	// in silence: say so.
	if err := checkMethods(self); err != nil {
		return err
	}
	if w.url == nil || *w.url != *u {
		// Written only when it is new: a set-up that was given up before the
		// last Unbind may still read it.
		w.url, w.target = u, target
	}
	w.bound, w.onData = true, data.OnData
	w.onOpen, w.onControl, w.onWritable, w.onTimer = nil, nil, nil, nil
	if m, ok := self.(interface{ OnOpen(*ws.Conn) error }); ok {
		w.onOpen = m.OnOpen
	}
	if m, ok := self.(interface{ OnControl(*ws.Conn, ws.Control) }); ok {
		w.onControl = m.OnControl
	}
	if m, ok := self.(interface{ OnWritable(*ws.Conn) error }); ok {
		w.onWritable = m.OnWritable
	}
	if m, ok := self.(interface{ OnTimer(*ws.Conn, int64) error }); ok {
		w.onTimer = m.OnTimer
	}
	return nil
}

// Unbind implements Binder.
func (w *WebSocket) Unbind() { w.bound, w.conn, w.hot, w.timer = false, nil, nil, 0 }

// EndpointHost implements Hosted.
func (w *WebSocket) EndpointHost() string {
	if w.url == nil {
		return ""
	}
	return w.url.Hostname()
}

// Connect implements Protocol.
func (w *WebSocket) Connect(ctx context.Context, via *Connector) (Hot, error) {
	if w.url == nil {
		return nil, errors.New("endpoint: WebSocket used before Bind")
	}
	opts := w.Options
	if opts.Clock == nil {
		opts.Clock = via.Clock
	}
	if opts.Rand == nil && via.Rand != nil {
		opts.Rand = via.Rand()
	}
	s, err := via.Dial(ctx, w.target, &opts.Stream)
	if err != nil {
		return nil, err
	}
	via.Enter(Upgrading)
	u := *w.url
	if w.Sign != nil {
		if opts.Header = opts.Header.Clone(); opts.Header == nil {
			opts.Header = make(http.Header)
		}
		if err := w.Sign(ctx, &u, opts.Header); err != nil {
			return nil, ByUser(err)
		}
	}
	c, err := ws.Upgrade(ctx, s, &u, &opts)
	if err != nil {
		return nil, err
	}
	policy := w.Policy.WithDefaults()
	return &webSocketHot{w: w, c: c, clock: opts.Clock, pingEvery: policy.PingInterval, pongWithin: policy.PongTimeout}, nil
}

// methods are the optional methods of an endpoint with what each must look like.
// The name is a constant at each call, so that the linker can still drop the
// methods that nobody uses.
var methods = []struct {
	want string
	fits func(any) bool
	find func(reflect.Type) (reflect.Method, bool)
}{
	{"OnOpen(*ws.Conn) error", is[interface{ OnOpen(*ws.Conn) error }],
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("OnOpen") }},
	{"OnControl(*ws.Conn, ws.Control)", is[interface{ OnControl(*ws.Conn, ws.Control) }],
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("OnControl") }},
	{"OnWritable(*ws.Conn) error", is[interface{ OnWritable(*ws.Conn) error }],
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("OnWritable") }},
	{"OnTimer(*ws.Conn, int64) error", is[interface{ OnTimer(*ws.Conn, int64) error }],
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("OnTimer") }},
	{"OnLoss(*endpoint.LossError) endpoint.Action", is[LossHandler],
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("OnLoss") }},
	{"OnExpire() time.Duration", is[ExpireHandler],
		func(t reflect.Type) (reflect.Method, bool) { return t.MethodByName("OnExpire") }},
}

func is[T any](v any) bool { _, ok := v.(T); return ok }

func checkMethods(self any) error {
	t := reflect.TypeOf(self)
	for _, m := range methods {
		if got, found := m.find(t); found && !m.fits(self) {
			return fmt.Errorf("endpoint: %T has a method %s of type %v; it must be %s", self, got.Name, got.Type, m.want)
		}
	}
	return nil
}
