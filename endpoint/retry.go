package endpoint

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws"
)

// RetryAfterError says that a venue asked us to stay away for longer than the
// policy's RetryAfterCap: the endpoint has given up. It wraps the refusal.
type RetryAfterError struct {
	After, Cap time.Duration
	Err        error
}

func (e *RetryAfterError) Error() string {
	return "endpoint: told to retry after " + e.After.String() + ", more than the cap of " + e.Cap.String() + ": " + e.Err.Error()
}

// Unwrap returns the refusal.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter finds how long the peer that refused an upgrade asked to be left
// alone: the Retry-After field (RFC 9110, section 10.2.3) of a response with
// status 429, 503, or 418, which some venues send to whom they have banned. A
// date counts from the response's own Date field, else from now.
func RetryAfter(err error, now time.Time) (time.Duration, bool) {
	var refused *ws.UpgradeError
	if !errors.As(err, &refused) {
		return 0, false
	}
	switch refused.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusTeapot:
	default:
		return 0, false
	}
	field := refused.Header.Get("Retry-After")
	if n, err := strconv.ParseInt(field, 10, 64); err == nil && n >= 0 {
		const most = int64(1<<63-1) / int64(time.Second)
		return time.Duration(min(n, most)) * time.Second, true
	}
	at, err := http.ParseTime(field)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(refused.Header.Get("Date")); err == nil {
		now = date
	}
	return max(at.Sub(now), 0), true
}
