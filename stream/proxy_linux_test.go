package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/fakeproxy"
)

var proxySchemes = []string{"http", "https", "socks5", "socks5h"}

// resolvesHimself reports whether a proxy of that scheme asks for the target's
// address, so that we need not know it.
func resolvesHimself(scheme string) bool { return scheme != "socks5" }

// viaProxy are options that lead through p, and know venue.test where p does not.
func viaProxy(p *fakeproxy.Proxy) *Options {
	trust := &tls.Config{RootCAs: testAuthority().pool()}
	o := &Options{Proxy: ProxyURL(p.URL()), TLS: trust, ProxyTLS: trust}
	if !resolvesHimself(p.URL().Scheme) {
		o.Resolver = answers{"127.0.0.1"}
	}
	return o
}

// newProxyOf starts a proxy that knows venue.test.
func newProxyOf(t *testing.T, scheme, user, password string) *fakeproxy.Proxy {
	return fakeproxy.Start(t, fakeproxy.Config{
		Scheme: scheme, User: user, Password: password,
		TLS:   &tls.Config{Certificates: []tls.Certificate{goodCertificate()}},
		Hosts: map[string]string{"venue.test": "127.0.0.1"},
	})
}

// venue is a target behind a proxy, tcp:// or tls://.
func venue(t *testing.T, secure bool) (target string, accept func() net.Conn) {
	l := listen(t)
	target = "tcp://venue.test:" + portOf(t, l.Addr().String())
	if secure {
		target = "tls" + strings.TrimPrefix(target, "tcp")
	}
	return target, func() net.Conn {
		require.NoError(t, l.SetDeadline(time.Now().Add(20*time.Second)))
		c, err := l.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
		require.NoError(t, c.(*net.TCPConn).SetReadBuffer(64<<10))
		if secure {
			return tls.Server(c, &tls.Config{Certificates: []tls.Certificate{goodCertificate()}})
		}
		return c
	}
}

// TestProxy sends megabytes both ways, under back-pressure, through each kind of
// proxy: TLS in TLS in the case of https.
func TestProxy(t *testing.T) {
	for _, scheme := range proxySchemes {
		for _, secure := range []bool{false, true} {
			name := scheme + "/tcp"
			if secure {
				name = scheme + "/tls"
			}
			t.Run(name, func(t *testing.T) {
				p := newProxyOf(t, scheme, "desk@7", "p:ss wörd")
				target, accept := venue(t, secure)
				o := viaProxy(p)
				o.SendBuffer = 64 << 10
				var phases []Phase
				o.OnPhase = func(p Phase) { phases = append(phases, p) }
				peers := make(chan net.Conn, 1)
				go func() {
					c := accept()
					if c, ok := c.(*tls.Conn); ok {
						_ = c.HandshakeContext(context.Background())
					}
					peers <- c
				}()
				s, err := o.Dial(testCtx(t), target)
				require.NoError(t, err)
				defer s.Close()
				peer := <-peers
				require.Equal(t, p.URL().Host, s.(Addressed).RemoteAddr().String())
				want := []Phase{Resolving, Connecting}
				if secure {
					want = append(want, Securing)
				}
				require.Equal(t, want, phases)
				require.GreaterOrEqual(t, s.Room(), DefaultQueueBound)
				swap(t, s.(waiting), peer)

				require.NoError(t, peer.Close())
				_, err = readSome(t, s.(waiting), make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)

				host := "venue.test"
				if !resolvesHimself(scheme) {
					host = "127.0.0.1"
				}
				_, port, _ := strings.Cut(strings.TrimPrefix(target, "tcp://venue"), ".test:")
				require.Equal(t, []string{host + ":" + port}, p.Targets())
			})
		}
	}
}

// TestProxyKeepsSmallBounds: the queue's bound is the user's, and no obstacle to
// what the set-up has to say.
func TestProxyKeepsSmallBounds(t *testing.T) {
	for _, scheme := range proxySchemes {
		p := newProxyOf(t, scheme, "u", strings.Repeat("p", 200))
		target, accept := venue(t, true)
		o := viaProxy(p)
		o.QueueBound = 1
		done := make(chan error, 1)
		go func() { done <- accept().(*tls.Conn).HandshakeContext(context.Background()) }()
		s, err := o.Dial(testCtx(t), target)
		require.NoError(t, err, scheme)
		require.NoError(t, <-done)
		n, err := s.Write([]byte{1})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, s.Close())
	}
}

// TestProxyLiterals: addresses stay addresses, of either family.
func TestProxyLiterals(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("this machine has no IPv6 loopback: %v", err)
	}
	defer l.Close()
	for _, scheme := range proxySchemes {
		p := newProxyOf(t, scheme, "", "")
		o := viaProxy(p)
		o.Resolver = resolverFunc(func(context.Context) ([]netip.Addr, error) { return nil, errors.New("asked for a literal") })
		o.LocalAddr = netip.MustParseAddr("127.0.0.1") // our way to the proxy, not the proxy's to the target
		s, err := o.Dial(testCtx(t), "tcp://"+l.Addr().String())
		require.NoError(t, err, scheme)
		require.NoError(t, s.Close())
		require.Equal(t, []string{l.Addr().String()}, p.Targets())
	}
}

// TestProxyIsDialledLikeATarget: resolver, source address, interface and the race
// of addresses are for the connection to the proxy.
func TestProxyIsDialledLikeATarget(t *testing.T) {
	for _, scheme := range proxySchemes {
		p := newProxyOf(t, scheme, "", "")
		target, _ := venue(t, false)
		o := viaProxy(p)
		port := p.URL().Port()
		u := p.URL()
		u.Host = "way.out.test:" + port
		o.Proxy = ProxyURL(u)
		o.ProxyTLS = &tls.Config{RootCAs: testAuthority().pool(), ServerName: "venue.test"}
		o.Resolver = byName{"way.out.test": {"127.0.0.9", "127.0.0.1"}, "venue.test": {"127.0.0.1"}}
		o.LocalAddr = netip.MustParseAddr("127.0.0.7")
		o.Interface = "lo"
		s, err := o.Dial(testCtx(t), target)
		require.NoError(t, err, scheme)
		require.Equal(t, "127.0.0.1:"+port, s.(Addressed).RemoteAddr().String())
		require.NoError(t, s.Close())
		require.Equal(t, "127.0.0.7", p.Asked()[0].Client.(*net.TCPAddr).IP.String())
	}
}

// byName is a resolver with an answer for each name.
type byName map[string]answers

func (b byName) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	a, ok := b[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return a.LookupNetIP(ctx, network, host)
}

// TestProxyRacesTheTargetsAddresses: where we resolve, the proxy is asked for one
// address after the other.
func TestProxyRacesTheTargetsAddresses(t *testing.T) {
	p := newProxyOf(t, "socks5", "u", "secret")
	target, _ := venue(t, false)
	_, port, _ := strings.Cut(target, "test:")
	o := viaProxy(p)
	o.FallbackDelay = time.Hour
	o.Resolver = answers{"127.0.0.8", "::1", "127.0.0.1"}
	s, err := o.Dial(testCtx(t), target)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, []string{"127.0.0.8:" + port, "[::1]:" + port, "127.0.0.1:" + port}, p.Targets())

	o.Resolver = answers{"127.0.0.8", "127.0.0.9"}
	_, err = o.Dial(testCtx(t), target)
	failedIn(t, Connecting, err)
	require.Equal(t, 2, strings.Count(err.Error(), "refused with 5 connection refused"), "%v", err)
	require.Contains(t, err.Error(), "SOCKS5 127.0.0.9:"+port)
	require.NotContains(t, err.Error(), "secret")
}

func TestProxyErrors(t *testing.T) {
	asProxy := func(t *testing.T, phase Phase, err error) *ProxyError {
		failedIn(t, phase, err)
		var e *ProxyError
		require.ErrorAs(t, err, &e)
		require.NotContains(t, err.Error(), "secret")
		require.NotContains(t, err.Error(), "\n")
		return e
	}
	target, _ := venue(t, false)
	for _, scheme := range proxySchemes {
		t.Run(scheme, func(t *testing.T) {
			p := newProxyOf(t, scheme, "desk", "right")
			o := viaProxy(p)
			dial := func(t *testing.T, change func(*url.URL), target string) error {
				u := p.URL()
				change(u)
				o.Proxy = ProxyURL(u)
				_, err := o.Dial(testCtx(t), target)
				return err
			}
			socks := strings.HasPrefix(scheme, "socks")

			t.Run("wrong password", func(t *testing.T) {
				err := dial(t, func(u *url.URL) { u.User = url.UserPassword("desk", "secret") }, target)
				e := asProxy(t, Connecting, err)
				require.ErrorIs(t, err, ErrProxyAuth)
				require.Equal(t, scheme+"://desk:xxxxx@"+p.URL().Host, e.Proxy)
				if socks {
					require.Equal(t, "SOCKS5", e.Method)
					require.ErrorContains(t, err, "user and password refused")
				} else {
					require.Equal(t, "CONNECT", e.Method)
					require.Equal(t, 407, e.Status)
					require.Equal(t, `Basic realm="test"`, e.Header.Get("Proxy-Authenticate"))
					require.ErrorContains(t, err, "refused with 407 Proxy Authentication Required")
					require.ErrorContains(t, err, "answered before by Basic")
				}
			})
			t.Run("no password", func(t *testing.T) {
				err := dial(t, func(u *url.URL) { u.User = nil }, target)
				asProxy(t, Connecting, err)
				require.ErrorIs(t, err, ErrProxyAuth)
				require.ErrorContains(t, err, "URL names no user")
			})
			t.Run("target not reached", func(t *testing.T) {
				err := dial(t, func(*url.URL) {}, "tcp://"+refusing(t))
				e := asProxy(t, Connecting, err)
				require.ErrorIs(t, err, ErrProxyRefused)
				require.Equal(t, p.Targets()[len(p.Targets())-1], e.Target)
				if socks {
					require.Equal(t, 5, e.Status)
				} else {
					require.Equal(t, 502, e.Status)
				}
			})
			t.Run("proxy not reached", func(t *testing.T) {
				dead := refusing(t)
				err := dial(t, func(u *url.URL) { u.Host, u.User = dead, url.UserPassword("u", "secret") }, target)
				e := asProxy(t, Connecting, err)
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.Empty(t, e.Method)
				require.ErrorContains(t, err, "("+dead+"): proxy "+scheme+"://u:xxxxx@"+dead)
			})
			t.Run("proxy not found", func(t *testing.T) {
				before := o.Resolver
				defer func() { o.Resolver = before }()
				o.Resolver = byName{}
				err := dial(t, func(u *url.URL) { u.Host = "nowhere.test:1" }, target)
				asProxy(t, Resolving, err)
				var d *net.DNSError
				require.ErrorAs(t, err, &d)
				require.Equal(t, "nowhere.test", d.Name)
			})
			t.Run("zone", func(t *testing.T) {
				err := dial(t, func(*url.URL) {}, "tcp://[fe80::1%lo]:80")
				failedIn(t, Resolving, err)
				require.ErrorIs(t, err, ErrTarget)
			})
			t.Run("name that breaks the line", func(t *testing.T) {
				for _, host := range []string{"a\r\nX: y", "a b", "bücher.test", strings.Repeat("a", 256)} {
					err := dial(t, func(*url.URL) {}, "tcp://"+host+":80")
					failedIn(t, Resolving, err)
					require.ErrorIs(t, err, ErrTarget)
				}
			})
		})
	}
	t.Run("untrusted certificate of the proxy", func(t *testing.T) {
		p := newProxyOf(t, "https", "", "")
		o := viaProxy(p)
		o.ProxyTLS = nil
		_, err := o.Dial(testCtx(t), target)
		e := asProxy(t, Connecting, err)
		require.Empty(t, e.Method)
		var unverified *tls.CertificateVerificationError
		require.ErrorAs(t, err, &unverified)
	})
	t.Run("no choice", func(t *testing.T) {
		no := errors.New("no idea")
		_, err := (&Options{Proxy: func(string) (*url.URL, error) { return nil, no }}).Dial(testCtx(t), target)
		failedIn(t, Resolving, err)
		require.ErrorIs(t, err, no)
	})
	t.Run("no proxy's URL", func(t *testing.T) {
		_, err := (&Options{Proxy: ProxyURL(&url.URL{Scheme: "ftp", Host: "h:1"})}).Dial(testCtx(t), target)
		failedIn(t, Resolving, err)
		require.ErrorIs(t, err, ErrProxyURL)
	})
}

// TestProxyChoice: what is asked is the target as dialled, and nil is none.
func TestProxyChoice(t *testing.T) {
	l := listen(t)
	target := "tcp://" + l.Addr().String()
	var asked []string
	o := &Options{Proxy: func(target string) (*url.URL, error) { asked = append(asked, target); return nil, nil }}
	s, err := o.Dial(testCtx(t), target)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Equal(t, []string{target}, asked)
}

// TestProxyKeepsCredentialsToItself: what the target gets is what was written to
// the stream.
func TestProxyKeepsCredentialsToItself(t *testing.T) {
	for _, scheme := range proxySchemes {
		p := newProxyOf(t, scheme, "desk", "secret")
		target, accept := venue(t, false)
		s, err := viaProxy(p).Dial(testCtx(t), target)
		require.NoError(t, err)
		_, err = s.Write([]byte("hello"))
		require.NoError(t, err)
		require.NoError(t, s.Close())
		got, err := io.ReadAll(accept())
		require.NoError(t, err)
		require.Equal(t, "hello", string(got), scheme)
	}
}
