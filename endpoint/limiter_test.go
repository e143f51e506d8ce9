package endpoint

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws"
)

func TestHostLimiterGivesABurstAndThenARate(t *testing.T) {
	l, err := NewHostLimiter(3, 5)
	require.NoError(t, err)
	b := l.Host("Venue.example")
	require.Same(t, b, l.Host("venue.EXAMPLE"))
	const second = int64(time.Second)
	start := 100 * second
	for range 3 {
		require.Equal(t, start, b.Reserve(start), "the burst")
	}
	for i := range int64(5) {
		require.Equal(t, start+(i+1)*second/5, b.Reserve(start), "then five a second")
	}
	// After a long rest the bucket is full again, and no fuller.
	later := start + 1000*second
	for range 3 {
		require.Equal(t, later, b.Reserve(later))
	}
	require.Equal(t, later+second/5, b.Reserve(later))
	require.Equal(t, start, l.Host("other.example").Reserve(start), "hosts are apart")
	for _, bad := range []struct {
		burst int
		rate  float64
	}{{0, 1}, {1, 0}, {-1, 1}, {1, -1}} {
		_, err := NewHostLimiter(bad.burst, bad.rate)
		require.Error(t, err)
	}
}

func TestHostLimiterIsExactUnderConcurrency(t *testing.T) {
	l, err := NewHostLimiter(50, 10)
	require.NoError(t, err)
	b := l.Host("x")
	var now atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if b.Reserve(1000) == 1000 {
					now.Add(1)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, int32(50), now.Load())
	require.Equal(t, int64(1000)+751*int64(time.Second)/10, b.Reserve(1000), "all 800 were counted")
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	refusal := func(code int, fields ...string) error {
		h := http.Header{}
		for i := 0; i < len(fields); i += 2 {
			h.Set(fields[i], fields[i+1])
		}
		return NewLoss(Upgrading, 1, &ws.UpgradeError{StatusCode: code, Header: h, Err: ws.ErrRefused})
	}
	for name, tc := range map[string]struct {
		err  error
		want time.Duration
		ok   bool
	}{
		"seconds":          {refusal(429, "Retry-After", "7"), 7 * time.Second, true},
		"a ban":            {refusal(418, "Retry-After", "3600"), time.Hour, true},
		"maintenance":      {refusal(503, "Retry-After", "0"), 0, true},
		"date":             {refusal(429, "Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT"), time.Minute, true},
		"date, own clock":  {refusal(429, "Retry-After", "Fri, 02 Jan 2026 03:05:05 GMT", "Date", "Fri, 02 Jan 2026 03:05:00 GMT"), 5 * time.Second, true},
		"date in the past": {refusal(429, "Retry-After", "Fri, 02 Jan 2026 03:00:00 GMT"), 0, true},
		"absurd":           {refusal(429, "Retry-After", "9223372036854775807"), time.Duration(1<<63-1) / time.Second * time.Second, true},
		"negative":         {refusal(429, "Retry-After", "-1"), 0, false},
		"nonsense":         {refusal(429, "Retry-After", "soon"), 0, false},
		"none":             {refusal(429), 0, false},
		"another status":   {refusal(401, "Retry-After", "7"), 0, false},
		"no refusal":       {ErrStaleFeed, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := RetryAfter(tc.err, now)
			require.Equal(t, tc.ok, ok)
			require.Equal(t, tc.want, got)
		})
	}
}
