//go:build netns

package system

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/stream"
)

// Two ways lead to one address: routing prefers the first, and what is bound to
// the other interface takes the other.
//
//	this namespace                            one namespace each
//	NAMEa 198.18.81.1 ── metric 10 ──── 198.18.81.2  left:  198.18.80.9
//	NAMEb 198.18.82.1 ── metric 20 ──── 198.18.82.2  right: 198.18.80.9
const sharedAddress = "198.18.80.9"

// sideAt is set for the process that listens in one of the namespaces.
const sideAt = "BOOMNET_SIDE_AT"

// init makes this test binary that process: it tells every caller which side it
// is and whom it sees.
func init() {
	side := os.Getenv(sideAt)
	if side == "" {
		return
	}
	l, err := net.Listen("tcp", sharedAddress+":9443")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("listening")
	go func() {
		bufio.NewReader(os.Stdin).ReadString('\n') // until the parent goes
		os.Exit(0)
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		from, _, _ := net.SplitHostPort(c.RemoteAddr().String())
		fmt.Fprintf(c, "%s sees %s", side, from)
		c.Close()
	}
}

// newSide makes a namespace with the shared address, behind a link of its own.
func newSide(t *testing.T, side, device, network string, metric int) {
	name := fmt.Sprintf("boom%d%s", os.Getpid(), side)
	ip(t, "netns", "add", name)
	t.Cleanup(func() { ip(t, "netns", "del", name) })
	ip(t, "link", "add", device, "type", "veth", "peer", "name", "uplink", "netns", name)
	t.Cleanup(func() { ip(t, "link", "del", device) })
	ip(t, "addr", "add", network+".1/30", "dev", device)
	ip(t, "link", "set", device, "up")
	// Answers come in where routing would not send: not all machines allow that.
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv4/conf/"+device+"/rp_filter", []byte("2"), 0o644))
	ip(t, "-n", name, "link", "set", "lo", "up")
	ip(t, "-n", name, "addr", "add", network+".2/30", "dev", "uplink")
	ip(t, "-n", name, "addr", "add", sharedAddress+"/32", "dev", "lo")
	ip(t, "-n", name, "link", "set", "uplink", "up")
	ip(t, "-n", name, "route", "add", "default", "via", network+".1")
	ip(t, "route", "add", sharedAddress+"/32", "via", network+".2", "dev", device, "metric", fmt.Sprint(metric))

	line := startIn(t, name, sideAt+"="+side)
	require.Equal(t, "listening\n", line)
}

// askSide connects to the shared address and returns the answer.
func askSide(t *testing.T, o stream.Options) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := o.Dial(ctx, "tcp://"+sharedAddress+":9443")
	require.NoError(t, err)
	defer s.Close()
	var answer strings.Builder
	for p := make([]byte, 256); ; {
		n, err := s.Read(p)
		answer.Write(p[:n])
		if err == stream.ErrWouldBlock {
			err = s.(stream.Waiter).Wait(ctx, false)
		}
		if err != nil {
			return answer.String() // the peer closes behind it
		}
	}
}

func TestNetnsInterface(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root, for network namespaces")
	}
	near, far := fmt.Sprintf("boom%da", os.Getpid()), fmt.Sprintf("boom%db", os.Getpid())
	newSide(t, "left", near, "198.18.81", 10)
	newSide(t, "right", far, "198.18.82", 20)
	nearAddr, farAddr := netip.MustParseAddr("198.18.81.1"), netip.MustParseAddr("198.18.82.1")

	require.Equal(t, "left sees 198.18.81.1", askSide(t, stream.Options{}), "routing prefers it")
	require.Equal(t, "left sees 198.18.82.1", askSide(t, stream.Options{LocalAddr: farAddr}),
		"the address of the other interface alone does not lead through it")
	require.Equal(t, "right sees 198.18.82.1", askSide(t, stream.Options{Interface: far}))
	require.Equal(t, "right sees 198.18.81.1", askSide(t, stream.Options{Interface: far, LocalAddr: nearAddr}),
		"the interface decides the way, the address what the peer sees")
	require.Equal(t, "left sees 198.18.81.1", askSide(t, stream.Options{Interface: near}))

	// No other way is taken than the one that was asked for.
	refused := func(name string) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, err := (&stream.Options{Interface: name}).Dial(ctx, "tcp://"+sharedAddress+":9443")
		require.Error(t, err)
		return err
	}
	ip(t, "link", "set", far, "down")
	require.ErrorIs(t, refused(far), syscall.ENETUNREACH)
	err := refused("boomnosuch")
	var o *stream.OptionError
	require.ErrorAs(t, err, &o)
	require.Equal(t, "SO_BINDTODEVICE", o.Name)
	require.Equal(t, `"boomnosuch"`, o.Value)
	require.ErrorIs(t, o, syscall.ENODEV)
}
