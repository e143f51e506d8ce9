package endpoint

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Policy is how an endpoint behaves over time. The zero value of each field
// means its default; a negative time-out means none.
type Policy struct {
	// How long each state may last.
	ResolveTimeout time.Duration // default 5 s
	ConnectTimeout time.Duration // default 5 s
	SecureTimeout  time.Duration // default 5 s
	UpgradeTimeout time.Duration // default 5 s
	CloseTimeout   time.Duration // default 5 s

	// FirstDelay bounds the delay before the first reconnect after a healthy
	// connection: it is drawn evenly from 0 to FirstDelay (full jitter). Each
	// further loss doubles the bound up to MaxDelay.
	FirstDelay time.Duration // default 100 ms
	MaxDelay   time.Duration // default 30 s
	// HealthyAfter is how long a connection must have been open, with data
	// arriving, for the back-off to start over.
	HealthyAfter time.Duration // default 10 s
	// MaxAttempts gives up (state Failed) after so many losses in a row
	// without a healthy connection. Default: never.
	MaxAttempts int
	// RetryAfterCap bounds the Retry-After of a refusal (HTTP 418, 429, 503)
	// that is obeyed. A venue that asks for more has banned us: the endpoint
	// gives up with a *RetryAfterError.
	RetryAfterCap time.Duration // default 10 min

	// StaleAfter ends an open connection on which no data has arrived for so
	// long, whatever control frames say. Default: never.
	StaleAfter time.Duration
	// PingInterval sends a ping so long after the last one was answered, and
	// PongTimeout ends the connection when the answer does not come in time.
	// For protocols that can ping. Default: no pings; 10 s.
	PingInterval time.Duration
	PongTimeout  time.Duration

	// TimeToLive renews a connection of this age: a new one is made beside it
	// and takes its place, so that no data is missed. Default: never; leave it
	// so for endpoints that trade.
	TimeToLive time.Duration
	// Overlap is how long both then live, unless the endpoint calls Ready on
	// the new one before. Both deliver meanwhile.
	Overlap time.Duration // default 5 s
}

// DefaultPolicy is what the zero Policy stands for.
var DefaultPolicy = Policy{
	ResolveTimeout: 5 * time.Second,
	ConnectTimeout: 5 * time.Second,
	SecureTimeout:  5 * time.Second,
	UpgradeTimeout: 5 * time.Second,
	CloseTimeout:   5 * time.Second,
	FirstDelay:     100 * time.Millisecond,
	MaxDelay:       30 * time.Second,
	HealthyAfter:   10 * time.Second,
	RetryAfterCap:  10 * time.Minute,
	PongTimeout:    10 * time.Second,
	Overlap:        5 * time.Second,
}

// WithDefaults returns p with its zero fields filled in; p may be nil.
func (p *Policy) WithDefaults() Policy {
	out := DefaultPolicy
	if p == nil {
		return out
	}
	set := func(dst *time.Duration, v time.Duration) {
		if v != 0 {
			*dst = v
		}
	}
	set(&out.ResolveTimeout, p.ResolveTimeout)
	set(&out.ConnectTimeout, p.ConnectTimeout)
	set(&out.SecureTimeout, p.SecureTimeout)
	set(&out.UpgradeTimeout, p.UpgradeTimeout)
	set(&out.CloseTimeout, p.CloseTimeout)
	set(&out.FirstDelay, p.FirstDelay)
	set(&out.MaxDelay, p.MaxDelay)
	set(&out.HealthyAfter, p.HealthyAfter)
	set(&out.RetryAfterCap, p.RetryAfterCap)
	set(&out.StaleAfter, p.StaleAfter)
	set(&out.PingInterval, p.PingInterval)
	set(&out.PongTimeout, p.PongTimeout)
	set(&out.TimeToLive, p.TimeToLive)
	set(&out.Overlap, p.Overlap)
	out.MaxAttempts = p.MaxAttempts
	return out
}

// Validate reports what makes no sense.
func (p *Policy) Validate() error {
	for _, f := range []struct {
		name string
		d    time.Duration
	}{
		{"FirstDelay", p.FirstDelay}, {"MaxDelay", p.MaxDelay}, {"HealthyAfter", p.HealthyAfter}, {"RetryAfterCap", p.RetryAfterCap},
		{"StaleAfter", p.StaleAfter}, {"PingInterval", p.PingInterval}, {"PongTimeout", p.PongTimeout},
		{"TimeToLive", p.TimeToLive}, {"Overlap", p.Overlap},
	} {
		if f.d < 0 {
			return fmt.Errorf("endpoint: policy: %s %v is negative", f.name, f.d)
		}
	}
	if p.MaxAttempts < 0 {
		return fmt.Errorf("endpoint: policy: MaxAttempts %d is negative", p.MaxAttempts)
	}
	return nil
}

// Timeout is how long state s may last; 0: for ever.
func (p *Policy) Timeout(s State) time.Duration {
	var d time.Duration
	switch s {
	case Resolving:
		d = p.ResolveTimeout
	case Connecting:
		d = p.ConnectTimeout
	case Securing:
		d = p.SecureTimeout
	case Upgrading:
		d = p.UpgradeTimeout
	case Closing:
		d = p.CloseTimeout
	}
	return max(d, 0)
}

// Delay is the back-off before the try that follows the loss number losses
// (from 1) since the last healthy connection: even between 0 and
// min(MaxDelay, FirstDelay·2^(losses-1)).
func (p *Policy) Delay(losses int, random *rand.Rand) time.Duration {
	bound := p.FirstDelay
	for i := 1; i < losses && bound < p.MaxDelay; i++ {
		bound *= 2
	}
	bound = min(bound, p.MaxDelay)
	if bound <= 0 {
		return 0
	}
	return time.Duration(random.Int64N(int64(bound)))
}
