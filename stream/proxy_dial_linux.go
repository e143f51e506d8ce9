package stream

import (
	"context"
	"errors"
	"net/netip"
)

// resolve finds the addresses of the proxy and, for socks5, those of the target.
func (p *proxy) resolve(ctx context.Context, o *Options) ([]netip.AddrPort, error) {
	if err := p.asked(p.target.ip).check(); err != nil {
		return nil, err
	}
	addrs, err := o.resolve(ctx, p.host, o.LocalAddr)
	if err != nil {
		return nil, p.failed(err)
	}
	if p.scheme == "socks5" {
		// The proxy's way to the target is its own: no family is ruled out.
		if p.beyond, err = o.resolve(ctx, p.target, netip.Addr{}); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// asked is what the proxy is asked to connect to, ip when it is valid.
func (p *proxy) asked(ip netip.Addr) address {
	return address{name: p.target.host, ip: ip, port: p.target.port}
}

// connect returns a stream that ends at the target. addrs are the proxy's. The
// addresses of the target, where we know them, are raced through the proxy in
// the same way, each over a connection of its own, until the proxy does not let us
// in: a password that is wrong once is not tried again, which may lock the user out.
func (p *proxy) connect(ctx context.Context, o *Options, addrs []netip.AddrPort) (Stream, error) {
	if len(p.beyond) > 0 {
		race, stop := context.WithCancelCause(ctx)
		defer stop(nil)
		tcp, err := o.race(race, p.beyond, func(ctx context.Context, to netip.AddrPort) (*TCP, error) {
			if err := context.Cause(race); err != nil {
				return nil, err
			}
			tcp, err := p.socks5(ctx, o, addrs, p.asked(to.Addr()))
			if errors.Is(err, ErrProxyAuth) {
				stop(err)
			}
			return tcp, err
		})
		if err == nil {
			return tcp, nil
		}
		if refused := context.Cause(race); errors.Is(refused, ErrProxyAuth) {
			return nil, refused
		}
		if _, ok := errors.AsType[*ProxyError](err); !ok {
			err = p.failed(err) // ctx ended
		}
		return nil, err
	}
	to := p.asked(p.target.ip)
	if p.socks() {
		return p.socks5(ctx, o, addrs, to)
	}
	tcp, err := o.connect(ctx, addrs, p.layers())
	if err != nil {
		return nil, p.failed(err)
	}
	var s Stream = tcp
	if p.scheme == "https" {
		if s, err = Secure(ctx, tcp, o.ProxyTLS, p.host.host); err != nil {
			return nil, p.failed(abandon(tcp, err))
		}
	}
	if err := connectHTTP(blocking{ctx, s}, to.String(), p.user); err != nil {
		return nil, abandon(s, p.refused("CONNECT", to, err))
	}
	return s, nil
}

// socks5 connects to the proxy and through it to one address.
func (p *proxy) socks5(ctx context.Context, o *Options, addrs []netip.AddrPort, to address) (*TCP, error) {
	tcp, err := o.connect(ctx, addrs, p.layers())
	if err != nil {
		return nil, p.failed(err)
	}
	if err := connectSOCKS5(blocking{ctx, tcp}, to, p.user); err != nil {
		return nil, abandon(tcp, p.refused("SOCKS5", to, err))
	}
	return tcp, nil
}
