package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// newNameServer answers for feed.example and refuses what is below .refused; it
// is silent about .silent. It returns its address.
func newNameServer(t *testing.T) string {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
			m.Additionals = nil
			h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 300}
			switch host := q.Name.String(); {
			case strings.HasSuffix(host, ".silent."):
				continue
			case strings.HasSuffix(host, ".refused."):
				m.RCode = dnsmessage.RCodeRefused
			case host != "feed.example.":
				m.RCode = dnsmessage.RCodeNameError
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 7}}}}
			default:
				m.Answers = []dnsmessage.Resource{{Header: h, Body: &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 7}}}}
			}
			if msg, err := m.Pack(); err == nil {
				_, _ = pc.WriteTo(msg, from)
			}
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, pc.Close())
		<-done
	})
	return pc.LocalAddr().String()
}

func parseResolveCmd(args ...string) (*resolveCmd, error) {
	var c struct {
		Resolve resolveCmd `cmd:""`
	}
	parser, err := kong.New(&c, kong.Exit(func(int) {}))
	if err != nil {
		return nil, err
	}
	_, err = parser.Parse(append([]string{"resolve"}, args...))
	return &c.Resolve, err
}

func resolve(t *testing.T, args ...string) outcome {
	t.Helper()
	c, err := parseResolveCmd(args...)
	require.NoError(t, err)
	var stdout, stderr bytes.Buffer
	status := c.run(t.Context(), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

func TestResolveTable(t *testing.T) {
	server := newNameServer(t)
	o := resolve(t, "feed.example.", "--server", server)
	require.Equal(t, exitOK, o.status, o.stderr)
	require.Empty(t, o.stderr)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	require.Len(t, lines, 3)
	require.Equal(t, []string{"ADDRESS", "FAMILY", "TTL", "FROM", "SERVER", "TIME", "NAME"}, strings.Fields(lines[0]))
	six, four := strings.Fields(lines[1]), strings.Fields(lines[2])
	require.Equal(t, []string{"2001:db8::7", "ipv6"}, six[:2])
	require.Equal(t, []string{"192.0.2.7", "ipv4"}, four[:2])
	require.Contains(t, []string{"299s", "300s"}, four[2])
	require.Equal(t, []string{"server", server, "udp"}, four[3:6])
	_, err := time.ParseDuration(four[6])
	require.NoError(t, err)
	require.Equal(t, "feed.example", four[7])

	o = resolve(t, "192.0.2.1", "--server", server)
	require.Equal(t, exitOK, o.status)
	require.Equal(t, "192.0.2.1 ipv4 - literal - - 192.0.2.1", strings.Join(strings.Fields(strings.Split(o.stdout, "\n")[1]), " "))
}

func TestResolveJSON(t *testing.T) {
	server := newNameServer(t)
	o := resolve(t, "Feed.example.", "--server", server, "--json", "--type", "a")
	require.Equal(t, exitOK, o.status, o.stderr)
	var line resolvedLine
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &line), "one line")
	require.Positive(t, line.Time)
	require.InDelta(t, 300, line.TTL, 1)
	line.Time, line.TTL = 0, 0
	require.Equal(t, resolvedLine{Host: "Feed.example.", Name: "feed.example", Addr: "192.0.2.7", Family: "ipv4",
		Canonical: "feed.example", From: "server", Server: server, Transport: "udp"}, line)
	o = resolve(t, "feed.example.", "--server", server, "--json", "--type", "aaaa")
	require.Equal(t, 1, strings.Count(o.stdout, "\n"))
	require.Contains(t, o.stdout, `"addr":"2001:db8::7"`)
}

func TestResolveFails(t *testing.T) {
	server := newNameServer(t)
	for _, c := range []struct {
		stderr string
		args   []string
	}{
		{"no such host", []string{"no.example."}},
		{"REFUSED", []string{"x.refused."}},
		{"deadline exceeded; A " + server + " udp: no answer in time", []string{"x.silent.", "--timeout", "50ms", "--type", "a"}},
		{"connection refused", []string{"feed.example.", "--tcp"}},
		{"invalid name", []string{"a..b"}},
	} {
		o := resolve(t, append(c.args, "--server", server)...)
		require.Equal(t, exitDNS, o.status, c.args)
		require.Contains(t, o.stderr, c.stderr)
		require.Equal(t, 1, strings.Count(o.stderr, "\n"), "one line")
		require.Empty(t, o.stdout)
	}
	c, err := parseResolveCmd("127.0.0.1")
	require.NoError(t, err)
	require.Equal(t, exitFailure, c.run(t.Context(), failingWriter{errors.New("broken")}, new(bytes.Buffer)))
	for _, args := range [][]string{{}, {"a", "--type", "mx"}, {"a", "--server", "ns.example"}, {"a", "--timeout", "0s"}} {
		_, err := parseResolveCmd(args...)
		require.Error(t, err, args)
	}
}

func TestNameServer(t *testing.T) {
	for text, want := range map[string]string{"192.0.2.53": "192.0.2.53:0", "192.0.2.53:5353": "192.0.2.53:5353", "fe80::1%eth0": "[fe80::1%eth0]:0", "[::1]": "[::1]:0", "[::1]:53": "[::1]:53"} {
		c, err := parseResolveCmd("a", "--server", text)
		require.NoError(t, err)
		s, err := c.stub()
		require.NoError(t, err)
		require.Equal(t, want, s.Config.Servers[0].String())
	}
}
