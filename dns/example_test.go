package dns_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/boomnet-go/boomnet/dns"
)

// One Stub for a process, in the place of every resolver.
func ExampleStub() {
	stub := &dns.Stub{
		Config:    &dns.Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:53")}}, // nil: /etc/resolv.conf
		HostsFile: "/dev/null",                                                                     // "": /etc/hosts
	}
	defer stub.Close()
	var r dns.Resolver = stub // for stream.Options.Resolver, endpoint.Seams.Resolver
	addrs, err := r.LookupNetIP(context.Background(), "ip4", "localhost")
	fmt.Println(addrs, err)
	// Output: [127.0.0.1] <nil>
}

// What is known of an address: how long, from where, after how much time.
func ExampleStub_Lookup() {
	stub := &dns.Stub{HostsFile: "/dev/null"}
	defer stub.Close()
	found, err := stub.Lookup(context.Background(), "ip", "localhost")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, a := range found.Addrs {
		fmt.Println(a, a.TTL, a.From, a.Server.IsValid())
	}
	// Output:
	// ::1 0s localhost false
	// 127.0.0.1 0s localhost false
}

// A name server that lies gets no connection, and one that is down stops none.
func ExamplePinned() {
	liar := &dns.Static{Hosts: map[string][]netip.Addr{"orders.example.com": {netip.MustParseAddr("203.0.113.66")}}}
	r := &dns.Pinned{
		Sets:    map[string][]netip.Prefix{"orders.example.com": {netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("192.0.2.16/28")}},
		Next:    liar, // a Stub
		Dropped: func(host string, addr netip.Addr) { fmt.Println("alarm:", host, "is not", addr) },
	}
	addrs, err := r.LookupNetIP(context.Background(), "ip", "orders.example.com")
	fmt.Println(addrs, err)
	// Output:
	// alarm: orders.example.com is not 203.0.113.66
	// [192.0.2.7] <nil>
}
