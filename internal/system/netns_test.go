//go:build netns

package system

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/reactor"
)

// These tests cut a network cable: a link between two network namespaces goes
// down without a FIN or a RST. They need root and iproute2: `make netns`.

// inNamespace is set for the process that serves the exchange on the other side.
const inNamespace = "BOOMNET_EXCHANGE_AT"

// init makes this test binary that process.
func init() {
	at := os.Getenv(inNamespace)
	if at == "" {
		return
	}
	s, err := exchange.Start(exchange.Config{Listen: at, Rate: 200})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("serving", s.URL())
	bufio.NewReader(os.Stdin).ReadString('\n') // until the parent goes
	s.Close()
	os.Exit(0)
}

// cable is a link to another namespace in which an exchange runs.
type cable struct {
	t    *testing.T
	name string
	url  string
}

func ip(t *testing.T, args ...string) {
	out, err := exec.Command("ip", args...).CombinedOutput()
	require.NoError(t, err, "ip %s: %s", strings.Join(args, " "), out)
}

func newCable(t *testing.T) *cable {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root, for network namespaces")
	}
	c := &cable{t: t, name: fmt.Sprintf("boom%d", os.Getpid())}
	ip(t, "netns", "add", c.name)
	t.Cleanup(func() { ip(t, "netns", "del", c.name) })
	ip(t, "link", "add", c.name+"a", "type", "veth", "peer", "name", c.name+"b", "netns", c.name)
	// The kernel takes its time with a namespace: the link goes at once.
	t.Cleanup(func() { ip(t, "link", "del", c.name+"a") })
	ip(t, "addr", "add", "198.18.77.1/30", "dev", c.name+"a")
	ip(t, "link", "set", c.name+"a", "up")
	ip(t, "-n", c.name, "addr", "add", "198.18.77.2/30", "dev", c.name+"b")
	ip(t, "-n", c.name, "link", "set", c.name+"b", "up")
	ip(t, "-n", c.name, "link", "set", "lo", "up")
	line := startIn(t, c.name, inNamespace+"=198.18.77.2:9443")
	c.url = strings.TrimSpace(strings.TrimPrefix(line, "serving "))
	require.True(t, strings.HasPrefix(c.url, "ws://"), line)
	return c
}

// startIn runs this test binary inside a namespace, as the process that env asks for, and
// returns the first line that it prints. It ends when its standard input does.
func startIn(t *testing.T, namespace, env string) (line string) {
	cmd := exec.Command("ip", "netns", "exec", namespace, os.Args[0])
	cmd.Env = append(os.Environ(), env)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return line
}

// cut takes the far end down: nothing arrives there or comes from there.
func (c *cable) cut()  { ip(c.t, "-n", c.name, "link", "set", c.name+"b", "down") }
func (c *cable) mend() { ip(c.t, "-n", c.name, "link", "set", c.name+"b", "up") }

func TestACutCableIsNoticed(t *testing.T) {
	c := newCable(t)
	r := world{}.reactor(t)
	type watched struct {
		*trades
		want error
	}
	all := map[string]watched{}
	add := func(name string, want error, change func(f *trades)) {
		f := &trades{WebSocket: endpoint.WebSocket{URL: c.url + "/ws/btcusdt@trade", Policy: endpoint.Policy{
			ConnectTimeout: 500 * time.Millisecond, FirstDelay: 10 * time.Millisecond, MaxDelay: 200 * time.Millisecond,
		}}}
		change(f)
		_, err := reactor.Register(r, f)
		require.NoError(t, err)
		all[name] = watched{f, want}
	}
	add("by a heartbeat", endpoint.ErrPongTimeout, func(f *trades) {
		f.Policy.PingInterval, f.Policy.PongTimeout = 200*time.Millisecond, 500*time.Millisecond
	})
	add("by the age of data", endpoint.ErrStaleFeed, func(f *trades) { f.Policy.StaleAfter = 700 * time.Millisecond })
	add("by what stays unacknowledged", syscall.ETIMEDOUT, func(f *trades) {
		f.Policy.PingInterval, f.Policy.PongTimeout = 100*time.Millisecond, time.Hour
		f.Options.Stream.UserTimeout = 800 * time.Millisecond
	})
	add("by keepalive probes", syscall.ETIMEDOUT, func(f *trades) {
		f.Options.Stream.KeepAlive, f.Options.Stream.KeepAliveInterval, f.Options.Stream.KeepAliveCount = time.Second, time.Second, 2
	})
	for name, f := range all {
		waitFor(t, "data: "+name, func() bool { n, _, _, _ := f.seen(); return n > 20 })
	}
	began := map[string]int{}
	for name, f := range all { // the link may need a moment to come up
		_, _, _, began[name] = f.seen()
	}
	c.cut()
	for name, f := range all {
		n := began[name]
		waitFor(t, "a loss: "+name, func() bool { _, _, _, losses := f.seen(); return losses > n })
		require.ErrorIs(t, f.loss(n), f.want, name)
		require.Equal(t, endpoint.Open, f.loss(n).Phase, name)
		// While the cable is cut connecting runs into its deadline.
		waitFor(t, "tries: "+name, func() bool { _, _, _, losses := f.seen(); return losses > n+2 })
		require.Equal(t, endpoint.Connecting, f.loss(n+1).Phase, name)
	}
	c.mend()
	for name, f := range all {
		waitFor(t, "data again: "+name, func() bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.opens >= 2 && f.last > 0
		})
	}
}
