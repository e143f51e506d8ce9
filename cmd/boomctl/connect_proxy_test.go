package main

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/fakeproxy"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

func TestConnectThroughAProxy(t *testing.T) {
	bye := func(p *peer) { p.send(frame.Text, "hi"); p.close(frame.CloseNormal, ""); p.serve(nil) }
	plain := newServer(t, bye)
	secure, ca := newTLSServer(t, bye)
	for _, scheme := range []string{"http", "socks5", "socks5h"} {
		p := fakeproxy.Start(t, fakeproxy.Config{Scheme: scheme, User: "desk", Password: "secret"})
		for _, url := range []string{plain, secure} {
			o := connectTo(t, t.Context(), nil, "--proxy", p.URL().String(), "--cacert", ca, url)
			require.Equal(t, exitOK, o.status, o.stderr)
			require.Equal(t, "hi\n", o.stdout)
			require.Contains(t, o.stderr, "through proxy "+scheme+"://desk:xxxxx@")
			require.NotContains(t, o.stderr, "secret")
		}
		require.Len(t, p.Targets(), 2)

		wrong := p.URL()
		wrong.User = nil
		o := connectTo(t, t.Context(), nil, "--proxy", wrong.String(), plain)
		require.Equal(t, exitConnect, o.status)
		require.Contains(t, o.stderr, "the proxy's URL names no user")
	}
	o := connectTo(t, t.Context(), nil, "--proxy", "ftp://u:secret@p", plain)
	require.Equal(t, exitUsage, o.status)
	require.NotContains(t, o.stderr, "secret")
	_, err := parseConnect("--proxy", "p:1", "--no-proxy", plain)
	require.ErrorContains(t, err, "can't be used together")
}

func TestConnectObeysTheEnvironment(t *testing.T) {
	url := newServer(t, func(p *peer) { p.send(frame.Text, "hi"); p.close(frame.CloseNormal, ""); p.serve(nil) })
	port := url[strings.LastIndex(url, ":")+1:]
	p := fakeproxy.Start(t, fakeproxy.Config{Scheme: "http", Hosts: map[string]string{"venue.test": "127.0.0.1"}})
	t.Setenv("HTTP_PROXY", p.URL().String())
	t.Setenv("NO_PROXY", "")
	t.Setenv("REQUEST_METHOD", "")
	there := "ws://venue.test:" + port
	here := []string{"--resolve", "venue.test=127.0.0.1", there}
	for asked, args := range [][]string{{"--no-proxy"}, {}} {
		o := connectTo(t, t.Context(), nil, append(args, here...)...)
		require.Equal(t, exitOK, o.status, o.stderr)
		require.Equal(t, "hi\n", o.stdout)
		require.Len(t, p.Targets(), asked)
	}
}

func TestConnectTLSFlags(t *testing.T) {
	url, ca := newTLSServer(t, func(p *peer) { p.close(frame.CloseGoingAway, ""); p.serve(nil) })
	keys := filepath.Join(t.TempDir(), "keys")
	o := connectTo(t, t.Context(), nil, "--cacert", ca, "--alpn", "http/1.1", "--keylog", keys, url)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Contains(t, o.stderr, tls.VersionName(tls.VersionTLS13)+`, ALPN "http/1.1"`)
	require.Contains(t, o.stderr, "WARNING: --keylog")
	text, err := os.ReadFile(keys)
	require.NoError(t, err)
	require.Contains(t, string(text), "CLIENT_TRAFFIC_SECRET_0 ")

	for text, args := range map[string][]string{
		"--keylog":           {"--keylog", t.TempDir()},
		"--cert " + ca:       {"--cert", ca, "--key", ca},
		"--proxy-cacert":     {"--proxy-cacert", keys + "none"},
		"no PEM certificate": {"--proxy-cacert", keys},
	} {
		o := connectTo(t, t.Context(), nil, append(args, url)...)
		require.Equal(t, exitUsage, o.status, o.stderr)
		require.Contains(t, o.stderr, text)
	}
	_, err = parseConnect("--cert", ca, url)
	require.ErrorContains(t, err, "--cert and --key go together")
}
