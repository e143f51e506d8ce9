package dns

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPinned(t *testing.T) {
	down := errors.New("servers are down")
	set := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("2001:db8::7/128")}
	for _, c := range []struct {
		what, network string
		next          fakeResolver
		set           []netip.Prefix
		want, dropped []netip.Addr
	}{
		{"within", "ip", fakeResolver{addrs: addrs("203.0.113.9", "192.0.2.7")}, set, addrs("203.0.113.9", "192.0.2.7"), nil},
		{"mapped", "ip", fakeResolver{addrs: addrs("::ffff:203.0.113.9")}, set, addrs("203.0.113.9"), nil},
		{"one outside", "ip", fakeResolver{addrs: addrs("198.51.100.66", "203.0.113.9")}, set, addrs("203.0.113.9"), addrs("198.51.100.66")},
		{"all outside", "ip", fakeResolver{addrs: addrs("198.51.100.66")}, set, addrs("192.0.2.7", "2001:db8::7"), addrs("198.51.100.66")},
		{"down", "ip4", fakeResolver{err: down}, set, addrs("192.0.2.7"), nil},
		{"down, IPv6", "ip6", fakeResolver{err: down}, set, addrs("2001:db8::7"), nil},
		{"ranges alone, down", "ip", fakeResolver{err: down}, set[:1], nil, nil},
		{"ranges alone, outside", "ip", fakeResolver{addrs: addrs("198.51.100.66")}, set[:1], nil, addrs("198.51.100.66")},
		{"nothing is allowed", "ip", fakeResolver{addrs: addrs("198.51.100.66")}, nil, nil, addrs("198.51.100.66")},
	} {
		t.Run(c.what, func(t *testing.T) {
			var dropped []netip.Addr
			p := &Pinned{Sets: map[string][]netip.Prefix{"Feed.example.": c.set}, Next: &c.next, Dropped: func(host string, a netip.Addr) {
				require.Equal(t, "feed.example", host)
				dropped = append(dropped, a)
			}}
			got, err := p.LookupNetIP(t.Context(), c.network, "feed.example")
			require.Equal(t, c.want, got)
			require.Equal(t, c.dropped, dropped)
			if c.want != nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrNotPinned)
			if c.next.err != nil {
				require.ErrorIs(t, err, c.next.err)
			}
			var pin *PinError
			require.ErrorAs(t, err, &pin)
			require.Equal(t, c.dropped, pin.Dropped)
			require.ErrorContains(t, err, "feed.example")
		})
	}
	next := &fakeResolver{addrs: addrs("198.51.100.1")}
	p := &Pinned{Sets: map[string][]netip.Prefix{"feed.example": set}, Next: next}
	got, err := p.LookupNetIP(t.Context(), "ip", "other.example")
	require.NoError(t, err)
	require.Equal(t, next.addrs, got, "a host without a set")
	got, err = p.LookupNetIP(t.Context(), "ip", "192.0.2.1")
	require.NoError(t, err)
	require.Equal(t, addrs("192.0.2.1"), got)
	_, err = p.LookupNetIP(t.Context(), "tcp", "x")
	require.ErrorIs(t, err, net.UnknownNetworkError("tcp"))
	p.Next = nil
	got, err = p.LookupNetIP(t.Context(), "ip4", "feed.example")
	require.NoError(t, err)
	require.Equal(t, addrs("192.0.2.7"), got)
	_, err = new(Pinned).LookupNetIP(t.Context(), "ip", "other.example")
	requireNotFound(t, err, "other.example")
}
