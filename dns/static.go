package dns

import (
	"context"
	"net/netip"
	"strings"
)

// Static answers from a table and asks another resolver for what is not in it:
// pinned addresses, test servers, a venue's line that no name server tells. The
// zero value knows no host. Any goroutine may use it, as long as none changes it.
type Static struct {
	// Hosts maps a host to its addresses in order of preference. Upper and lower
	// case and a dot at the end make no difference; where two names differ in
	// nothing else the one spelled as asked for answers, else either. The table
	// has the last word on the hosts in it: an empty list, or none of the network
	// asked for, is a host that is not found.
	Hosts map[string][]netip.Addr
	// Next is asked for every other host. nil: they are not found.
	Next Resolver
}

// LookupNetIP implements Resolver. Literal addresses reach neither Hosts nor Next.
func (s *Static) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := check(network); err != nil {
		return nil, err
	}
	if literal, err := netip.ParseAddr(host); err == nil {
		return filter(network, host, []netip.Addr{literal})
	}
	if addrs, ok := s.find(host); ok {
		return filter(network, host, addrs)
	}
	if s.Next == nil {
		return nil, notFound("ip", host)
	}
	return s.Next.LookupNetIP(ctx, network, host)
}

func (s *Static) find(host string) ([]netip.Addr, bool) {
	if addrs, ok := s.Hosts[host]; ok {
		return addrs, true
	}
	host = strings.TrimSuffix(host, ".")
	for name, addrs := range s.Hosts {
		if strings.EqualFold(strings.TrimSuffix(name, "."), host) {
			return addrs, true
		}
	}
	return nil, false
}
