package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
)

// Session is logged in while it is open.
type Session struct {
	endpoint.WebSocket
	secret string
	done   func()
}

// sign is called for each try, on a goroutine of its own, and changes nothing else.
// A venue that wants a token in the query gets it by u.RawQuery.
func (s *Session) sign(_ context.Context, u *url.URL, header http.Header) error {
	stamp := strconv.FormatInt(time.Now().UnixMicro(), 10)
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write([]byte(stamp + "GET" + u.RequestURI()))
	header.Set("X-Timestamp", stamp)
	header.Set("X-Signature", hex.EncodeToString(mac.Sum(nil)))
	return nil
}

// OnOpen looks at what was agreed on. One that cannot do without would return an error.
func (s *Session) OnOpen(c *ws.Conn) error {
	fmt.Printf("logged in, subprotocol %q, server %q\n", c.Subprotocol(), c.ResponseHeader().Get("Server"))
	s.done()
	return nil
}

// OnData is of no interest here.
func (s *Session) OnData(c *ws.Conn) error { _, _ = c.Next(); return c.Err() }

// OnLoss tries again what may be better next time.
func (s *Session) OnLoss(e *endpoint.LossError) endpoint.Action {
	refused, ok := errors.AsType[*ws.UpgradeError](e)
	switch {
	case !ok: // another kind of loss
	case refused.StatusCode == 401 || refused.StatusCode == 403:
		fmt.Printf("refused: %s, %q\n", refused.Status, refused.Body)
		s.done()
		return endpoint.Stop
	default:
		fmt.Printf("try %d: %s, %q\n", e.Attempt, refused.Status, refused.Body)
	}
	return endpoint.Reconnect
}
