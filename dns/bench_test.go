package dns

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A hit in the cache: what a reconnect pays.
func BenchmarkCached(b *testing.B) {
	sc := &script{says: func(context.Context, int, netip.AddrPort, question) (*answer, error) {
		return yes(time.Hour, "192.0.2.1"), nil
	}}
	s := &Stub{Config: &Config{Servers: []netip.AddrPort{one}}, HostsFile: "/dev/null", ask: sc.ask}
	_, err := s.LookupNetIP(b.Context(), "ip4", "feed.example")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.LookupNetIP(b.Context(), "ip4", "feed.example"); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, s.Close())
}
