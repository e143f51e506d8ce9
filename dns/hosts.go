package dns

import (
	"net/netip"
	"slices"
	"strings"
)

// hosts is the table of a file of the form of hosts(5). Names are in lower case
// without a dot at the end.
type hosts map[string]hostEntry

type hostEntry struct {
	addrs     []netip.Addr // in the order of the file, each once, at most MaxAddrs
	canonical string       // the first name of the first line
}

// parseHosts reads text in the form of hosts(5): an address, its name, further
// names; # begins a comment. Lines that are not of this form are left out.
func parseHosts(text []byte) hosts {
	table := make(hosts)
	for line := range strings.SplitSeq(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		ip, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		ip = ip.Unmap()
		canonical := ""
		for _, w := range words[1:] {
			name, _, err := normalize(w)
			if err != nil {
				continue
			}
			if canonical == "" {
				canonical = name
			}
			table.add(name, canonical, ip)
		}
	}
	return table
}

func (h hosts) add(name, canonical string, ip netip.Addr) {
	e, ok := h[name]
	if !ok {
		e.canonical = canonical
	}
	if len(e.addrs) == MaxAddrs || slices.Contains(e.addrs, ip) {
		return
	}
	e.addrs = append(e.addrs, ip)
	h[name] = e
}

// loopback is what RFC 6761, section 6.3 has localhost and all below it be.
var loopback = hostEntry{
	addrs:     []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 1})},
	canonical: "localhost",
}
