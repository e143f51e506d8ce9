package stream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// The kinds of proxies, by the scheme of the URL:
//
//	http://    CONNECT (RFC 9110, section 9.3.6); the proxy resolves the target's name
//	https://   the same inside TLS, see Options.ProxyTLS
//	socks5://  SOCKS 5 (RFC 1928); we resolve the name, and try its addresses
//	socks5h:// SOCKS 5; the proxy resolves the name
//
// The URL holds host and port (80, 443 and 1080 are the defaults) and, where the
// proxy wants them, user and password: Basic for CONNECT (RFC 7617), RFC 1929 for
// SOCKS. They are sent to the proxy only, and no error shows the password.
//
// Once the proxy has agreed, the same socket carries the connection to the
// target: nothing on the hot side is different, except that an https proxy is
// one more layer of TLS. Not a byte behind the proxy's answer is read on the way.

// The causes of a [ProxyError], beside those of the network.
var (
	// ErrProxyURL says that a URL is not that of a proxy. Trying again is useless.
	ErrProxyURL = errors.New("stream: bad proxy URL")
	// ErrProxyAuth says that the proxy wants user and password, or other ones.
	// Trying again may lock the user out.
	ErrProxyAuth = errors.New("stream: the proxy does not let us in")
	// ErrProxyRefused says that the proxy could not, or would not, connect to the
	// target; Status and Reason tell why.
	ErrProxyRefused = errors.New("stream: the proxy refused")
	// ErrProxyAnswer says that what the proxy answered is not of its protocol, or
	// longer than allowed.
	ErrProxyAnswer = errors.New("stream: bad answer from the proxy")
)

// ProxyError is a way out through a proxy that failed, as the cause of a
// [DialError]: the proxy's name was not found, it was not reached, or what it was
// asked for failed. errors.Is and errors.As reach Err.
type ProxyError struct {
	// Proxy is the proxy's URL. A password in it reads "xxxxx".
	Proxy string
	// Method is how the proxy was asked to connect, "CONNECT" or "SOCKS5"; ""
	// when it did not come to that.
	Method string
	// Target is what it was asked to connect to: "example.com:443".
	Target string
	// Status is its answer when it refused: an HTTP status or the reply code of
	// SOCKS (RFC 1928, section 6). 0: there was none.
	Status int
	// Reason is the status in words, the proxy's own for HTTP.
	Reason string
	// Header holds the fields of an HTTP answer: Proxy-Authenticate, Retry-After.
	// Its body is not read.
	Header textproto.MIMEHeader
	// Err is the cause; never nil.
	Err error
}

func (e *ProxyError) Error() string {
	s := "proxy " + e.Proxy
	if e.Method != "" {
		s += ": " + e.Method + " " + e.Target
	}
	if e.Status != 0 {
		s += ": refused with " + strings.TrimSpace(strconv.Itoa(e.Status)+" "+e.Reason)
	}
	if e.Err == ErrProxyRefused {
		return s
	}
	return s + ": " + strings.TrimPrefix(e.Err.Error(), "stream: ")
}

// Unwrap returns Err.
func (e *ProxyError) Unwrap() error { return e.Err }

// ProxyURL returns an Options.Proxy that names the same proxy for every target,
// loopback included.
func ProxyURL(u *url.URL) func(target string) (*url.URL, error) {
	return func(string) (*url.URL, error) { return u, nil }
}

// ParseProxy reads the URL of a proxy as people write it: without a scheme it is
// http. Errors are [ErrProxyURL]; they do not show the text, which may hold a
// password.
func ParseProxy(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil { // which may quote the password
		return nil, fmt.Errorf("%w: it cannot be parsed; special characters of user and password are written as %%XX", ErrProxyURL)
	}
	if _, err := newProxy(u, target{}); err != nil {
		return nil, err
	}
	return u, nil
}

// proxy is the way to one target through one proxy.
type proxy struct {
	name   string // the URL, for people: without a password
	scheme string
	host   target // of the proxy
	user   *url.Userinfo
	target target
	beyond []netip.AddrPort // the target's addresses, where it is us who resolve it
}

// proxyPorts are the schemes with their default ports.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

// newProxy checks u. Its errors are ErrProxyURL with the reason.
func newProxy(u *url.URL, to target) (*proxy, error) {
	bad := func(reason string) (*proxy, error) { return nil, fmt.Errorf("%w: %s", ErrProxyURL, reason) }
	port, ok := proxyPorts[u.Scheme]
	if !ok {
		return bad(fmt.Sprintf("the scheme %q is none of http, https, socks5, socks5h", u.Scheme))
	}
	if u.Opaque != "" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return bad("only user, password, host and port may follow the scheme")
	}
	if p := u.Port(); p != "" {
		port = p
	}
	p := &proxy{name: u.Scheme + "://" + u.Host, scheme: u.Scheme, user: u.User, target: to}
	if u.User != nil {
		p.name = u.Redacted()
	}
	if reason := p.host.setHostPort(net.JoinHostPort(u.Hostname(), port)); reason != "" {
		return bad(reason)
	}
	if reason := p.checkUser(); reason != "" {
		return bad(reason)
	}
	return p, nil
}

// checkUser refuses what the protocols cannot carry.
func (p *proxy) checkUser() (reason string) {
	user, password := p.credentials()
	switch {
	case p.user == nil:
	case !p.socks() && strings.Contains(user, ":"): // RFC 7617, section 2
		return "a user with a colon in its name cannot be sent by Basic authentication"
	case p.socks() && (user == "" || len(user) > 255 || len(password) > 255): // RFC 1929, section 2
		return "SOCKS wants a user of 1 to 255 bytes and a password of at most 255"
	}
	return ""
}

func (p *proxy) socks() bool { return strings.HasPrefix(p.scheme, "socks") }

func (p *proxy) credentials() (user, password string) {
	if p.user == nil {
		return "", ""
	}
	password, _ = p.user.Password()
	return p.user.Username(), password
}

// layers is how many layers of TLS stand above the socket.
func (p *proxy) layers() int {
	n := p.target.layers()
	if p.scheme == "https" {
		n++
	}
	return n
}

// failed is what came in the way before the proxy could be asked.
func (p *proxy) failed(err error) error { return &ProxyError{Proxy: p.name, Err: err} }

// refused is what came of asking the proxy. A handshake returns a *ProxyError when
// there was an answer to keep.
func (p *proxy) refused(method string, to address, err error) error {
	e, ok := err.(*ProxyError)
	if !ok {
		e = &ProxyError{Err: err}
	}
	e.Proxy, e.Method, e.Target = p.name, method, to.String()
	return e
}

// proxyFor asks the user for the proxy of a target; nil is none.
func (o *Options) proxyFor(t target) (*proxy, error) {
	if o.Proxy == nil {
		return nil, nil
	}
	u, err := o.Proxy(t.text)
	if err != nil {
		return nil, fmt.Errorf("choosing a proxy: %w", err)
	}
	if u == nil {
		return nil, nil
	}
	return newProxy(u, t)
}

// address is what a proxy is asked to connect to: a name, or ip when it is valid.
type address struct {
	name string
	ip   netip.Addr
	port uint16
}

// String is the address as HTTP writes it: "example.com:443", "[::1]:443".
func (a address) String() string {
	host := a.name
	if a.ip.IsValid() {
		host = a.ip.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(int(a.port)))
}

// check refuses what means nothing to a proxy, or would end its line.
func (a address) check() error {
	if a.ip.IsValid() {
		if a.ip.Zone() != "" {
			return fmt.Errorf("%w: the zone of %s means nothing to a proxy", ErrTarget, a.ip)
		}
		return nil
	}
	for i := range len(a.name) {
		if c := a.name[i]; c <= ' ' || c >= 0x7F {
			return fmt.Errorf("%w: host %q has characters that no proxy can be told; write it in its xn-- form", ErrTarget, a.name)
		}
	}
	if len(a.name) > maxDomain {
		return fmt.Errorf("%w: host of %d bytes, at most %d", ErrTarget, len(a.name), maxDomain)
	}
	return nil
}

// maxDomain is the longest name that SOCKS can carry; DNS has none longer.
const maxDomain = 255
