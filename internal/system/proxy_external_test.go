//go:build external

package system

import (
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/reactor/selector"
)

// These tests go through proxies that others have written: tinyproxy and
// microsocks, Debian packages of these names.

func TestExternalTinyproxy(t *testing.T) {
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "tinyproxy.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"Port %s\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nBasicAuth desk sesame\n", port), 0o600))
	startProxy(t, address, "tinyproxy", "-d", "-c", config)
	testProxy(t, url.URL{Scheme: "http", Host: address})
}

func TestExternalMicrosocks(t *testing.T) {
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	startProxy(t, address, "microsocks", "-i", "127.0.0.1", "-p", port, "-u", "desk", "-P", "sesame")
	for _, scheme := range []string{"socks5", "socks5h"} {
		t.Run(scheme, func(t *testing.T) { testProxy(t, url.URL{Scheme: scheme, Host: address}) })
	}
}

// testProxy uses a proxy that wants desk's password, over plain TCP and TLS.
func testProxy(t *testing.T, proxy url.URL) {
	for _, secure := range []bool{false, true} {
		t.Run("tls="+strconv.FormatBool(secure), func(t *testing.T) {
			proxy.User = url.UserPassword("desk", "sesame")
			testThroughProxy(t, world{secure: secure, sel: selector.Epoll}, &proxy)
		})
	}
	t.Run("wrong password", func(t *testing.T) {
		proxy.User = url.UserPassword("desk", "swordfish")
		testRefusedByProxy(t, &proxy)
	})
	t.Run("no password", func(t *testing.T) {
		proxy.User = nil
		testRefusedByProxy(t, &proxy)
	})
}

// freeAddress is one on which nobody listens just now.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// startProxy runs a program until the test ends, and waits until it listens.
func startProxy(t *testing.T, address, program string, args ...string) {
	path, err := exec.LookPath(program)
	require.NoError(t, err)
	cmd := exec.Command(path, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	waitFor(t, program+" to listen", func() bool {
		c, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
}
