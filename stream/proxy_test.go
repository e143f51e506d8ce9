package stream

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]struct {
		host     string
		port     uint16
		user, pw string
		name     string
	}{
		"http://proxy.test":              {"proxy.test", 80, "", "", "http://proxy.test"},
		"HTTP://proxy.test:3128/":        {"proxy.test", 3128, "", "", "http://proxy.test:3128"},
		"https://proxy.test":             {"proxy.test", 443, "", "", "https://proxy.test"},
		"socks5://[::1]":                 {"::1", 1080, "", "", "socks5://[::1]"},
		"socks5h://u@proxy.test":         {"proxy.test", 1080, "u", "", "socks5h://u@proxy.test"},
		"http://u:p%40s:s@proxy.test:80": {"proxy.test", 80, "u", "p@s:s", "http://u:xxxxx@proxy.test:80"},
		"proxy.test:3128":                {"proxy.test", 3128, "", "", "http://proxy.test:3128"},
		"u:secret@10.0.0.1:3128":         {"10.0.0.1", 3128, "u", "secret", "http://u:xxxxx@10.0.0.1:3128"},
		"10.0.0.1":                       {"10.0.0.1", 80, "", "", "http://10.0.0.1"},
	} {
		u, err := ParseProxy(text)
		require.NoError(t, err, text)
		p, err := newProxy(u, target{})
		require.NoError(t, err, text)
		require.Equal(t, want.host, p.host.host, text)
		require.Equal(t, want.port, p.host.port, text)
		user, pw := p.credentials()
		require.Equal(t, want.user+"|"+want.pw, user+"|"+pw, text)
		require.Equal(t, want.name, p.name)
	}
	for text, reason := range map[string]string{
		"":                                        "host is empty",
		"ftp://proxy.test":                        `scheme "ftp"`,
		"socks4://proxy.test":                     `scheme "socks4"`,
		"http://u:secret#x@proxy.test:80":         "cannot be parsed",
		"http://u:secret%zz@proxy.test:80":        "cannot be parsed",
		"http://proxy.test/path":                  "only user, password, host and port",
		"http://proxy.test?x=secret":              "only user, password, host and port",
		"http://proxy.test:0":                     "port",
		"http://proxy.test:70000":                 "port",
		"http://a%3Ab:secret@proxy.test":          "colon in its name",
		"socks5://:secret@proxy.test":             "user of 1 to 255 bytes",
		"socks5://u:" + long(256) + "@proxy.test": "password of at most 255",
		"socks5h://" + long(256) + "@proxy.test":  "user of 1 to 255 bytes",
	} {
		_, err := ParseProxy(text)
		require.ErrorIs(t, err, ErrProxyURL, text)
		require.ErrorContains(t, err, reason, text)
		require.NotContains(t, err.Error(), "secret")
		require.NotContains(t, err.Error(), long(256))
	}
	_, err := newProxy(&url.URL{Scheme: "http", Opaque: "x"}, target{})
	require.ErrorIs(t, err, ErrProxyURL)
}

func long(n int) string { return strings.Repeat("x", n) }
