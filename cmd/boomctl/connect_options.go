package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

// connectOptions are the flags of commands that connect to a WebSocket: what a
// connection is like and which way it goes.
type connectOptions struct {
	Header      []string `short:"H" sep:"none" placeholder:"'NAME: VALUE'" help:"Field of the opening request. Repeatable."`
	Subprotocol []string `sep:"none" placeholder:"NAME" help:"Subprotocol to offer. Repeatable, in order of preference."`

	CACert   string `name:"cacert" placeholder:"FILE" help:"Trust the certificates in this PEM file instead of the system's."`
	Insecure bool   `help:"Do not verify the server's certificate. For tests only."`

	connectTLS   `embed:""`
	connectProxy `embed:""`

	Resolve    []string          `sep:"none" placeholder:"HOST=ADDR" help:"Take this address for HOST instead of asking a name server; HOST= alone makes it unknown. Repeatable."`
	Interface  string            `placeholder:"INTERFACE" help:"Use this network interface only."`
	Source     netip.Addr        `placeholder:"ADDR" help:"Source address to bind."`
	Timestamps stream.Timestamps `default:"off" placeholder:"KIND" help:"Have the kernel stamp what is received: off, software, or hardware (by the NIC as well). --json then has kernel, the software stamp by CLOCK_MONOTONIC, and --latency a line."`

	Compress   bool     `help:"Offer permessage-deflate (RFC 7692)."`
	MaxMessage byteSize `default:"64MiB" placeholder:"SIZE" help:"Largest message to accept, up to 1GiB (${default})."`
}

// check refuses flags that do not fit together.
func (c *connectOptions) check() error {
	if (c.Cert == "") != (c.Key == "") {
		return errors.New("--cert and --key go together")
	}
	return nil
}

// warn says what is dangerous in the options, and opens the key log. ended closes it.
func (c *connectOptions) warn(o *ws.Options, say func(format string, args ...any)) (ended func(), err error) {
	if c.Insecure {
		say("WARNING: --insecure: the server's certificate is NOT verified: whoever is on the path can read and change everything")
	}
	if c.KeyLog == "" {
		return func() {}, nil
	}
	log, err := stream.KeyLogFile(c.KeyLog)
	if err != nil {
		return nil, fmt.Errorf("--keylog: %w", err)
	}
	o.Stream.TLS.KeyLogWriter = log
	say("WARNING: --keylog: who reads %s can decrypt these connections", c.KeyLog)
	return func() { _ = log.Close() }, nil // each line was written when it came
}

// options are those of every connection.
func (c *connectOptions) options() (*ws.Options, error) {
	o := &ws.Options{
		Subprotocols: c.Subprotocol,
		MaxMessage:   int(c.MaxMessage),
		CloseTimeout: closeTimeout,
	}
	o.Stream.Interface = c.Interface
	o.Stream.LocalAddr = c.Source
	o.Stream.QueueBound = queueBound
	o.Stream.Timestamps = c.Timestamps
	if c.Compress {
		o.Compression = &ws.Compression{}
	}
	var err error
	if o.Header, err = parseHeader(c.Header); err != nil {
		return nil, err
	}
	if o.Stream.Resolver, err = parseResolve(c.Resolve); err != nil {
		return nil, err
	}
	if o.Stream.TLS, err = c.tlsConfig(c.CACert, c.Insecure); err != nil {
		return nil, err
	}
	if err := c.route(&o.Stream); err != nil {
		return nil, err
	}
	return o, nil
}

// parseHeader reads "Name: value" fields. What a field may hold is checked by
// package ws.
func parseHeader(fields []string) (http.Header, error) {
	h := make(http.Header, len(fields))
	for _, f := range fields {
		name, value, ok := strings.Cut(f, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, fmt.Errorf("--header: %q: want 'Name: value'", f)
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return h, nil
}

// parseResolve reads host=addr pairs; the addresses of one host add up.
func parseResolve(pairs []string) (dns.Resolver, error) {
	if len(pairs) == 0 {
		return dns.System, nil
	}
	hosts := make(map[string][]netip.Addr, len(pairs))
	for _, p := range pairs {
		host, text, ok := strings.Cut(p, "=")
		if !ok || host == "" {
			return nil, fmt.Errorf("--resolve: %q: want host=addr", p)
		}
		host = strings.ToLower(host)
		addrs := hosts[host]
		if text != "" {
			addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
			if err != nil {
				return nil, fmt.Errorf("--resolve: %q: %w", p, err)
			}
			addrs = append(addrs, addr)
		}
		hosts[host] = addrs
	}
	return &dns.Static{Hosts: hosts, Next: dns.System}, nil
}
