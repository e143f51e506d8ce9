package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// connectCmd is "boomctl connect": a WebSocket client for a person at a terminal
// and for scripts. It is the bare connection without a reactor, in a loop of its
// own, see connect_session.go.
//
//	standard input ── lines ──→ text messages ──→ peer
//	standard output ←─ a line each ── messages ←── peer
//	standard error ←─ everything else: status, warnings, errors, latencies
type connectCmd struct {
	URL string `arg:"" help:"ws://host[:port]/path or wss://host[:port]/path."`

	connectOptions `embed:""`

	Timeout time.Duration `default:"10s" help:"Limit of a whole set-up, from name to upgrade (${default})."`

	JSON bool `name:"json" help:"Print each message as a JSON object: op, time, received (CLOCK_MONOTONIC in nanoseconds), and data or base64."`

	Count     int64         `placeholder:"N" help:"End after N messages received."`
	For       time.Duration `placeholder:"DURATION" help:"End after this time, set-up included."`
	Reconnect bool          `help:"After every loss and every failed try connect again, with back-off."`
	Ping      time.Duration `placeholder:"INTERVAL" help:"Send a ping each INTERVAL, and give the connection up if nothing at all arrives between two."`
	Latency   bool          `help:"At the end print p50, p99 and max of ping round trips (one a second, or one each --ping) and of messages whose JSON field T is CLOCK_MONOTONIC of this machine in nanoseconds; with --timestamps also of reads, from the kernel to here."`
	Quiet     bool          `short:"q" help:"No status on standard error, only warnings, errors and what --latency found."`
}

// Help is the long help.
func (*connectCmd) Help() string {
	return `Each message received, text or binary, is written to standard output as its bytes and one newline; newlines inside it are kept. Each line of standard input, at most 64 MiB, is sent as a text message without its newline. The end of standard input ends only the sending: the session goes on until the peer closes, --count, --for, or Ctrl-C. Everything else goes to standard error.

Lines read while there is no connection wait for the next one. A line that a lost connection had already accepted is not sent again; the loss says how many bytes never left.`
}

func (*connectCmd) about() about {
	return about{
		examples: []example{
			{"Five messages of a stream of boomctl exchange.", "boomctl connect ws://127.0.0.1:9443/ws/btcusdt@trade --count 5"},
			{"TLS with a certificate of one's own, JSON, and latencies at the end.", "boomctl connect wss://127.0.0.1:9443/ws/btcusdt@trade --cacert ca.pem --json --latency --for 10s"},
			{"Send a request, then print what comes.", `echo '{"method":"SUBSCRIBE","params":["ethusdt@depth"],"id":1}' | boomctl connect ws://127.0.0.1:9443/ws`},
			{"Come back after each loss.", "boomctl connect 'ws://127.0.0.1:9443/ws/btcusdt@trade?fault=rst&after=50' --reconnect"},
		},
		statuses: []entry{
			{"0", "A clean end: closed by the peer with 1000, 1001 or no status; --count, --for, Ctrl-C, or standard output closed."},
			{"1", "Standard input or output failed."},
			{"2", "The command line is wrong."},
			{"3", "Name resolution failed."},
			{"4", "Connecting failed."},
			{"5", "The TLS handshake failed."},
			{"6", "The upgrade to WebSocket failed or was refused."},
			{"7", "A protocol violation, any other close code, or a connection lost without one."},
		},
		files: []entry{
			{"/etc/hosts, /etc/resolv.conf, /etc/nsswitch.conf", "How names are resolved."},
		},
		environment: []entry{
			{"HTTPS_PROXY", "Proxy for wss://; --proxy and --no-proxy overrule it."},
			{"HTTP_PROXY", "Proxy for ws://, likewise."},
			{"ALL_PROXY", "Proxy where neither is set."},
			{"NO_PROXY", "Hosts that need no proxy."},
			{"SSL_CERT_FILE, SSL_CERT_DIR", "Where the certificates to trust are, in place of the system's."},
		},
	}
}

// Exit statuses of connect.
const (
	exitOK       = 0
	exitFailure  = 1 // of this end: standard input or output
	exitUsage    = 2
	exitDNS      = 3
	exitConnect  = 4
	exitTLS      = 5
	exitUpgrade  = 6
	exitProtocol = 7
)

const (
	// closeTimeout bounds a close handshake and what follows it.
	closeTimeout = 2 * time.Second
	// maxLine is the limit of a line of standard input, in bytes.
	maxLine = 64 << 20
	// maxQueued is when lines stop being sent until the kernel has taken more,
	// in bytes. The queue's bound is a whole line above it.
	maxQueued  = 256 << 10
	queueBound = maxLine + frame.MaxHeaderSize + maxQueued
)

// Validate is called by kong; its errors are usage errors.
func (c *connectCmd) Validate() error {
	if err := c.connectOptions.check(); err != nil {
		return err
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"timeout", c.Timeout}, {"for", c.For}, {"ping", c.Ping}} {
		if d.value < 0 {
			return fmt.Errorf("--%s: %v is negative", d.name, d.value)
		}
	}
	if c.Count < 0 {
		return fmt.Errorf("--count: %d is negative", c.Count)
	}
	return nil
}

// exitStatus is an error whose text was printed already.
type exitStatus int

func (s exitStatus) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// Run is called by kong. A second Ctrl-C ends the process at once.
func (c *connectCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if status := c.run(ctx, os.Stdin, os.Stdout, os.Stderr); status != exitOK {
		return exitStatus(status)
	}
	return nil
}

// run connects, and returns the exit status. ctx ends it cleanly. It may leave
// one goroutine behind that waits in a Read of stdin.
func (c *connectCmd) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) int {
	// A reader of our output that has gone is an error of the write, see output;
	// Go would end the process instead.
	signal.Ignore(syscall.SIGPIPE)
	say := &notes{w: stderr, quiet: c.Quiet}
	u, _, err := ws.ParseURL(c.URL)
	if err != nil {
		say.always("usage: %v", err)
		return exitUsage
	}
	opts, err := c.options()
	if err != nil {
		say.always("usage: %v", err)
		return exitUsage
	}
	ended, err := c.warn(opts, say.always)
	if err != nil {
		say.always("usage: %v", err)
		return exitUsage
	}
	defer ended()
	s, err := newSession(c, u, opts, stdin, stdout, say)
	if err != nil {
		say.always("%v", err)
		return exitFailure
	}
	defer s.close()
	return s.run(ctx)
}

// byteSize is a number of bytes on the command line: 65536, 64KiB, 64MiB, 1GiB.
type byteSize int

const maxByteSize = 1 << 30

var errByteSize = errors.New("want bytes, KiB, MiB or GiB: from 1 to 1GiB")

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *byteSize) UnmarshalText(text []byte) error {
	s, unit := string(text), uint64(1)
	for suffix, u := range map[string]uint64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, u
			break
		}
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || n == 0 || n > maxByteSize/unit {
		return fmt.Errorf("size %q: %w", text, errByteSize)
	}
	*b = byteSize(n * unit)
	return nil
}

// shown is a URL for messages: without a password, and without the query, which
// often holds a key.
func shown(u *url.URL) string {
	v := *u
	v.User, v.RawQuery, v.Fragment, v.RawFragment, v.ForceQuery = nil, "", "", "", false
	return v.String()
}
