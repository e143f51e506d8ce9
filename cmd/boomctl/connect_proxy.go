package main

import (
	"crypto/tls"
	"fmt"
	"net/url"

	"github.com/boomnet-go/boomnet/stream"
)

// connectProxy are connect's flags for the way out.
type connectProxy struct {
	Proxy       string `placeholder:"URL" xor:"proxy" help:"Proxy to go through: http://, https://, socks5:// (names are resolved here) or socks5h:// (there), with user:password@ where it wants them. Default: HTTPS_PROXY for wss, HTTP_PROXY for ws, or ALL_PROXY, and NO_PROXY, of the environment."`
	NoProxy     bool   `name:"no-proxy" xor:"proxy" help:"Connect directly, whatever the environment says."`
	ProxyCACert string `name:"proxy-cacert" placeholder:"FILE" help:"Trust the certificates in this PEM file for an https proxy."`

	used *url.URL // by the last connection
}

// route sets the way out of a stream.
func (c *connectProxy) route(o *stream.Options) error {
	pool, err := roots("--proxy-cacert", c.ProxyCACert)
	if err != nil {
		return err
	}
	o.ProxyTLS = &tls.Config{RootCAs: pool}
	choose := stream.ProxyFromEnvironment
	switch {
	case c.NoProxy:
		return nil
	case c.Proxy != "":
		u, err := stream.ParseProxy(c.Proxy)
		if err != nil {
			return fmt.Errorf("--proxy: %w", err)
		}
		choose = stream.ProxyURL(u)
	}
	o.Proxy = func(target string) (u *url.URL, err error) {
		c.used, err = choose(target)
		return c.used, err
	}
	return nil
}

// through names the proxy of the last connection, without a password.
func (c *connectProxy) through() string {
	if c.used == nil {
		return ""
	}
	return " through proxy " + c.used.Redacted()
}
