// Package fakeproxy is a well-behaved HTTP or SOCKS 5 proxy for tests, which
// remembers what it was asked for.
//
//	p := fakeproxy.Start(t, fakeproxy.Config{Scheme: "socks5h", User: "u", Password: "p"})
//	options.Proxy = stream.ProxyURL(p.URL())
package fakeproxy

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Config is what the proxy does.
type Config struct {
	// Scheme of its URL: http, https, socks5 or socks5h.
	Scheme string
	// TLS is the server side of an https proxy.
	TLS *tls.Config
	// User and Password are demanded when User is not empty.
	User, Password string
	// Hosts are the addresses of names that the proxy alone knows, without port.
	Hosts map[string]string
	// Listen is where; default 127.0.0.1.
	Listen string
}

// Request is what a client asked for.
type Request struct {
	Target string      // host:port
	Header http.Header // of a CONNECT
	Client net.Addr
}

// Proxy is a running proxy.
type Proxy struct {
	cfg      Config
	listener net.Listener

	mu       sync.Mutex
	asked    []Request
	conns    map[net.Conn]bool // nil once closed
	handlers sync.WaitGroup
}

// Start runs a proxy for the length of a test.
func Start(t testing.TB, cfg Config) *Proxy {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(cfg.Listen, "0"))
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{cfg: cfg, listener: l, conns: map[net.Conn]bool{}}
	p.handlers.Go(p.serve)
	t.Cleanup(p.close)
	return p
}

// URL is the proxy's, with the user and password that it demands.
func (p *Proxy) URL() *url.URL {
	u := &url.URL{Scheme: p.cfg.Scheme, Host: p.listener.Addr().String()}
	if p.cfg.User != "" {
		u.User = url.UserPassword(p.cfg.User, p.cfg.Password)
	}
	return u
}

// Asked is what was asked for so far.
func (p *Proxy) Asked() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Targets are the targets of Asked.
func (p *Proxy) Targets() (targets []string) {
	for _, r := range p.Asked() {
		targets = append(targets, r.Target)
	}
	return targets
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.handlers.Wait()
}

// buffer is the size of each socket's buffers in bytes: little, so that who sends
// much finds out soon that nobody reads.
const buffer = 64 << 10

// keep has c closed when the proxy is; false: it is closed already.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = c.(*net.TCPConn).SetReadBuffer(buffer)
	_ = c.(*net.TCPConn).SetWriteBuffer(buffer)
	if p.conns == nil {
		_ = c.Close()
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		if p.keep(c) {
			p.handlers.Go(func() { p.handle(c) })
		}
	}
}

func (p *Proxy) handle(c net.Conn) {
	defer c.Close()
	if p.cfg.Scheme == "https" {
		c = tls.Server(c, p.cfg.TLS)
	}
	in := bufio.NewReader(c)
	ask := p.http
	if strings.HasPrefix(p.cfg.Scheme, "socks") {
		ask = p.socks
	}
	target, err := ask(c, in)
	if err != nil {
		return
	}
	defer target.Close()
	p.handlers.Go(func() { pipe(target, in) })
	pipe(c, target)
}

// pipe copies from src to dst and hands the end on. The kernel does not splice
// for it: that leaves pipes open, which look like a leak.
func pipe(dst net.Conn, src io.Reader) {
	_, err := io.Copy(struct{ io.Writer }{dst}, struct{ io.Reader }{src})
	if half, ok := dst.(interface{ CloseWrite() error }); ok && err == nil {
		_ = half.CloseWrite()
		return
	}
	_ = dst.Close()
}

// dial connects to what a client asked for.
func (p *Proxy) dial(r Request) (net.Conn, error) {
	p.mu.Lock()
	p.asked = append(p.asked, r)
	p.mu.Unlock()
	host, port, err := net.SplitHostPort(r.Target)
	if err != nil {
		return nil, err
	}
	if addr, ok := p.cfg.Hosts[host]; ok {
		host = addr
	}
	c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 10*time.Second)
	if err != nil {
		return nil, err
	}
	if !p.keep(c) {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p *Proxy) http(c net.Conn, in *bufio.Reader) (net.Conn, error) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil, err
	}
	refuse := func(status, more string) (net.Conn, error) {
		_, _ = fmt.Fprintf(c, "HTTP/1.1 %s\r\n%sContent-Length: 3\r\n\r\nno\n", status, more)
		return nil, errors.New(status)
	}
	if r.Method != http.MethodConnect {
		return refuse("405 Method Not Allowed", "Allow: CONNECT\r\n")
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.cfg.User+":"+p.cfg.Password))
	if p.cfg.User != "" && r.Header.Get("Proxy-Authorization") != want {
		return refuse("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"test\"\r\n")
	}
	target, err := p.dial(Request{r.RequestURI, r.Header, c.RemoteAddr()})
	if err != nil {
		return refuse("502 Bad Gateway", "")
	}
	_, err = io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
	return target, err
}
