package dns

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// System is Go's own resolver, in Go also where cgo is at hand: /etc/hosts, then
// the name servers of /etc/resolv.conf with its time-outs and attempts. A lookup
// holds no thread of the operating system while it waits, and nothing of it is
// left soon after its ctx has ended. Any goroutine may use it. IPv4 addresses
// come unmapped.
//
// Errors are *net.DNSError: IsNotFound when the name does not exist or has no
// address of the network asked for, IsTimeout when nobody answered. errors.Is
// with context.DeadlineExceeded or context.Canceled tells whether ctx ended it.
var System Resolver = newSystem(new(net.Dialer).DialContext)

// system is a net.Resolver that answers literals itself and unmaps IPv4.
type system struct{ net *net.Resolver }

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// newSystem returns Go's resolver with dial as its way to the name servers.
//
// When a lookup is given up, net.Resolver returns at once but its query goes on
// reading until the server's time-out, 5 s by default and for each attempt. ctx
// below ends with the query, whichever way, so its end may end the read: else a
// reactor that closes during a lookup would leave goroutines and sockets behind.
func newSystem(dial dialFunc) system {
	return system{&net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(0, 1)) }) // refused when c is closed by then
		return c, nil
	}}}
}

func (s system) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if err := check(network); err != nil {
		return nil, err
	}
	if literal, err := netip.ParseAddr(host); err == nil {
		return filter(network, host, []netip.Addr{literal})
	}
	addrs, err := s.net.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return filter(network, host, addrs)
}
