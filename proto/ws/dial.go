package ws

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// Dial opens a connection to a ws:// or wss:// URL: it sets up the stream with
// Options.Stream and makes the opening handshake, both within ctx, on the calling
// goroutine, which blocks. o may be nil. Errors are plain ones for a bad URL or
// bad options, *stream.DialError, and *UpgradeError; nothing is left open then.
//
// Any goroutine may use the Conn next, one at a time.
func Dial(ctx context.Context, rawURL string, o *Options) (*Conn, error) {
	u, to, err := ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	d := o.withDefaults()
	if _, err := appendRequest(nil, u, &d, ""); err != nil { // before anything is opened
		return nil, err
	}
	s, err := d.Stream.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	c, err := Upgrade(ctx, s, u, o)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return c, nil
}

// ParseURL checks a ws:// or wss:// URL and returns it with the target that
// stream.Options.Dial takes for it: "tcp://host:port" or "tls://host:port".
func ParseURL(rawURL string) (u *url.URL, dial string, err error) {
	u, err = url.Parse(rawURL)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL, which may hold a password
	}
	if err != nil {
		return nil, "", fmt.Errorf("ws: bad URL: %w", err)
	}
	dial, err = target(u)
	return u, dial, err
}
