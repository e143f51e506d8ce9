// Package dns turns host names into addresses, away from the reactor.
//
// Resolving happens on a connector goroutine, so it may take its time and costs
// no other endpoint anything. A [Resolver] is whatever has net.Resolver's
// LookupNetIP, and goes into stream.Options.Resolver or endpoint.Seams.Resolver:
//
//	System   Go's own, the default: as the machine is set up, without a cache
//	Stub     asks the machine's name servers itself, several side by side, and
//	         keeps what they say: fetched anew before it expires, used stale when
//	         no server answers
//	Static   a table; what is not in it is asked of another resolver
//	Pinned   lets a host have addresses of a known set only, whatever name
//	         servers say, and reaches it without them
//
// One Stub serves a process, because it is the cache:
//
//	stub := new(dns.Stub) // /etc/resolv.conf, /etc/hosts
//	defer stub.Close()    // after the reactor
//	r := &dns.Pinned{
//		Sets: map[string][]netip.Prefix{"orders.example.com": {netip.MustParsePrefix("192.0.2.0/28")}},
//		Next: stub,
//	}
//
// A trading day is the wrong moment to lose a venue because a name server is
// down: addresses that have served until now are used for a day longer while the
// servers are silent (RFC 8767). A silent server costs a lookup a second, once.
//
// All keep the order of preference, answer a literal address ("192.0.2.7",
// "fe80::1%eth0") without looking anything up, and say that a host does not
// exist with a *net.DNSError whose IsNotFound is set.
package dns

import (
	"context"
	"net"
	"net/netip"
)

// Resolver finds the addresses of a host. It is called on connector goroutines,
// several at a time, and must obey ctx. *net.Resolver is one.
type Resolver interface {
	// LookupNetIP returns the addresses of host in order of preference.
	// network is "ip", "ip4" or "ip6". An answer without an address is an error.
	// The slice belongs to the caller. IPv4 addresses may come in their mapped
	// form (::ffff:192.0.2.7), as *net.Resolver's do: callers Unmap them.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// filter returns those of addrs that network allows, in a slice of its own,
// unmapped and in their order. None left is a not-found error about host.
func filter(network, host string, addrs []netip.Addr) ([]netip.Addr, error) {
	var kept []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); allows(network, a) {
			kept = append(kept, a)
		}
	}
	if len(kept) == 0 {
		return nil, notFound(network, host)
	}
	return kept, nil
}

// allows reports whether network ("ip", "ip4", "ip6") takes the unmapped address a.
func allows(network string, a netip.Addr) bool {
	switch network {
	case "ip4":
		return a.Is4()
	case "ip6":
		return a.Is6()
	}
	return a.IsValid()
}

// check refuses a network that LookupNetIP does not know.
func check(network string) error {
	switch network {
	case "ip", "ip4", "ip6":
		return nil
	}
	return net.UnknownNetworkError(network)
}

func notFound(network, host string) error {
	what := "no such host"
	switch network {
	case "ip4":
		what = "no IPv4 address"
	case "ip6":
		what = "no IPv6 address"
	}
	return &net.DNSError{Err: what, Name: host, IsNotFound: true}
}

// noAddress is for a host that exists.
func noAddress(network, host string) error {
	if network == "ip" {
		return &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return notFound(network, host)
}
