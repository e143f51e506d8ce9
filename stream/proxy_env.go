package stream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// ProxyFromEnvironment is an Options.Proxy that does as the environment says,
// like golang.org/x/net/http/httpproxy, and most other programs:
//
//	HTTPS_PROXY  for tls:// targets (wss, https)
//	HTTP_PROXY   for tcp:// targets (ws, http)
//	ALL_PROXY    for those whose own variable is not set
//	NO_PROXY     what is connected to directly, separated by commas
//
// or the same in lower case; upper case wins. A value is what ParseProxy reads.
// An entry of NO_PROXY is a name (that one and all below it), .name or *.name
// (only those below), an IP address, an address with a prefix length, each but
// the last with :port if only that is meant, or * for everything. Names are not
// resolved for it. localhost and loopback addresses are always connected to
// directly.
//
// The environment is read at each call. A value that is no proxy's URL is an
// error, not a direct connection. HTTP_PROXY is refused where REQUEST_METHOD is
// set: in a CGI program a client's header field would name the proxy.
func ProxyFromEnvironment(target string) (*url.URL, error) {
	return environment(os.Getenv).proxy(target)
}

// environment looks up a variable.
type environment func(name string) string

// first returns the first variable of names that is not empty.
func (env environment) first(names ...string) (name, value string) {
	for _, name := range names {
		if value := env(name); value != "" {
			return name, value
		}
	}
	return "", ""
}

func (env environment) proxy(text string) (*url.URL, error) {
	t, err := parseTarget(text)
	if err != nil {
		return nil, err
	}
	names := []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"}
	if t.secure {
		names = []string{"HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}
	}
	name, value := env.first(names...)
	if value == "" {
		return nil, nil
	}
	if name == "HTTP_PROXY" && env("REQUEST_METHOD") != "" {
		return nil, errors.New("stream: HTTP_PROXY is not to be trusted in a CGI program, see golang.org/s/cgihttpproxy")
	}
	if _, exceptions := env.first("NO_PROXY", "no_proxy"); !proxied(t, exceptions) {
		return nil, nil
	}
	u, err := ParseProxy(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return u, nil
}

// proxied reports whether a target is to be reached by a proxy.
func proxied(t target, exceptions string) bool {
	host := strings.TrimSuffix(strings.ToLower(t.host), ".")
	if host == "localhost" || t.ip.IsLoopback() {
		return false
	}
	for entry := range strings.SplitSeq(exceptions, ",") {
		if excepted(strings.ToLower(strings.TrimSpace(entry)), t, host) {
			return false
		}
	}
	return true
}

// excepted reports whether an entry of NO_PROXY, in lower case, means the target.
func excepted(entry string, t target, host string) bool {
	if entry == "*" {
		return true
	}
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		return prefix.Contains(t.ip.WithZone(""))
	}
	name, port, err := net.SplitHostPort(entry)
	if err != nil {
		name, port = strings.TrimSuffix(strings.TrimPrefix(entry, "["), "]"), ""
	}
	if port != "" && port != strconv.Itoa(int(t.port)) {
		return false
	}
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Unmap().WithZone("") == t.ip.WithZone("")
	}
	if t.ip.IsValid() {
		return false
	}
	if strings.HasPrefix(name, "*.") {
		name = name[1:]
	}
	if below, ok := strings.CutPrefix(name, "."); ok {
		return below != "" && strings.HasSuffix(host, "."+below)
	}
	return name != "" && (host == name || strings.HasSuffix(host, "."+name))
}
