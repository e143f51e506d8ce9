package dns

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// ErrNotPinned: a host has no address within its pinned set. It comes in a *[PinError].
var ErrNotPinned = errors.New("no address within the pinned set")

// Pinned lets a host have only addresses of a known set, whatever name servers
// say: answers from outside it are dropped, so whoever controls the name servers
// gets no connection. And it keeps the host reachable without them: when Next
// fails, or leaves nothing within the set, the single addresses of the set
// answer. The zero value knows no host and finds none. Any goroutine may use it,
// as long as none changes it.
//
// For addresses that name servers are never asked about, see [Static].
type Pinned struct {
	// Sets are the addresses that a host may have, by host: ranges, and single
	// addresses (192.0.2.7/32) in the order in which they are to be tried when
	// Next has none. Upper and lower case and a dot at the end make no difference.
	Sets map[string][]netip.Prefix
	// Next is asked, for hosts without a set too. nil: for those nothing is
	// found, and the single addresses are all there is.
	Next Resolver
	// Dropped, if set, is told of each address outside the set, on the goroutine
	// that asks, several at a time: it is worth an alarm.
	Dropped func(host string, addr netip.Addr)
}

// PinError says that nothing of a host may be used. errors.Is finds ErrNotPinned,
// and what was wrong with Next, if it failed.
type PinError struct {
	Host    string
	Dropped []netip.Addr // what Next has answered
	Err     error        // of Next
}

func (e *PinError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("dns: %s: %v: %v", e.Host, ErrNotPinned, e.Err)
	}
	return fmt.Sprintf("dns: %s: %v: %v dropped", e.Host, ErrNotPinned, e.Dropped)
}

// Unwrap returns ErrNotPinned and Err.
func (e *PinError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrNotPinned}
	}
	return []error{ErrNotPinned, e.Err}
}

// LookupNetIP implements Resolver. A literal address of no set is answered as it is.
func (p *Pinned) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := check(network); err != nil {
		return nil, err
	}
	if literal, err := netip.ParseAddr(host); err == nil {
		return filter(network, host, []netip.Addr{literal})
	}
	next := p.Next
	if next == nil {
		next = new(Static)
	}
	set, ok := p.find(host)
	if !ok {
		return next.LookupNetIP(ctx, network, host)
	}
	answers, err := next.LookupNetIP(ctx, network, host)
	var kept, dropped []netip.Addr
	for _, a := range answers {
		a = a.Unmap()
		switch {
		case !allows(network, a):
		case slices.ContainsFunc(set, func(r netip.Prefix) bool { return r.Contains(a.WithZone("")) }):
			kept = append(kept, a)
		default:
			dropped = append(dropped, a)
			if p.Dropped != nil {
				p.Dropped(host, a)
			}
		}
	}
	if len(kept) == 0 {
		for _, r := range set {
			if r.IsSingleIP() && allows(network, r.Addr()) {
				kept = append(kept, r.Addr())
			}
		}
	}
	if len(kept) == 0 {
		return nil, &PinError{Host: host, Dropped: dropped, Err: err}
	}
	return kept, nil
}

func (p *Pinned) find(host string) ([]netip.Prefix, bool) {
	host = strings.TrimSuffix(host, ".")
	for name, set := range p.Sets {
		if strings.EqualFold(strings.TrimSuffix(name, "."), host) {
			return set, true
		}
	}
	return nil, false
}
