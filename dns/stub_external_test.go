//go:build external

package dns

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests ask name servers that others have written. They need dnsmasq and
// unbound: Debian packages dnsmasq-base and unbound.

// bigAddrs is how many addresses big.venue.test has: more than fit in a datagram.
const bigAddrs = 100

func bigAddr(i int) string { return fmt.Sprintf("198.18.0.%d", i+1) }

// run starts a program until the test ends, which fails without it.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + program)
	}
	require.NoError(t, err, "%s must be installed", program)
	cmd := exec.Command(path, args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

// freePort is one that UDP and TCP have free just now.
func freePort(t *testing.T) netip.AddrPort {
	pc, l := listenBoth(t, true)
	require.NoError(t, l.Close())
	require.NoError(t, pc.Close())
	return netip.MustParseAddrPort(pc.LocalAddr().String())
}

func startDnsmasq(t *testing.T) netip.AddrPort {
	at := freePort(t)
	args := []string{"--no-daemon", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--bind-interfaces", "--user=root", "--pid-file=",
		"--listen-address=127.0.0.1", fmt.Sprintf("--port=%d", at.Port()), "--local-ttl=300", "--local=/test/",
		"--host-record=feed.venue.test,192.0.2.1,2001:db8::1", "--host-record=four.venue.test,192.0.2.4",
		"--cname=a.venue.test,b.venue.test", "--cname=b.venue.test,feed.venue.test"}
	for i := range bigAddrs {
		args = append(args, "--host-record=big.venue.test,"+bigAddr(i))
	}
	run(t, "dnsmasq", args...)
	return at
}

func startUnbound(t *testing.T) netip.AddrPort {
	at := freePort(t)
	dir := t.TempDir()
	var conf strings.Builder
	fmt.Fprintf(&conf, `server:
  interface: 127.0.0.1
  port: %d
  do-daemonize: no
  username: ""
  chroot: ""
  directory: %q
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "venue.test." static
  local-data: "venue.test. 60 IN SOA ns.venue.test. root.venue.test. 1 3600 600 86400 60"
  local-data: "feed.venue.test. 300 IN A 192.0.2.1"
  local-data: "feed.venue.test. 300 IN AAAA 2001:db8::1"
  local-data: "four.venue.test. 300 IN A 192.0.2.4"
  local-data: "a.venue.test. 300 IN CNAME b.venue.test."
  local-data: "b.venue.test. 300 IN CNAME feed.venue.test."
`, at.Port(), dir)
	for i := range bigAddrs {
		fmt.Fprintf(&conf, "  local-data: \"big.venue.test. 300 IN A %s\"\n", bigAddr(i))
	}
	conf.WriteString("remote-control:\n  control-enable: no\n")
	path := filepath.Join(dir, "unbound.conf")
	require.NoError(t, os.WriteFile(path, []byte(conf.String()), 0o600))
	run(t, "unbound", "-d", "-c", path)
	return at
}

func TestExternalDnsmasq(t *testing.T) { testNameServer(t, startDnsmasq(t), false) }

func TestExternalUnbound(t *testing.T) { testNameServer(t, startUnbound(t), true) }

func testNameServer(t *testing.T, at netip.AddrPort, denies bool) {
	s := stubOf(t, []netip.AddrPort{at}, func(s *Stub) { s.Config.Search = []string{"venue.test"} })
	require.Eventually(t, func() bool {
		_, err := s.LookupNetIP(t.Context(), "ip4", "four.venue.test.")
		s.Flush()
		return err == nil
	}, 20*time.Second, 50*time.Millisecond, "the server starts")

	for _, c := range []struct {
		network, host string
		want          []netip.Addr
		canonical     string
	}{
		{"ip", "feed.venue.test.", addrs("2001:db8::1", "192.0.2.1"), "feed.venue.test"},
		{"ip4", "FEED.venue.test", addrs("192.0.2.1"), "feed.venue.test"},
		{"ip6", "feed", addrs("2001:db8::1"), "feed.venue.test"},
		{"ip", "four.venue.test.", addrs("192.0.2.4"), "four.venue.test"},
		{"ip", "a.venue.test.", addrs("2001:db8::1", "192.0.2.1"), "feed.venue.test"},
	} {
		t.Run(c.network+" "+c.host, func(t *testing.T) {
			s.Flush()
			for _, from := range []Source{Server, Cached} {
				r, err := s.Lookup(t.Context(), c.network, c.host)
				require.NoError(t, err)
				require.NoError(t, r.Missing)
				require.Len(t, r.Addrs, len(c.want))
				for i, a := range r.Addrs {
					require.Equal(t, c.want[i], a.Addr)
					require.Equal(t, c.canonical, a.Canonical)
					require.Equal(t, from, a.From)
					require.Equal(t, UDP, a.Transport)
					require.Equal(t, at, a.Server)
					require.InDelta(t, 300, a.TTL.Seconds(), 30)
				}
			}
		})
	}
	t.Run("too large for UDP", func(t *testing.T) {
		r, err := s.Lookup(t.Context(), "ip4", "big.venue.test.")
		require.NoError(t, err)
		require.Len(t, r.Addrs, bigAddrs)
		require.Equal(t, TCP, r.Addrs[0].Transport)
	})
	t.Run("TCP alone", func(t *testing.T) {
		tcp := stubOf(t, []netip.AddrPort{at}, func(s *Stub) { s.Config.TCP = true })
		r, err := tcp.Lookup(t.Context(), "ip4", "feed.venue.test.")
		require.NoError(t, err)
		require.Equal(t, TCP, r.Addrs[0].Transport)
	})
	t.Run("without EDNS", func(t *testing.T) {
		plain := stubOf(t, []netip.AddrPort{at}, func(s *Stub) { s.Config.NoEDNS = true })
		got, err := plain.LookupNetIP(t.Context(), "ip4", "feed.venue.test.")
		require.NoError(t, err)
		require.Equal(t, addrs("192.0.2.1"), got)
	})
	t.Run("no such name", func(t *testing.T) {
		_, err := s.LookupNetIP(t.Context(), "ip", "none.venue.test.")
		requireNotFound(t, err, "none.venue.test.")
		e := s.store.get(question{"none.venue.test", 1})
		if denies { // with an SOA, so it is kept
			require.NotNil(t, e)
			require.InDelta(t, 60, float64(e.expires-s.now())/1e9, 30)
		} else {
			require.Nil(t, e, "a denial without an SOA")
		}
	})
	t.Run("no address of the family", func(t *testing.T) {
		_, err := s.LookupNetIP(t.Context(), "ip6", "four.venue.test.")
		requireNotFound(t, err, "four.venue.test.")
		require.ErrorContains(t, err, "no IPv6 address")
	})
}
