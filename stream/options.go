package stream

import (
	"context"
	"crypto/tls"
	"net/netip"
	"net/url"
	"time"

	"github.com/boomnet-go/boomnet/dns"
)

// Options says how to set up a stream. The zero value is ready: Go's resolver,
// happy eyeballs, TCP_NODELAY on, certificates verified. An Options may be
// shared by any number of Dials at the same time and is never changed by them.
//
// An option that the kernel refuses fails the attempt with the option's name
// and its errno; nothing is ignored silently.
type Options struct {
	// Resolver finds addresses. Default: dns.System.
	Resolver dns.Resolver
	// LocalAddr binds the source address; its family restricts the peer's.
	// It selects the address, and the path only where routing rules say so.
	LocalAddr netip.Addr
	// Interface sends and receives through this network interface only
	// (SO_BINDTODEVICE), by name: "eth0". It must exist.
	Interface string

	// Nagle leaves Nagle's algorithm on. Default: off, that is TCP_NODELAY set.
	Nagle bool
	// KeepAlive is the idle time before the first keepalive probe; probes then
	// follow each KeepAliveInterval, and KeepAliveCount unanswered ones end the
	// connection. Defaults: 15 s, 15 s, 9 (Go's). Negative KeepAlive: off.
	KeepAlive         time.Duration
	KeepAliveInterval time.Duration
	KeepAliveCount    int
	// UserTimeout ends the connection when sent bytes stay unacknowledged for
	// so long (TCP_USER_TIMEOUT, whole milliseconds). Default: the kernel's.
	UserTimeout time.Duration
	// RecvBuffer and SendBuffer are SO_RCVBUF and SO_SNDBUF in bytes. Default:
	// the kernel's, which tunes itself. A size above the machine's limit
	// (net.core.rmem_max, wmem_max) is an error, as the kernel would cut it short.
	RecvBuffer, SendBuffer int
	// Control is called with every raw socket before it connects, after the
	// options above were set. network is "tcp4" or "tcp6", address is the peer's.
	// An error ends the attempt. Attempts run side by side, so several goroutines
	// may call it at once.
	Control func(network, address string, fd int) error

	// FallbackDelay is how long an address is given before the next one is
	// tried beside it (RFC 8305, section 5). Default 250 ms.
	FallbackDelay time.Duration

	// QueueBound is the bound of the write queue in bytes, see Stream.Write.
	// From 1 to 1 GiB; default DefaultQueueBound. For TLS it counts bytes before
	// they are sealed. The memory grows only with bytes that are really queued.
	QueueBound int

	// Proxy names the proxy for a target ("tls://example.com:443"); a nil URL is
	// none. It is called once a Dial, on the dialling goroutine. See ProxyURL and
	// ProxyFromEnvironment, and proxy.go for the kinds there are. Default: none,
	// whatever the environment says: HTTPS_PROXY is often set on machines for the
	// sake of package managers, and market data that takes that way is late and
	// nothing tells why.
	Proxy func(target string) (*url.URL, error)
	// ProxyTLS is the configuration of the connection to an "https://" proxy, as
	// TLS is that of the connection to the target. Default: the zero value.
	ProxyTLS *tls.Config

	// TLS is the configuration for "tls://" targets. It is cloned for each
	// connection and never changed; its KeyLogWriter, if any, is still called.
	// nil: the system's roots, TLS 1.2 or 1.3. ServerName defaults to the host.
	// See Secure for what is set in the clone.
	TLS *tls.Config

	// OnPhase is called on the dialling goroutine when a phase begins.
	OnPhase func(Phase)
}

// DefaultQueueBound is the bound of a stream's write queue in bytes: 1 MiB.
const DefaultQueueBound = 1 << 20

// Waiter is a stream that can wait without a selector: on the set-up side, and
// in scripts. Wait returns nil when the stream may be readable (or writable, for
// write), and the cause of ctx when that ended first.
type Waiter interface {
	Wait(ctx context.Context, write bool) error
}

// Detacher is a stream that holds on to Go's own poller so that Wait can use it.
// Detach lets go; a reactor calls it before it takes the descriptor. Wait then
// no longer works.
type Detacher interface{ Detach() error }

// Addressed is a stream that knows its two ends, as they were when it was set
// up. They are zero for a socket that is not IP.
type Addressed interface {
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort
}
