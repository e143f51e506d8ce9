package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"reflect"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
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
//
// An error that one of them returns ends the connection: with close code 1000,
// or the error's own if it has a method CloseCode() frame.CloseCode.
//
// A WebSocket must not be copied or changed once it is registered.
type WebSocket struct {
	// Name is for displays, logs and errors. Default: the URL.
	Name string
	// URL is ws://host[:port]/path or wss://…, query and user info included.
	URL string
	// Options of the protocol, and in Options.Stream those of the stream.
	Options ws.Options
	// Policy is deadlines and back-off.
	Policy Policy

	url        *url.URL
	target     string
	conn       *ws.Conn // nil unless open
	hot        *webSocketHot
	onData     func(*ws.Conn) error
	onOpen     func(*ws.Conn) error
	onControl  func(*ws.Conn, ws.Control)
	onWritable func(*ws.Conn) error
	onTimer    func(*ws.Conn, int64) error
}

// Conn is the open connection, nil when there is none; the write methods of a
// nil *ws.Conn answer ws.ErrNotConnected. Reactor's goroutine only.
func (w *WebSocket) Conn() *ws.Conn { return w.conn }

// SetTimer has OnTimer called at the time at (see package clock), or in the
// first turn after it; 0 takes it back. There is one timer a connection and it
// dies with it. Reactor's goroutine only; nothing happens when not open.
func (w *WebSocket) SetTimer(at int64) {
	if w.hot != nil {
		w.hot.setUserTimer(at)
	}
}

// EndpointName implements Named.
func (w *WebSocket) EndpointName() string {
	if w.Name != "" {
		return w.Name
	}
	return w.URL
}

// EndpointPolicy implements Configured.
func (w *WebSocket) EndpointPolicy() *Policy { return &w.Policy }

// Bind implements Binder: it finds the methods of the embedding type.
func (w *WebSocket) Bind(self any) error {
	if w.onData != nil {
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
	w.url, w.target, w.onData = u, target, data.OnData
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
	c, err := ws.Upgrade(ctx, s, w.url, &opts)
	if err != nil {
		return nil, err
	}
	return &webSocketHot{w: w, c: c}, nil
}

// webSocketHot is the Hot of a WebSocket.
type webSocketHot struct {
	w          *WebSocket
	c          *ws.Conn
	at         Attachment
	userTimer  int64 // set by SetTimer; 0: none
	closeTimer int64 // deadline of the closing handshake; 0: none
}

func (h *webSocketHot) Source() stream.Source { return h.c.Stream().Source() }

func (h *webSocketHot) OnAttach(at Attachment) error {
	h.at = at
	h.c.Lend(at.Scratch())
	h.c.SetID(at.ID())
	h.c.OnQueued = at.WantWrite
	if f := h.w.onControl; f != nil {
		h.c.OnControl = func(m ws.Control) { f(h.c, m) }
	}
	h.w.conn, h.w.hot = h.c, h
	if h.w.onOpen != nil {
		return h.user(h.w.onOpen(h.c))
	}
	return nil
}

func (h *webSocketHot) OnReady() (more bool, err error) {
	c := h.c
	_, err = c.Fill()
	if c.HasNext() {
		if err := h.w.onData(c); err != nil {
			return false, h.user(err)
		}
	} else if err != nil {
		if e := c.Err(); e != nil {
			return false, e
		}
		c.Release()
		return false, err // would block
	}
	more = c.Buffered()
	if !more {
		if e := c.Err(); e != nil {
			return false, e
		}
	}
	c.Release()
	if at := c.CloseDeadline(); at != h.closeTimer {
		h.closeTimer = at
		h.armTimer()
	}
	return more, nil
}

func (h *webSocketHot) OnWritable() error {
	if err := h.c.Flush(); err != nil {
		return err
	}
	if h.w.onWritable != nil {
		return h.user(h.w.onWritable(h.c))
	}
	return nil
}

func (h *webSocketHot) OnTimer(now int64) error {
	if h.closeTimer != 0 && now >= h.closeTimer {
		h.c.Expire(now)
		if err := h.c.Err(); err != nil {
			return err
		}
	}
	if at := h.userTimer; at != 0 && now >= at {
		h.userTimer = 0
		if h.w.onTimer != nil {
			if err := h.w.onTimer(h.c, now); err != nil {
				return h.user(err)
			}
		}
	}
	h.armTimer()
	return nil
}

func (h *webSocketHot) Close(int64) error {
	h.c.Close(frame.CloseNormal, "")
	return h.c.Err()
}

// Discard runs on a housekeeping goroutine; nobody else holds the connection.
func (h *webSocketHot) Discard() { h.c.Discard() }

func (h *webSocketHot) Queued() int { return h.c.Queued() }

func (h *webSocketHot) Meter() (messages, bytes int64) {
	n := h.c.Counters()
	return n.Messages, n.BytesRead
}

// OnDetach lets the endpoint forget the connection, see Detacher.
func (h *webSocketHot) OnDetach() {
	if h.w.hot == h {
		h.w.conn, h.w.hot = nil, nil
	}
}

func (h *webSocketHot) setUserTimer(at int64) {
	h.userTimer = at
	h.armTimer()
}

// armTimer sets the one timer of the connection to the earlier of its two uses.
func (h *webSocketHot) armTimer() {
	at := h.userTimer
	if at == 0 || h.closeTimer != 0 && h.closeTimer < at {
		at = h.closeTimer
	}
	h.at.SetTimer(at)
}

// user marks an error of the user's own code and tells the peer.
func (h *webSocketHot) user(err error) error {
	if err == nil {
		return nil
	}
	if e := h.c.Err(); e != nil && errors.Is(err, e) {
		return e // OnData handed the connection's own end on
	}
	code := frame.CloseNormal
	var own interface{ CloseCode() frame.CloseCode }
	if errors.As(err, &own) {
		code = own.CloseCode()
	}
	h.c.Close(code, "")
	return ByUser(err)
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
