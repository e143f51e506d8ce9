package endpoint

import "github.com/boomnet-go/boomnet/proto/ws"

// WithContext is a WebSocket endpoint whose methods take a typed context: a
// thin adapter for handlers that are shared by many endpoints and keep their
// state elsewhere. An endpoint of your own, with a pointer to what it shares in
// a field, needs no context; see [WebSocket].
//
//	reactor.Register(r, &endpoint.WithContext[*Book]{
//		WebSocket: endpoint.WebSocket{URL: url},
//		Context:   book,
//		Handler:   tradeHandler{},
//	})
//
// Beside OnData a Handler may have OnOpen(C, *ws.Conn) error and
// OnLoss(C, *LossError) Action.
type WithContext[C any] struct {
	WebSocket
	// Context is handed to each method of the handler.
	Context C
	// Handler is the logic; it must not be nil.
	Handler ContextHandler[C]
}

// ContextHandler is what a [WithContext] needs. The rules are those of
// [WebSocket]'s OnData.
type ContextHandler[C any] interface {
	OnData(ctx C, c *ws.Conn) error
}

// OnData hands on to the handler.
func (w *WithContext[C]) OnData(c *ws.Conn) error { return w.Handler.OnData(w.Context, c) }

// OnOpen hands on to the handler if it has the method.
func (w *WithContext[C]) OnOpen(c *ws.Conn) error {
	if h, ok := w.Handler.(interface {
		OnOpen(C, *ws.Conn) error
	}); ok {
		return h.OnOpen(w.Context, c)
	}
	return nil
}

// OnLoss hands on to the handler if it has the method.
func (w *WithContext[C]) OnLoss(e *LossError) Action {
	if h, ok := w.Handler.(interface {
		OnLoss(C, *LossError) Action
	}); ok {
		return h.OnLoss(w.Context, e)
	}
	return Reconnect
}
