package endpoint

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// HostLimiter bounds how often connections to one host are tried, over all
// endpoints and reactors that share it: venues ban who knocks too often. It is a
// token bucket for each host. Any goroutine may use it; asking takes no lock.
type HostLimiter struct {
	interval int64 // ns between two tries in the long run
	burst    int64 // tries at once
	hosts    sync.Map
}

// Limits of the default: the first hundred at once, then five a second.
const (
	DefaultHostBurst  = 100
	DefaultHostPerSec = 5
)

// NewHostLimiter allows burst tries at once and perSecond in the long run, for
// each host. Both must be over 0.
func NewHostLimiter(burst int, perSecond float64) (*HostLimiter, error) {
	if burst < 1 || !(perSecond > 0) {
		return nil, fmt.Errorf("endpoint: host limiter: burst %d and %g a second must both be over 0", burst, perSecond)
	}
	return &HostLimiter{interval: max(1, int64(float64(time.Second)/perSecond)), burst: int64(burst)}, nil
}

// ProcessLimiter returns the limiter that all reactors on the real clock share,
// unless they are given their own.
func ProcessLimiter() *HostLimiter { return processLimiter }

var processLimiter, _ = NewHostLimiter(DefaultHostBurst, DefaultHostPerSec)

// Host returns the bucket of a host; upper and lower case make no difference.
func (l *HostLimiter) Host(name string) *HostBucket {
	b, _ := l.hosts.LoadOrStore(strings.ToLower(name), &HostBucket{limiter: l})
	return b.(*HostBucket)
}

// HostBucket is the allowance of one host.
type HostBucket struct {
	limiter *HostLimiter
	full    atomic.Int64 // when the bucket will be full again (the GCRA's theoretical arrival time)
}

// Reserve takes a try out of the bucket and returns when it may be made: wanted,
// or later. Times are those of package clock.
func (b *HostBucket) Reserve(wanted int64) int64 {
	l := b.limiter
	for {
		full := b.full.Load()
		from := max(full, wanted)
		if b.full.CompareAndSwap(full, from+l.interval) {
			return max(wanted, from-(l.burst-1)*l.interval)
		}
	}
}

// Hosted is a Protocol that names the host it connects to, for the HostLimiter.
type Hosted interface{ EndpointHost() string }
