package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// *net.Resolver fits as it is.
var _ Resolver = (*net.Resolver)(nil)

func addrs(texts ...string) (list []netip.Addr) {
	for _, s := range texts {
		list = append(list, netip.MustParseAddr(s))
	}
	return list
}

// fakeResolver is a Resolver that remembers what it was asked.
type fakeResolver struct {
	asked []string
	addrs []netip.Addr
	err   error
}

func (a *fakeResolver) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	a.asked = append(a.asked, network+" "+host)
	return a.addrs, a.err
}

func requireNotFound(t *testing.T, err error, name string) {
	t.Helper()
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	require.True(t, dns.IsNotFound)
	require.Equal(t, name, dns.Name)
}

func TestStatic(t *testing.T) {
	hosts := map[string][]netip.Addr{
		"feed.example.com":  addrs("192.0.2.2", "2001:db8::1", "192.0.2.1"),
		"Mixed.Example.":    addrs("192.0.2.3"),
		"mapped.example":    addrs("::ffff:192.0.2.4"),
		"closed.example":    nil,
		"two.example":       addrs("192.0.2.5"),
		"TWO.example":       addrs("192.0.2.6"),
		"192.0.2.99":        addrs("192.0.2.1"),
		"invalid.example":   {{}},
		"six.example":       addrs("2001:db8::2"),
		"scoped.example":    addrs("fe80::1%eth0"),
		"only-dot.example.": addrs("192.0.2.7"),
	}
	for _, c := range []struct {
		network, host string
		want          []netip.Addr // nil: not found
	}{
		{"ip", "feed.example.com", addrs("192.0.2.2", "2001:db8::1", "192.0.2.1")},
		{"ip4", "feed.example.com", addrs("192.0.2.2", "192.0.2.1")},
		{"ip6", "feed.example.com", addrs("2001:db8::1")},
		{"ip", "FEED.example.COM", addrs("192.0.2.2", "2001:db8::1", "192.0.2.1")},
		{"ip", "feed.example.com.", addrs("192.0.2.2", "2001:db8::1", "192.0.2.1")},
		{"ip", "mixed.example", addrs("192.0.2.3")},
		{"ip", "only-dot.example", addrs("192.0.2.7")},
		{"ip", "feed.example.com..", nil},
		{"ip4", "mapped.example", addrs("192.0.2.4")},
		{"ip6", "mapped.example", nil},
		{"ip", "two.example", addrs("192.0.2.5")},
		{"ip", "TWO.example", addrs("192.0.2.6")},
		{"ip6", "six.example", addrs("2001:db8::2")},
		{"ip4", "six.example", nil},
		{"ip6", "scoped.example", addrs("fe80::1%eth0")},
		{"ip", "closed.example", nil},
		{"ip", "invalid.example", nil},
		{"ip", "unknown.example", nil},
		{"ip", "", nil},
		{"ip", ".", nil},
		{"ip", "192.0.2.99", addrs("192.0.2.99")},
	} {
		t.Run(c.network+" "+c.host, func(t *testing.T) {
			got, err := (&Static{Hosts: hosts}).LookupNetIP(t.Context(), c.network, c.host)
			require.Equal(t, c.want, got)
			if c.want == nil {
				requireNotFound(t, err, c.host)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestStaticAnswerBelongsToTheCaller(t *testing.T) {
	s := &Static{Hosts: map[string][]netip.Addr{"a": addrs("192.0.2.1")}}
	got, err := s.LookupNetIP(t.Context(), "ip", "a")
	require.NoError(t, err)
	got[0] = netip.Addr{}
	require.Equal(t, addrs("192.0.2.1"), s.Hosts["a"])
}

func TestStaticNext(t *testing.T) {
	next := &fakeResolver{addrs: addrs("192.0.2.9")}
	s := &Static{Hosts: map[string][]netip.Addr{"known": addrs("192.0.2.1")}, Next: next}

	got, err := s.LookupNetIP(t.Context(), "ip4", "Unknown.")
	require.NoError(t, err)
	require.Equal(t, addrs("192.0.2.9"), got)
	require.Equal(t, []string{"ip4 Unknown."}, next.asked, "asked as it was")

	_, err = s.LookupNetIP(t.Context(), "ip6", "known")
	requireNotFound(t, err, "known")
	_, err = s.LookupNetIP(t.Context(), "ip", "192.0.2.1")
	require.NoError(t, err)
	require.Len(t, next.asked, 1, "the table has the last word, literals are not looked up")

	next.err = errors.New("out of order")
	_, err = s.LookupNetIP(t.Context(), "ip", "unknown")
	require.ErrorIs(t, err, next.err)
}

// Every resolver answers literals and refuses networks in the same way.
func TestLiterals(t *testing.T) {
	never := newSystem(func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("a literal was looked up")
	})
	for name, r := range map[string]Resolver{"static": new(Static), "system": never} {
		for _, c := range []struct {
			network, host string
			want          []netip.Addr
		}{
			{"ip", "192.0.2.1", addrs("192.0.2.1")},
			{"ip4", "192.0.2.1", addrs("192.0.2.1")},
			{"ip6", "192.0.2.1", nil},
			{"ip", "::1", addrs("::1")},
			{"ip6", "::1", addrs("::1")},
			{"ip4", "::1", nil},
			{"ip4", "::ffff:192.0.2.1", addrs("192.0.2.1")},
			{"ip6", "fe80::1%eth0", addrs("fe80::1%eth0")},
		} {
			t.Run(name+" "+c.network+" "+c.host, func(t *testing.T) {
				got, err := r.LookupNetIP(t.Context(), c.network, c.host)
				require.Equal(t, c.want, got)
				if c.want == nil {
					requireNotFound(t, err, c.host)
				} else {
					require.NoError(t, err)
				}
			})
		}
		_, err := r.LookupNetIP(t.Context(), "tcp", "192.0.2.1")
		require.ErrorIs(t, err, net.UnknownNetworkError("tcp"), name)
	}
}
