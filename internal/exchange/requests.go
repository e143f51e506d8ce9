package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Codes of Binance's errors.
const (
	codeUnknownProperty = 0
	codeBadType         = 1
	codeBadRequest      = 2
	codeBadJSON         = 3
)

// call is a client's request on a market path.
type call struct {
	Method string          `json:"method"`
	Params []string        `json:"params"`
	ID     json.RawMessage `json:"id"`
}

// requestError is Binance's answer to a request that cannot be served.
type requestError struct {
	Code int    `json:"code"`
	Msg  string `json:"msg"`
}

// onRequest serves one message of a client. The inbox hands it out whole, as
// none is longer than a piece.
func (c *conn) onRequest(_ frame.Opcode, message []byte, _ bool) error {
	if c.closing.Load() {
		return nil
	}
	if c.requests.over(c.srv.cfg.RequestRate, clock.Nano()) {
		return &closeError{frame.ClosePolicyViolation, "too many requests"}
	}
	if c.request.feed {
		return nil // /feed has nothing to subscribe to
	}
	var q call
	if err := decode(message, &q); err != nil {
		c.fail(q.ID, *err)
		return nil
	}
	switch q.Method {
	case "SUBSCRIBE":
		c.subscribe(q)
	case "UNSUBSCRIBE":
		c.unsubscribe(q)
	case "LIST_SUBSCRIPTIONS":
		c.succeed(q.ID, c.srv.market.list(c))
	default:
		c.fail(q.ID, requestError{codeBadRequest, fmt.Sprintf("Invalid request: unknown variant `%s`, "+
			"expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`", q.Method)})
	}
	return nil
}

// decode parses a request; on an error q still has what could be read of it.
func decode(message []byte, q *call) *requestError {
	d := json.NewDecoder(bytes.NewReader(message))
	d.DisallowUnknownFields()
	err := d.Decode(q)
	var (
		syntax  *json.SyntaxError
		badType *json.UnmarshalTypeError
	)
	switch {
	case !json.Valid(message):
		q.ID = nil
		return &requestError{codeBadJSON, "Invalid JSON"}
	case errors.As(err, &syntax):
		return &requestError{codeBadJSON, "Invalid JSON: " + syntax.Error()}
	case errors.As(err, &badType):
		return &requestError{codeBadType, fmt.Sprintf("Invalid value type: %s cannot be %s", badType.Field, badType.Value)}
	case err != nil:
		return &requestError{codeUnknownProperty, "Unknown property"}
	case !validID(q.ID):
		q.ID = nil
		return &requestError{codeBadRequest, "Invalid request: request ID must be an unsigned integer or a string of at most 36 characters"}
	}
	return nil
}

// validID: a number without sign, fraction or exponent, a short string, or null.
func validID(id json.RawMessage) bool {
	if len(id) == 0 || string(id) == "null" {
		return true
	}
	var s string
	if json.Unmarshal(id, &s) == nil {
		return len(s) <= 36
	}
	var n uint64
	return json.Unmarshal(id, &n) == nil
}

// subscribe answers first, so that data follow the answer.
func (c *conn) subscribe(q call) {
	for _, name := range q.Params {
		if _, err := parseStream(name); err != nil {
			c.fail(q.ID, requestError{codeBadRequest, "Invalid request: " + err.Error()})
			return
		}
	}
	if c.srv.tape != nil {
		c.succeed(q.ID, nil)
		c.playTape()
		return
	}
	err := c.srv.market.joinAfter(c, q.Params, func() { c.succeed(q.ID, nil) })
	if err != nil {
		c.fail(q.ID, requestError{codeBadRequest, "Invalid request: " + err.Error()})
	}
}

// unsubscribe answers last, so that no data follow the answer.
func (c *conn) unsubscribe(q call) {
	for _, name := range q.Params {
		if _, err := parseStream(name); err != nil {
			c.fail(q.ID, requestError{codeBadRequest, "Invalid request: " + err.Error()})
			return
		}
	}
	c.srv.market.part(c, q.Params)
	c.succeed(q.ID, nil)
}

func (c *conn) succeed(id json.RawMessage, result any) {
	c.send(struct {
		Result any             `json:"result"`
		ID     json.RawMessage `json:"id"`
	}{result, orNull(id)})
}

func (c *conn) fail(id json.RawMessage, e requestError) {
	c.srv.stats.badRequests.Add(1)
	c.send(struct {
		Error requestError    `json:"error"`
		ID    json.RawMessage `json:"id"`
	}{e, orNull(id)})
}

func (c *conn) send(v any) {
	b, err := json.Marshal(v)
	if err != nil { // an id that json itself has parsed, and our own structs
		c.abort("encoding")
		return
	}
	c.reply(b)
}

func orNull(id json.RawMessage) json.RawMessage {
	if len(id) == 0 {
		return json.RawMessage("null")
	}
	return id
}
