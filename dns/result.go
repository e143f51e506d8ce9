package dns

import (
	"context"
	"errors"
	"iter"
	"net/netip"
	"time"
)

// Source says where an address comes from.
type Source string

// Sources.
const (
	Server    Source = "server"    // just asked
	Cached    Source = "cache"     // within its TTL
	Stale     Source = "stale"     // after its TTL, because no server gives better (RFC 8767)
	HostsFile Source = "hosts"     // Stub.HostsFile
	Localhost Source = "localhost" // known to all (RFC 6761, section 6.3)
	Literal   Source = "literal"   // the host was an address
)

// Result is all that is known of the addresses of a host.
type Result struct {
	// Host is what was asked for.
	Host string
	// Name is what was found after the search list: absolute, in lower case,
	// without a dot at its end. For a literal it is the host.
	Name string
	// Addrs are the addresses in order of preference, the families in turn.
	Addrs []Address
	// Missing is why the addresses of one family are not among Addrs although
	// they may exist: its servers failed, or ErrLate. nil: all are there.
	Missing error
}

// Address is an address and where it comes from.
type Address struct {
	netip.Addr
	// TTL is how long it is still valid: 0 for what is stale or local.
	TTL time.Duration
	// Canonical is the name at the end of the aliases, as the server has sent it:
	// its bytes may be any.
	Canonical string
	// From says whether it was kept.
	From Source
	// Server has answered, over Transport, after Time. They are zero when no
	// server was ever asked.
	Server    netip.AddrPort
	Transport Transport
	Time      time.Duration
}

// ErrLate: the answer for one family was not waited for longer than
// Stub.ResolutionDelay.
var ErrLate = errors.New("dns: later than the resolution delay")

// Lookup is LookupNetIP for those who want to know more: operators, tests.
func (s *Stub) Lookup(ctx context.Context, network, host string) (*Result, error) {
	f, err := s.lookup(ctx, network, host)
	if err != nil {
		return nil, err
	}
	now := s.now()
	r := &Result{Host: host, Name: f.name, Missing: joined(f.missing)}
	for p, i := range f.interleaved() {
		part := &f.parts[p]
		r.Addrs = append(r.Addrs, Address{
			Addr:      part.addrs[i],
			TTL:       time.Duration(max(0, part.expires-now)),
			Canonical: part.canonical,
			From:      part.from,
			Server:    part.server,
			Transport: part.transport,
			Time:      part.rtt,
		})
	}
	return r, nil
}

// found is what a lookup has come to: a part for IPv6 and one for IPv4.
type found struct {
	name       string
	parts      [2]part
	exists     bool
	missing    []error
	preferIPv4 bool
}

// part are the addresses of one family. They are shared and not changed.
type part struct {
	addrs     []netip.Addr
	canonical string
	from      Source
	expires   int64
	origin
}

func (f *found) any() bool { return len(f.parts[0].addrs) > 0 || len(f.parts[1].addrs) > 0 }

// local fills in what no server was asked for, as far as network allows it.
func (f found) local(network, host string, from Source, e hostEntry) (found, error) {
	addrs, err := filter(network, host, e.addrs)
	if err != nil {
		return f, err
	}
	f.name = e.canonical
	for _, a := range addrs {
		i := 0
		if a.Is4() {
			i = 1
		}
		p := &f.parts[i]
		p.addrs, p.canonical, p.from = append(p.addrs, a), e.canonical, from
	}
	return f, nil
}

// take puts the outcome of a question into part i.
func (f *found) take(i int, o outcome) {
	if o.err != nil {
		f.missing = append(f.missing, o.err)
		return
	}
	f.exists = f.exists || o.answer.exists
	f.parts[i] = part{o.answer.addrs, o.answer.canonical, o.from, o.expires, o.answer.origin}
}

// interleaved orders the addresses as RFC 8305, section 4 wants: the families
// take turns. It yields the part and the index in it.
func (f *found) interleaved() iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		first, second := 0, 1
		if f.preferIPv4 {
			first, second = 1, 0
		}
		a, b := len(f.parts[first].addrs), len(f.parts[second].addrs)
		for i := range max(a, b) {
			if i < a && !yield(first, i) || i < b && !yield(second, i) {
				return
			}
		}
	}
}
