package stream

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		text   string
		secure bool
		host   string
		port   uint16
		ip     string
	}{
		{"tcp://example.com:80", false, "example.com", 80, ""},
		{"tls://example.com.:443", true, "example.com.", 443, ""},
		{"tcp://127.0.0.1:65535", false, "127.0.0.1", 65535, "127.0.0.1"},
		{"tls://[::1]:1", true, "::1", 1, "::1"},
		{"tcp://[::ffff:1.2.3.4]:1", false, "::ffff:1.2.3.4", 1, "1.2.3.4"},
		{"tcp://[fe80::1%lo]:9", false, "fe80::1%lo", 9, "fe80::1%lo"},
	} {
		got, err := parseTarget(c.text)
		require.NoError(t, err, c.text)
		require.Equal(t, c.secure, got.secure)
		require.Equal(t, c.host, got.host)
		require.Equal(t, c.port, got.port)
		require.Equal(t, c.ip != "", got.ip.IsValid())
		if c.ip != "" {
			require.Equal(t, c.ip, got.ip.String())
		}
	}
	for text, reason := range map[string]string{
		"":                      "must begin with",
		"example.com:80":        "must begin with",
		"wss://example.com:443": "must begin with",
		"tcp://example.com":     "missing port",
		"tls://example.com":     "missing port",
		"tcp://::1:80":          "too many colons",
		"tcp://[::1":            "missing",
		"tcp://[nonsense:]:80":  "no IPv6 address",
		"tcp://:80":             "host is empty",
		"tcp://h:":              "port",
		"tcp://h:0":             "port",
		"tcp://h:65536":         "port",
		"tcp://h:http":          "port",
		"tcp://h:-1":            "port",
		"tcp://h:80/path":       "only host:port",
		"tcp://user@h:80":       "only host:port",
	} {
		_, err := parseTarget(text)
		require.ErrorIs(t, err, ErrTarget, text)
		require.ErrorContains(t, err, reason, text)
	}
}
