package stream

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http/httpproxy"
)

func TestProxyFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		env    string // NAME=value, separated by spaces
		target string
		want   string // "": direct
	}{
		{"", "tls://venue.test:443", ""},
		{"HTTPS_PROXY=http://p:1", "tls://venue.test:443", "http://p:1"},
		{"HTTPS_PROXY=http://p:1", "tcp://venue.test:80", ""},
		{"HTTP_PROXY=p:2", "tcp://venue.test:80", "http://p:2"},
		{"HTTP_PROXY=p:2", "tls://venue.test:443", ""},
		{"https_proxy=p:1 http_proxy=p:2", "tcp://venue.test:80", "http://p:2"},
		{"HTTPS_PROXY=upper:1 https_proxy=lower:1", "tls://venue.test:443", "http://upper:1"},
		{"ALL_PROXY=socks5h://p:3", "tls://venue.test:443", "socks5h://p:3"},
		{"all_proxy=socks5://p:3", "tcp://venue.test:80", "socks5://p:3"},
		{"ALL_PROXY=a:1 http_proxy=b:1", "tcp://venue.test:80", "http://b:1"},
		{"HTTP_PROXY=p:2 REQUEST_METHOD=GET http_proxy=q:2", "tls://venue.test:443", ""},
		{"http_proxy=q:2 REQUEST_METHOD=GET", "tcp://venue.test:80", "http://q:2"},
		{"ALL_PROXY=p:1 NO_PROXY=venue.test", "tls://venue.test:443", ""},
		{"ALL_PROXY=p:1 no_proxy=.test", "tls://venue.test.:443", ""},
		{"ALL_PROXY=p:1 no_proxy=venue.test:80", "tls://venue.test:443", "http://p:1"},
		{"ALL_PROXY=p:1", "tls://localhost:443", ""},
		{"ALL_PROXY=p:1", "tls://LocalHost.:443", ""},
		{"ALL_PROXY=p:1", "tls://127.8.9.10:443", ""},
		{"ALL_PROXY=p:1", "tls://[::1]:443", ""},
		{"ALL_PROXY=p:1", "tls://[::ffff:127.0.0.1]:443", ""},
		{"ALL_PROXY=p:1 NO_PROXY=fe80::/10", "tls://[fe80::1%eth0]:443", ""},
		{"ALL_PROXY=p:1 NO_PROXY=[2001:db8::1]", "tls://[2001:db8::1]:443", ""},
		{"ALL_PROXY=p:1 NO_PROXY=10.0.0.0/8", "tls://[::ffff:10.1.1.1]:443", ""},
	} {
		vars := map[string]string{}
		for _, v := range strings.Fields(c.env) {
			name, value, _ := strings.Cut(v, "=")
			vars[name] = value
		}
		u, err := environment(func(name string) string { return vars[name] }).proxy(c.target)
		require.NoError(t, err, c)
		got := ""
		if u != nil {
			got = u.String()
		}
		require.Equal(t, c.want, got, c)
	}

	for value, text := range map[string]string{
		"ftp://u:secret@p:1":  `HTTP_PROXY: stream: bad proxy URL: the scheme "ftp"`,
		"http://u:secret@p:x": "HTTP_PROXY: stream: bad proxy URL: it cannot be parsed",
	} {
		_, err := environment(func(name string) string { return map[string]string{"HTTP_PROXY": value}[name] }).proxy("tcp://venue.test:80")
		require.ErrorIs(t, err, ErrProxyURL)
		require.ErrorContains(t, err, text)
		require.NotContains(t, err.Error(), "secret")
	}
	_, err := environment(func(string) string { return "p:1" }).proxy("tcp://venue.test:80")
	require.ErrorContains(t, err, "CGI")
	_, err = ProxyFromEnvironment("venue.test:80")
	require.ErrorIs(t, err, ErrTarget)
}

// TestProxyFromTheRealEnvironment reads the process's own, at each call.
func TestProxyFromTheRealEnvironment(t *testing.T) {
	t.Setenv("REQUEST_METHOD", "")
	t.Setenv("NO_PROXY", "direct.test")
	for _, port := range []string{"1", "2"} {
		t.Setenv("HTTPS_PROXY", "proxy.test:"+port)
		u, err := ProxyFromEnvironment("tls://venue.test:443")
		require.NoError(t, err)
		require.Equal(t, "http://proxy.test:"+port, u.String())
	}
	u, err := ProxyFromEnvironment("tls://direct.test:443")
	require.NoError(t, err)
	require.Nil(t, u)
}

// TestNoProxyBesideHTTPProxy compares with golang.org/x/net/http/httpproxy, the
// way of net/http, over lists put together from pieces of every kind. Left out is
// "[2001:db8::1]" without a port, which it takes for a name and we do not.
func TestNoProxyBesideHTTPProxy(t *testing.T) {
	hosts := []string{
		"venue.test", "a.venue.test", "b.a.venue.test", "avenue.test", "VENUE.test", "test", "xn--bcher-kva.test",
		"localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "10.0.0.1", "10.1.2.3", "192.168.7.7", "[2001:db8::1]", "[::ffff:10.0.0.1]", "[fe80::1]",
	}
	ports := []string{"80", "443", "8080"}
	pieces := []string{
		"", " ", "*", "*.", ".", "..", "test", ".test", "*.test", "venue.test", ".venue.test", "*.venue.test", "Venue.TEST", " venue.test ", "a.venue.test", "enue.test",
		"*venue.test", "venue.test:443", ".venue.test:80", "*.venue.test:8080", ":443", "venue.test:", "localhost", "10.0.0.1", "10.0.0.1:80", "10.0.0.0/8", "10.0.0.0/33",
		"192.168.0.0/16", "0.0.0.0/0", "::/0", "::1", "[::1]", "2001:db8::1", "[2001:db8::1]:443", "2001:db8::/32", "fe80::/10", "[10.0.0.1]:80", "a b", "venue.test.",
		"xn--bcher-kva.test", "127.0.0.1",
	}
	r := rand.New(rand.NewPCG(1, 2))
	direct := 0
	for range 20_000 {
		var list []string
		for range 1 + r.IntN(4) {
			list = append(list, pieces[r.IntN(len(pieces))])
		}
		noProxy := strings.Join(list, ",")
		host := hosts[r.IntN(len(hosts))] + ":" + ports[r.IntN(len(ports))]
		config := httpproxy.Config{HTTPSProxy: "http://proxy.test:3128", NoProxy: noProxy}
		want, err := config.ProxyFunc()(&url.URL{Scheme: "https", Host: host})
		require.NoError(t, err)
		vars := map[string]string{"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": noProxy}
		got, err := environment(func(name string) string { return vars[name] }).proxy("tls://" + host)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(got), "NO_PROXY=%q, target %s", noProxy, host)
		if got == nil {
			direct++
		}
	}
	require.Greater(t, direct, 1000)
	require.Less(t, direct, 19_000)
}
