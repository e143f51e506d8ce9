package stream

import (
	"context"
	"crypto/tls"
	"net/netip"
	"net/url"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
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

	// QuickAck acknowledges what arrives at once, not with the next send or up
	// to 40 ms later (TCP_QUICKACK), for a peer that waits for acknowledgements
	// before it sends on. The kernel forgets it, so it is set again after each
	// read that brought bytes: one more system call a read, 0.15 µs and what
	// sending the acknowledgement takes. An order's own path gets no shorter.
	QuickAck bool
	// NotSentLowWater bounds what waits in the kernel unsent, in bytes
	// (TCP_NOTSENT_LOWAT): from there on messages wait in the stream's queue,
	// where Queued counts them. Default: net.ipv4.tcp_notsent_lowat, no bound.
	NotSentLowWater int
	// TOS marks the packets sent for switches on the way: IP_TOS, or
	// IPV6_TCLASS. The upper six bits are the DSCP (EF, 46, is 46<<2); the lower
	// two are the kernel's own (ECN) and must be 0. It also derives the Priority.
	TOS uint8
	// Priority is the queueing class of packets sent inside this machine, for
	// its queueing disciplines (SO_PRIORITY). Above 6: CAP_NET_ADMIN.
	Priority int
	// Mark is a number for the machine's routing and firewall rules (SO_MARK):
	// "ip rule add fwmark …". CAP_NET_ADMIN.
	Mark uint32

	// IncomingCPU says which CPU packets should come in on (SO_INCOMING_CPU).
	// It is a hint for the kernel's choice among listeners of one port; packets
	// that arrive overwrite it, and no NIC queue is moved by it. See IncomingCPU
	// for the question the other way round. Default: affinity.Unbound.
	IncomingCPU affinity.Placement
	// BusyPoll has a read that finds nothing poll the NIC's queue, in the
	// caller's own time, and a poll(2) for that long (SO_BUSY_POLL, whole
	// microseconds). A stream's reads never wait, so each polls once. Default:
	// net.core.busy_read. Old kernels want CAP_NET_ADMIN. Loopback has no queue
	// to poll: it is accepted and does nothing. For epoll see selector.BusyPoll.
	BusyPoll time.Duration
	// PreferBusyPoll keeps the NIC's interrupts off while the application polls
	// often enough (SO_PREFER_BUSY_POLL); the interface needs napi_defer_hard_irqs
	// and gro_flush_timeout for it. CAP_NET_ADMIN.
	PreferBusyPoll bool
	// BusyPollBudget is how many packets one busy poll may take
	// (SO_BUSY_POLL_BUDGET). Default: the kernel's, 8. At most 65535;
	// CAP_NET_ADMIN.
	BusyPollBudget int

	// Timestamps asks the kernel when it received the bytes of each read, see
	// Timestamps. Default: TimestampsOff, which costs nothing.
	Timestamps Timestamps

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
	// See Secure for what is set in the clone. With a ClientSessionCache the next
	// connection resumes the session of the last; tickets are put into it while
	// reading, which takes the cache's lock and allocates, once or twice a connection.
	TLS *tls.Config

	// Wrap, if not nil, is given the connected socket, or what a proxy has
	// connected, before TLS stands on it; what it returns is used instead: a
	// stream that records, delays or counts. It must be a Waiter for a "tls://"
	// target, and hand on what else it wants the stream to be (Detacher,
	// Addressed, …). It is called once a Dial, on the dialling goroutine. After an
	// error the socket is closed.
	Wrap func(Stream) (Stream, error)

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

// Unwatcher is a stream that lets go of Go's poller until the next Wait. While
// that poller watches a socket, the kernel tells it of each segment that arrives,
// with the socket locked: a loop that reads without waiting is the later for it,
// by about 0.1 µs. A ws.Conn is unwatched when its handshake is done.
type Unwatcher interface{ Unwatch() error }

// Addressed is a stream that knows its two ends, as they were when it was set
// up; behind a proxy the remote one is the proxy. They are zero for a socket that is not IP.
type Addressed interface {
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort
}

// Secured is a stream that speaks TLS. NegotiatedProtocol of its state is what
// ALPN chose, DidResume whether an earlier session was resumed. Under a *ws.Conn
// it is found by c.Stream().(stream.Secured).
type Secured interface{ ConnectionState() tls.ConnectionState }
