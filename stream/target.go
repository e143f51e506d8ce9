package stream

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// target is what Dial was asked for: tcp://host:port or tls://host:port.
type target struct {
	text   string
	secure bool
	host   string     // a name, or the text of ip
	ip     netip.Addr // valid when host is a literal
	port   uint16
}

// layers is how many layers of TLS the target itself asks for.
func (t target) layers() int {
	if t.secure {
		return 1
	}
	return 0
}

// parseTarget reads a target. Its errors are ErrTarget with the reason. A path
// or user information is refused: a stream knows nothing of them.
func parseTarget(text string) (target, error) {
	bad := func(reason string) (target, error) { return target{}, fmt.Errorf("%w: %s", ErrTarget, reason) }
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "tcp" && scheme != "tls" {
		return bad(`must begin with "tcp://" or "tls://"`)
	}
	if strings.ContainsAny(rest, "/?#@") {
		return bad("only host:port may follow the scheme")
	}
	t := target{text: text, secure: scheme == "tls"}
	if reason := t.setHostPort(rest); reason != "" {
		return bad(reason)
	}
	return t, nil
}

// setHostPort reads host:port, or says what is wrong with it.
func (t *target) setHostPort(text string) (reason string) {
	host, service, err := net.SplitHostPort(text)
	if err != nil {
		if e, ok := err.(*net.AddrError); ok {
			return e.Err
		}
		return err.Error()
	}
	if host == "" {
		return "the host is empty"
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil || port == 0 {
		return fmt.Sprintf("port %q is not a number from 1 to 65535", service)
	}
	t.host, t.port = host, uint16(port)
	if ip, err := netip.ParseAddr(host); err == nil {
		t.ip = ip.Unmap()
	} else if strings.Contains(host, ":") {
		return fmt.Sprintf("host %q is no IPv6 address", host)
	}
	return ""
}
