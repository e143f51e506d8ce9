package stream

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// DefaultFallbackDelay is the "Connection Attempt Delay" that RFC 8305,
// section 5 recommends.
const DefaultFallbackDelay = 250 * time.Millisecond

// interleave orders addresses as RFC 8305, section 4 wants: the families take
// turns, beginning with that of the first address, which is the preferred one;
// within a family the order stays.
func interleave(addrs []netip.AddrPort) []netip.AddrPort {
	var families [2][]netip.AddrPort
	for _, a := range addrs {
		i := 0
		if a.Addr().Is4() != addrs[0].Addr().Is4() {
			i = 1
		}
		families[i] = append(families[i], a)
	}
	out := make([]netip.AddrPort, 0, len(addrs))
	for i := range addrs {
		for _, f := range families {
			if i < len(f) {
				out = append(out, f[i])
			}
		}
	}
	return out
}

// attempt is how the try of one address ended.
type attempt struct {
	index int
	tcp   *TCP
	err   error
}

// race dials the addresses as RFC 8305, section 5 wants: the next one starts when
// the one before has failed, or has not answered within FallbackDelay. The
// first connection wins; the others are given up, and closed should they come
// through all the same.
func (o *Options) race(ctx context.Context, addrs []netip.AddrPort, dial func(context.Context, netip.AddrPort) (*TCP, error)) (*TCP, error) {
	if _, err := o.queueBound(); err != nil {
		return nil, err
	}
	delay := o.FallbackDelay
	if delay <= 0 {
		delay = DefaultFallbackDelay
	}
	// The attempts end with this function, not with ctx, so that what ended
	// them is never taken for their own failure.
	attempts, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	over := make(chan struct{})
	defer close(over)
	results := make(chan attempt)
	stagger := time.NewTimer(delay)
	defer stagger.Stop()

	failures := make(failedAttempts, len(addrs))
	started, failed := 0, 0
	start := func() {
		i := started
		started++
		stagger.Reset(delay)
		go func() {
			tcp, err := dial(attempts, addrs[i])
			select {
			case results <- attempt{i, tcp, err}:
			case <-over:
				if tcp != nil {
					_ = tcp.Close() // nobody is left to be told
				}
			}
		}()
	}

	start()
	for failed < len(addrs) {
		select {
		case r := <-results:
			if r.err == nil {
				return r.tcp, nil
			}
			failures[r.index] = r.err
			failed++
			if started < len(addrs) {
				start()
			}
		case <-stagger.C:
			if started < len(addrs) {
				start()
			}
		case <-ctx.Done():
			for i := range started {
				if failures[i] == nil {
					failures[i] = fmt.Errorf("%s: no answer: %w", addrs[i], context.Cause(ctx))
				}
			}
			return nil, failures.trim(started)
		}
	}
	return nil, failures.trim(started)
}

// failedAttempts are the errors of all addresses that were tried; each names
// its address. errors.Is and errors.As look into every one.
type failedAttempts []error

func (f failedAttempts) trim(started int) error {
	if started == 1 {
		return f[0]
	}
	return f[:started]
}

func (f failedAttempts) Error() string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (f failedAttempts) Unwrap() []error { return f }
