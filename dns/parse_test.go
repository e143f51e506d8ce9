package dns

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/boomnet-go/boomnet/clock"
)

func TestNormalize(t *testing.T) {
	long := strings.Repeat("a", maxLabel)
	full := strings.Repeat(long+".", 3) + strings.Repeat("b", maxName-3*(maxLabel+1))
	for _, c := range []struct {
		host, name string
		absolute   bool
		err        string
	}{
		{"feed.example", "feed.example", false, ""},
		{"Feed.EXAMPLE.", "feed.example", true, ""},
		{"_x-1.example", "_x-1.example", false, ""},
		{long + ".example", long + ".example", false, ""},
		{full + ".", full, true, ""},
		{long + "a.example", "", false, "label of more than 63 bytes"},
		{full + "b", "", false, "254 bytes, at most 253"},
		{"", "", false, "empty label at byte 0"},
		{".", "", false, "empty label at byte 0"},
		{"a..b", "", false, "empty label at byte 2"},
		{"a..", "", false, "empty label at byte 2"},
		{".a", "", false, "empty label at byte 0"},
		{"a b", "", false, "character ' '"},
		{"a\x00b", "", false, `character '\x00'`},
		{"börse.example", "", false, "xn--"},
	} {
		name, absolute, err := normalize(c.host)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.host)
			continue
		}
		require.NoError(t, err, c.host)
		require.Equal(t, c.name, name)
		require.Equal(t, c.absolute, absolute)
	}
}

// What resolv.conf(5) says of search, ndots and a dot at the end.
func TestCandidates(t *testing.T) {
	search := "search corp.example example\n"
	for _, c := range []struct {
		conf, host string
		want       []string
	}{
		{search, "a", []string{"a.corp.example", "a.example", "a"}},
		{search, "a.b", []string{"a.b", "a.b.corp.example", "a.b.example"}},
		{search, "a.", []string{"a"}},
		{search + "options ndots:2", "a.b", []string{"a.b.corp.example", "a.b.example", "a.b"}},
		{search + "options ndots:2", "a.b.c", []string{"a.b.c", "a.b.c.corp.example", "a.b.c.example"}},
		{search + "options ndots:0", "a", []string{"a", "a.corp.example", "a.example"}},
		{search + "options no-tld-query", "a", []string{"a.corp.example", "a.example"}},
		{search + "options no-tld-query ndots:2", "a.b", []string{"a.b.corp.example", "a.b.example", "a.b"}},
		{search + "domain last.example", "a", []string{"a.last.example", "a"}},
		{"domain first.example\n" + search, "a", []string{"a.corp.example", "a.example", "a"}},
		{"search .\n", "a", []string{"a", "a"}},
		{"search bad..name good.example\n", "a", []string{"a.good.example", "a"}},
		{search, strings.Repeat("a", 63) + strings.Repeat("."+strings.Repeat("b", 61), 3), []string{strings.Repeat("a", 63) + strings.Repeat("."+strings.Repeat("b", 61), 3)}},
		{"", "a", []string{"a"}},
	} {
		conf := ParseConfig([]byte(c.conf))
		name, absolute, err := normalize(c.host)
		require.NoError(t, err)
		require.Equal(t, c.want, slices.Collect(conf.filled().candidates(name, absolute)), "%q %s", c.conf, c.host)
	}
}

func TestParseConfig(t *testing.T) {
	c := ParseConfig([]byte("# comment\n; another\nnameserver 192.0.2.1\nnameserver\nnameserver nonsense\r\n" +
		"nameserver fe80::1%eth0\nnameserver 2001:db8::1\nnameserver 192.0.2.9\nsortlist 10.0.0.0\n" +
		"options timeout:2 attempts:9 rotate use-vc single-request no-aaaa no-reload ndots:99 unknown debug timeout:x\n"))
	require.Equal(t, []string{"192.0.2.1:53", "[fe80::1%eth0]:53", "[2001:db8::1]:53"}, []string{c.Servers[0].String(), c.Servers[1].String(), c.Servers[2].String()})
	require.Len(t, c.Servers, maxServers)
	c.Servers = nil
	require.Equal(t, Config{Timeout: 2 * time.Second, Attempts: maxAttempts, Rotate: true, TCP: true, SingleRequest: true, NoAAAA: true, NoReload: true, Ndots: maxNdots}, c)
	require.Equal(t, time.Second, func() time.Duration { c := ParseConfig([]byte("options timeout:0")); return c.Timeout }())

	f := new(Config).filled()
	require.Equal(t, "127.0.0.1:53", f.Servers[0].String())
	require.Equal(t, 1, f.Ndots)
	require.Equal(t, DefaultTimeout, f.Timeout)
	require.Equal(t, DefaultAttempts, f.Attempts)
	require.Equal(t, []string{"corp.example"}, localDomain("host.corp.example"))
	require.Empty(t, localDomain("host"))
}

func TestParseHosts(t *testing.T) {
	h := parseHosts([]byte("192.0.2.1 Feed.Example feed # the venue\n2001:db8::1\tfeed.example\n192.0.2.1 feed.example\n" +
		"nonsense feed.example\n192.0.2.3\nfe80::1%eth0 scoped.\n::ffff:192.0.2.4 mapped b@d\n#192.0.2.5 no\n"))
	require.Equal(t, hosts{
		"feed.example": {addrs("192.0.2.1", "2001:db8::1"), "feed.example"},
		"feed":         {addrs("192.0.2.1"), "feed.example"},
		"scoped":       {addrs("fe80::1%eth0"), "scoped"},
		"mapped":       {addrs("192.0.2.4"), "mapped"},
	}, h)
}

// Files are read again when they have changed, and kept when they cannot be read.
func TestFiles(t *testing.T) {
	dir := t.TempDir()
	conf, hostsFile := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "hosts")
	write := func(path, text string) {
		require.NoError(t, os.WriteFile(path+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(path+".new", path))
	}
	now := clock.NewManual(0)
	var f files
	read := func() (settings, bool, error) { return f.current(now.Now(), nil, conf, hostsFile) }
	s, changed, err := read()
	require.NoError(t, err, "files that are not there are empty")
	require.False(t, changed)
	require.Equal(t, "127.0.0.1:53", s.config.Servers[0].String())
	require.Empty(t, s.hosts)

	write(conf, "nameserver 192.0.2.53\n")
	write(hostsFile, "192.0.2.1 feed\n")
	s, _, err = read()
	require.NoError(t, err)
	require.Empty(t, s.hosts, "it does not look again so soon")
	now.Advance(checkFiles)
	s, changed, err = read()
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, "192.0.2.53:53", s.config.Servers[0].String())
	require.Contains(t, s.hosts, "feed")

	now.Advance(checkFiles)
	_, changed, err = read()
	require.NoError(t, err)
	require.False(t, changed)

	require.NoError(t, os.Remove(hostsFile))
	require.NoError(t, os.Mkdir(hostsFile, 0o700))
	now.Advance(checkFiles)
	s, _, err = read()
	require.NoError(t, err)
	require.Contains(t, s.hosts, "feed", "a file that cannot be read takes nothing away")

	_, _, err = new(files).current(0, nil, conf, hostsFile)
	require.ErrorContains(t, err, hostsFile, "but one must have been read")

	given := &Config{NoAAAA: true}
	require.NoError(t, os.Remove(hostsFile))
	s, _, err = new(files).current(0, given, conf, hostsFile)
	require.NoError(t, err)
	require.True(t, s.config.NoAAAA)
	require.Empty(t, given.Servers, "it is not changed")
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2 timeout:3 attempts:4\n"))
	f.Add([]byte("domain .\nsearch\noptions ndots:-1 timeout:99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := ParseConfig(text)
		filled := c.filled()
		if len(c.Servers) > maxServers || len(c.Search) > maxSearch || c.Timeout > maxTimeout || c.Attempts > maxAttempts || c.Ndots > maxNdots {
			t.Fatalf("out of bounds: %+v", c)
		}
		n := 0
		for name := range filled.candidates("feed", false) {
			if _, _, err := normalize(name); err != nil {
				t.Fatalf("candidate %q: %v", name, err)
			}
			n++
		}
		if n > maxSearch+1 {
			t.Fatalf("%d candidates", n)
		}
	})
}

func FuzzParseHosts(f *testing.F) {
	f.Add([]byte("192.0.2.1 feed.example feed # x\n::1 localhost\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for name, e := range parseHosts(text) {
			if again, absolute, err := normalize(name); err != nil || absolute || again != name {
				t.Fatalf("name %q: %v", name, err)
			}
			if len(e.addrs) == 0 || len(e.addrs) > MaxAddrs || e.canonical == "" {
				t.Fatalf("%q: %+v", name, e)
			}
		}
	})
}

// FuzzAnswer reads any bytes as an answer: it must not fail in any way but by an
// error, and what it accepts keeps to its bounds.
func FuzzAnswer(f *testing.F) {
	q := question{"feed.example", dnsmessage.TypeA}
	query, err := q.pack(7, true)
	require.NoError(f, err)
	for _, msg := range [][]byte{
		reply(query, good), reply(query, aliasOf(feed, "b.example.", 5), has("b.example.", 60, "192.0.2.1")),
		reply(query, code(dnsmessage.RCodeNameError), soa("example.", 60, 30)), reply(query, aliasOf(feed, feed, 60)), query,
	} {
		f.Add(msg)
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		for _, q := range []question{q, {"feed.example", dnsmessage.TypeAAAA}} {
			q.answers(msg, 7)
			a, err := q.parse(msg)
			if err != nil {
				continue
			}
			if len(a.addrs) > MaxAddrs || a.ttl < 0 || a.ttl > noTTL*time.Second || len(a.addrs) > 0 && !(a.keep && a.exists) || a.open && len(a.addrs) > 0 {
				t.Fatalf("%+v", a)
			}
			for _, ip := range a.addrs {
				if ip.Is4() != (q.kind == dnsmessage.TypeA) {
					t.Fatalf("%v is of the wrong family", ip)
				}
			}
		}
	})
}

// The TTL of an answer, and of a denial (RFC 2308).
func TestParse(t *testing.T) {
	q := question{"feed.example", dnsmessage.TypeA}
	query, err := q.pack(7, true)
	require.NoError(t, err)
	for _, c := range []struct {
		what   string
		change []func(*dnsmessage.Message)
		want   answer
	}{
		{"addresses", []func(*dnsmessage.Message){has(feed, 60, "192.0.2.1"), has(feed, 30, "192.0.2.2", "192.0.2.1")},
			answer{addrs: addrs("192.0.2.1", "192.0.2.2"), exists: true, keep: true, canonical: "feed.example", ttl: 30 * time.Second}},
		{"aliases in any order, any case", []func(*dnsmessage.Message){has("C.example.", 60, "192.0.2.1"), aliasOf("b.EXAMPLE.", "c.example.", 10), aliasOf("FEED.example.", "B.example.", 20)},
			answer{addrs: addrs("192.0.2.1"), exists: true, keep: true, canonical: "c.example", ttl: 10 * time.Second}},
		{"others' addresses", []func(*dnsmessage.Message){has("bank.example.", 60, "203.0.113.66")},
			answer{exists: true, canonical: "feed.example", ttl: noTTL * time.Second}},
		{"an alias left open", []func(*dnsmessage.Message){aliasOf(feed, "b.example.", 20)},
			answer{exists: true, open: true, canonical: "b.example", ttl: 20 * time.Second}},
		{"no such name", []func(*dnsmessage.Message){code(3), soa("example.", 900, 30)},
			answer{keep: true, canonical: "feed.example", ttl: 30 * time.Second}},
		{"no such name, short SOA", []func(*dnsmessage.Message){code(3), soa(".", 20, 30)},
			answer{keep: true, canonical: "feed.example", ttl: 20 * time.Second}},
		{"no such name, no SOA", []func(*dnsmessage.Message){code(3)},
			answer{canonical: "feed.example", ttl: noTTL * time.Second}},
		{"SOA of another zone", []func(*dnsmessage.Message){code(3), soa("xample.", 900, 30)},
			answer{canonical: "feed.example", ttl: noTTL * time.Second}},
		{"no address", []func(*dnsmessage.Message){soa("example.", 900, 30)},
			answer{exists: true, keep: true, canonical: "feed.example", ttl: 30 * time.Second}},
		{"an alias of nothing", []func(*dnsmessage.Message){code(3), aliasOf(feed, "b.other.", 20), soa("other.", 900, 30)},
			answer{keep: true, canonical: "b.other", ttl: 20 * time.Second}},
		{"a TTL that is none", []func(*dnsmessage.Message){has(feed, 1<<31, "192.0.2.1")},
			answer{addrs: addrs("192.0.2.1"), exists: true, keep: true, canonical: "feed.example"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := q.parse(reply(query, c.change...))
			require.NoError(t, err)
			require.Equal(t, c.want, *got)
		})
	}
}
