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
	out.MaxAttempts = p.MaxAttempts
	return out
}

// Validate reports what makes no sense.
func (p *Policy) Validate() error {
	switch {
	case p.FirstDelay < 0:
		return fmt.Errorf("endpoint: policy: FirstDelay %v is negative", p.FirstDelay)
	case p.MaxDelay < 0:
		return fmt.Errorf("endpoint: policy: MaxDelay %v is negative", p.MaxDelay)
	case p.HealthyAfter < 0:
		return fmt.Errorf("endpoint: policy: HealthyAfter %v is negative", p.HealthyAfter)
	case p.MaxAttempts < 0:
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
