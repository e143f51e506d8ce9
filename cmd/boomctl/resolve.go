package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/boomnet-go/boomnet/dns"
)

// resolveCmd is "boomctl resolve": what a dns.Stub finds, and whom it asked.
type resolveCmd struct {
	Name    string        `arg:"" help:"Host name. A dot at its end: no search list."`
	Server  []nameServer  `sep:"none" placeholder:"IP[:PORT]" help:"Ask this server instead of those of /etc/resolv.conf, and leave /etc/hosts aside. Repeatable, in order."`
	Type    string        `enum:"a,aaaa,both" default:"both" help:"a, aaaa or both (${default})."`
	TCP     bool          `name:"tcp" help:"Ask over TCP alone."`
	Timeout time.Duration `default:"10s" help:"Limit of the whole lookup (${default})."`
	JSON    bool          `name:"json" help:"Print each address as a JSON object: host, name, addr, family, ttl_s, canonical, from, server, transport, time_ms."`
}

// Help is the long help.
func (*resolveCmd) Help() string {
	return `Asks as the library does: hosts file, then the name servers, A beside AAAA. Each address is a line, in the order in which it would be tried: address, family, seconds to live, where it is from (server, hosts, localhost, literal), server, transport, time, and the name at the end of the aliases.`
}

func (*resolveCmd) about() about {
	return about{
		examples: []example{
			{"What the machine's name servers say.", "boomctl resolve example.com"},
			{"What this one says, over TCP, for a program.", "boomctl resolve example.com --server 192.0.2.53 --tcp --json"},
		},
		statuses: []entry{
			{"0", "Found."},
			{"1", "Standard output failed."},
			{"2", "The command line is wrong."},
			{"3", "Not found, or no server has answered."},
		},
		files: []entry{
			{"/etc/resolv.conf, /etc/hosts", "As resolv.conf(5) and hosts(5) say; nsswitch.conf is not read."},
		},
	}
}

// nameServer is a name server on the command line: 192.0.2.53, 192.0.2.53:5353,
// fe80::1%eth0, [2001:db8::1]:53.
type nameServer netip.AddrPort

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *nameServer) UnmarshalText(text []byte) error {
	s := string(text)
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		*n = nameServer(netip.AddrPortFrom(ip, 0)) // package dns has the default
		return nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		return fmt.Errorf("server %q: want an address, or an address and a port", s)
	}
	*n = nameServer(at)
	return nil
}

// Validate is called by kong; its errors are usage errors.
func (c *resolveCmd) Validate() error {
	if c.Timeout <= 0 {
		return fmt.Errorf("--timeout: %v is not above 0", c.Timeout)
	}
	return nil
}

// Run is called by kong.
func (c *resolveCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if status := c.run(ctx, os.Stdout, os.Stderr); status != exitOK {
		return exitStatus(status)
	}
	return nil
}

// run resolves, and returns the exit status.
func (c *resolveCmd) run(ctx context.Context, stdout, stderr io.Writer) int {
	say := func(err error) {
		_, _ = fmt.Fprintf(stderr, "boomctl: resolve: %s\n", oneLine(err.Error()))
	}
	stub, err := c.stub()
	if err != nil {
		say(err)
		return exitDNS
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	network := map[string]string{"a": "ip4", "aaaa": "ip6", "both": "ip"}[c.Type]
	r, err := stub.Lookup(ctx, network, c.Name)
	if err = errors.Join(err, stub.Close()); err != nil {
		say(err)
		return exitDNS
	}
	if r.Missing != nil {
		say(fmt.Errorf("%s: some addresses are missing: %w", c.Name, r.Missing))
	}
	printed := resolvedTable
	if c.JSON {
		printed = resolvedJSON
	}
	if err := printed(stdout, r); err != nil {
		say(err)
		return exitFailure
	}
	return exitOK
}

// stub is the resolver that the command line asks for. It waits for both families.
func (c *resolveCmd) stub() (*dns.Stub, error) {
	conf, err := dns.ReadConfig("/etc/resolv.conf")
	if err != nil {
		return nil, err
	}
	conf.TCP = conf.TCP || c.TCP
	s := &dns.Stub{Config: conf, ResolutionDelay: -1}
	if len(c.Server) > 0 {
		conf.Servers, s.HostsFile = nil, os.DevNull
		for _, n := range c.Server {
			conf.Servers = append(conf.Servers, netip.AddrPort(n))
		}
	}
	return s, nil
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

func resolvedTable(w io.Writer, r *dns.Result) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ADDRESS\tFAMILY\tTTL\tFROM\tSERVER\tTIME\tNAME")
	for _, a := range r.Addrs {
		ttl, server, took := "-", "-", "-"
		if a.Server.IsValid() {
			ttl = fmt.Sprintf("%ds", a.TTL/time.Second)
			server, took = fmt.Sprintf("%s %s", a.Server, a.Transport), a.Time.Round(10*time.Microsecond).String()
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.Addr, family(a.Addr), ttl, a.From, server, took, oneLine(a.Canonical))
	}
	return table.Flush()
}

// resolvedLine is a line of --json.
type resolvedLine struct {
	Host      string  `json:"host"`
	Name      string  `json:"name"`
	Addr      string  `json:"addr"`
	Family    string  `json:"family"`
	TTL       int64   `json:"ttl_s"`
	Canonical string  `json:"canonical"`
	From      string  `json:"from"`
	Server    string  `json:"server,omitempty"`
	Transport string  `json:"transport,omitempty"`
	Time      float64 `json:"time_ms"`
}

func resolvedJSON(w io.Writer, r *dns.Result) error {
	out := json.NewEncoder(w)
	for _, a := range r.Addrs {
		line := resolvedLine{
			Host: r.Host, Name: r.Name, Addr: a.Addr.String(), Family: family(a.Addr), TTL: int64(a.TTL / time.Second),
			Canonical: a.Canonical, From: string(a.From), Transport: string(a.Transport), Time: float64(a.Time) / float64(time.Millisecond),
		}
		if a.Server.IsValid() {
			line.Server = a.Server.String()
		}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
