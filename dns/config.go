package dns

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Config says which servers a [Stub] asks, and how: what a file of the form of
// resolv.conf(5) says. Zero values have defaults.
type Config struct {
	// Servers are asked in this order. Default: 127.0.0.1:53. A port 0 is 53.
	// IPv6 addresses may have zones.
	Servers []netip.AddrPort
	// Search are the domains that are tried behind a name with fewer than Ndots
	// dots before the name itself, behind any other after it. A name with a dot
	// at its end is never searched for. Default: none.
	Search []string
	// Ndots: see Search. 0 to 15; default 1, negative: 0.
	Ndots int
	// Timeout is how long one query to one server waits for its answer; the
	// servers after it need not wait for that, see Stub.Stagger. Default 5 s.
	Timeout time.Duration
	// Attempts is how often each server is asked. Default 2.
	Attempts int
	// Rotate begins each question with another server.
	Rotate bool
	// TCP asks over TCP alone (use-vc). Without it TCP is for answers that do
	// not fit in a datagram.
	TCP bool
	// NoEDNS leaves out the OPT record (RFC 6891), so that more answers come
	// over TCP. Servers that do not know it are found out without this.
	NoEDNS bool
	// SingleRequest asks for AAAA after the answer for A, not beside it.
	SingleRequest bool
	// NoAAAA never asks for IPv6 addresses.
	NoAAAA bool
	// NoTLDQuery does not ask for a name without a dot as it is.
	NoTLDQuery bool
	// NoReload keeps what a Stub has read from the file once.
	NoReload bool
}

// What resolv.conf(5) allows, and bounds of our own where it has none.
const (
	dnsPort     = 53
	maxServers  = 3 // in a file
	maxSearch   = 32
	maxNdots    = 15
	maxAttempts = 5
	maxTimeout  = 30 * time.Second
)

// Defaults of Config, those of resolv.conf(5).
const (
	DefaultTimeout  = 5 * time.Second
	DefaultAttempts = 2
)

// ParseConfig reads text in the form of resolv.conf(5). It never fails: what it
// does not understand it leaves out, as every resolver does. Known are
// nameserver (the first three), domain and search (the last one counts, at most
// 32 domains), and of options ndots, timeout, attempts, rotate, use-vc,
// single-request, single-request-reopen, no-aaaa, no-tld-query and no-reload.
// EDNS needs no edns0. The environment (LOCALDOMAIN, RES_OPTIONS) is not read.
func ParseConfig(text []byte) Config {
	var c Config
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if ip, err := netip.ParseAddr(words[1]); err == nil && len(c.Servers) < maxServers {
				c.Servers = append(c.Servers, netip.AddrPortFrom(ip, dnsPort))
			}
		case "domain":
			c.Search = searchList(words[1:2])
		case "search":
			c.Search = searchList(words[1:])
		case "options":
			for _, o := range words[1:] {
				c.option(o)
			}
		}
	}
	return c
}

// searchList keeps the domains that are names; "." stands for the name alone.
func searchList(domains []string) []string {
	kept := []string{} // an empty list is one, too: the host's own domain does not apply
	for _, d := range domains {
		if d != "." {
			var err error
			if d, _, err = normalize(d); err != nil {
				continue
			}
		}
		if kept = append(kept, d); len(kept) == maxSearch {
			break
		}
	}
	return kept
}

func (c *Config) option(o string) {
	name, value, _ := strings.Cut(o, ":")
	n, err := strconv.Atoi(value)
	number := err == nil && n >= 0
	switch name {
	case "ndots":
		if number {
			if c.Ndots = min(n, maxNdots); n == 0 {
				c.Ndots = -1
			}
		}
	case "timeout":
		if number {
			c.Timeout = time.Duration(max(1, min(n, int(maxTimeout/time.Second)))) * time.Second
		}
	case "attempts":
		if number {
			c.Attempts = max(1, min(n, maxAttempts))
		}
	case "rotate":
		c.Rotate = true
	case "use-vc", "usevc", "tcp":
		c.TCP = true
	case "single-request", "single-request-reopen":
		c.SingleRequest = true
	case "no-aaaa":
		c.NoAAAA = true
	case "no-tld-query":
		c.NoTLDQuery = true
	case "no-reload":
		c.NoReload = true
	}
}

// localDomain is the search list of a machine whose file has none: all behind
// the first dot of its name.
func localDomain(hostname string) []string {
	if _, domain, ok := strings.Cut(hostname, "."); ok {
		return searchList([]string{domain})
	}
	return nil
}

// filled is a copy of c with the defaults in it, which shares nothing with c.
func (c *Config) filled() *Config {
	f := *c
	f.Servers = nil
	for _, s := range c.Servers {
		port := s.Port()
		if port == 0 {
			port = dnsPort
		}
		f.Servers = append(f.Servers, netip.AddrPortFrom(s.Addr().Unmap(), port))
	}
	if len(f.Servers) == 0 {
		f.Servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort)}
	}
	f.Search = searchList(c.Search)
	switch {
	case f.Ndots == 0:
		f.Ndots = 1
	case f.Ndots < 0:
		f.Ndots = 0
	}
	if f.Timeout <= 0 {
		f.Timeout = DefaultTimeout
	}
	if f.Attempts <= 0 {
		f.Attempts = DefaultAttempts
	}
	return &f
}
