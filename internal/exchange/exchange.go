// Package exchange is a simulated exchange: a WebSocket server with Binance's
// paths and messages that a trading client can be developed, tested and measured
// against without a network, and that misbehaves when asked to.
//
//	s, err := exchange.Start(exchange.Config{Rate: 1000})
//	…
//	defer s.Close()
//	dial(s.URL() + "/ws/btcusdt@trade")
//
// # What it serves
//
//	/ws                          raw, subscribe with {"method":"SUBSCRIBE",…}
//	/ws/NAME[/NAME…]             raw, subscribed from the start
//	/stream?streams=NAME[/NAME…] combined: {"stream":"NAME","data":{…}}
//	/echo                        every message comes back, up to 64 MiB
//	/feed                        the recorded feed of Config.Feed
//	/control/…                   counters and faults over HTTP, see control.go
//
// A NAME is SYMBOL@trade, SYMBOL@bookTicker, SYMBOL@depth or SYMBOL@depth@100ms,
// with any lower-case symbol. Each stream carries its own sequence from 1 without
// gaps ("t" of a trade, "u" of a bookTicker, "U" to "u" of a depthUpdate), and in
// "T" the time of sending, in nanoseconds of CLOCK_MONOTONIC (package clock), so
// that a client on the same machine knows what it lost and how late it is.
//
// Messages are compressed for a client that offers permessage-deflate (deflate.go).
//
// # A recorded feed
//
// With Config.Feed no market is generated. Every connection is sent the recording
// from its first line, each payload exactly as recorded, whatever names it asked
// for: on /feed, /ws/NAME and /stream?streams=NAME from the start, on /ws and
// /stream from its first SUBSCRIBE. After the last line the connection stays open
// and silent, unless Config.Loop starts again.
//
// # Inside
//
// The bytes are moved by an event loop (netpoll). Each connection has one goroutine
// that reads and one that writes from a bounded queue; one goroutine for all makes
// the market in ticks of a millisecond and never waits for anybody: a client that
// falls behind by Config.QueueBound is dropped. Faults take their place in
// the same queue (fault.go), so they happen at an exact byte.
package exchange

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"

	"github.com/boomnet-go/boomnet/internal/feed"
)

// FlatOut is the Config.Speed that sends a feed as fast as each client reads.
var FlatOut = math.Inf(1)

// Config says what to serve. The zero value serves a generated market of ten
// messages a second per stream on a free port of 127.0.0.1, without TLS.
type Config struct {
	// Listen is the TCP address, "host:port". Default "127.0.0.1:0": a free port.
	Listen string
	// TLS serves wss:// instead of ws://. nil: plain.
	TLS *TLS

	// Rate is how many messages a second each stream carries while anybody is
	// subscribed, up to MaxRate. Default 10.
	Rate float64
	// Seed makes prices, and the faults of FaultsEvery, repeatable.
	Seed uint64
	// Record is a new file that gets every generated message (package feed),
	// complete after Close. Default: none. Not together with Feed.
	Record string

	// Feed is a recorded file to serve instead of a generated market.
	Feed string
	// Speed is how many times faster than recorded a feed is sent; FlatOut: as
	// fast as it goes. Default 1.
	Speed float64
	// Loop starts a feed again after its last message.
	Loop bool

	// FaultsEvery makes one fault at this interval on a connection picked at
	// random. Default: none.
	FaultsEvery time.Duration
	// Faults are what FaultsEvery picks from. Default RandomFaults().
	Faults []Fault

	// PingInterval is the time between two pings to each client. Default 20 s.
	PingInterval time.Duration
	// PongTimeout drops a client from which no pong came for so long. Default 60 s.
	PongTimeout time.Duration
	// QueueBound is how many bytes may wait for a client that reads too slowly;
	// above it the connection is dropped. Default 64 MiB.
	QueueBound int
	// RequestRate is how many messages a second a client may send on the market
	// paths before it is closed with 1008. Default 0: as many as it likes.
	RequestRate int
	// MaxConns is how many connections may be open; more are closed at once.
	// Default 10000.
	MaxConns int

	tapeMemory int64 // default tapeMemory; tests make it small
}

// MaxRate is the limit of Config.Rate in messages a second.
const MaxRate = 10_000_000

const (
	defaultQueueBound   = 64 << 20
	defaultMaxConns     = 10_000
	defaultRate         = 10
	defaultPingInterval = 20 * time.Second
	defaultPongTimeout  = 60 * time.Second
	closeGrace          = 200 * time.Millisecond // for clients to see the end in Close
)

// ErrClosed is returned by methods of a Server after Close. It is net.ErrClosed.
var ErrClosed = net.ErrClosed

// ErrConfig says what a Config cannot be; it comes wrapped with the reason.
var ErrConfig = errors.New("exchange: bad configuration")

// Server is a running exchange. All its methods may be called by any goroutine.
type Server struct {
	cfg    Config
	addr   net.Addr
	tls    *tls.Config // nil: plain
	ca     []byte
	loop   netpoll.EventLoop
	served chan struct{} // closed when the event loop let go of the listener
	stop   chan struct{} // closed by Close; ends market and keeper
	wg     sync.WaitGroup

	market *market
	tape   *tape // nil: the market is generated
	stats  counters

	mu      sync.Mutex
	idle    *sync.Cond // a connection has gone
	closing bool
	conns   map[uint64]*conn
	lastID  uint64
	pending []pendingFault
	random  *rand.Rand // of the keeper only
	closed  atomic.Bool
}

// netpoll keeps one poller for the whole process and never ends it. It is started
// here, so that a Server leaves nothing behind that was not there before it.
func init() {
	_ = netpoll.Configure(netpoll.Config{
		// One long task for each connection: a pool of goroutines gains nothing,
		// and would swallow panics.
		Runner: func(_ context.Context, task func()) { go task() },
		// It logs every reset, which here happen on purpose.
		LoggerOutput: io.Discard,
	})
	netpoll.Initialize()
}

// Start listens and serves until Close. Errors: ErrConfig, those of listening,
// of the certificate's files, and of the feed, with its line number.
func Start(cfg Config) (*Server, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:    cfg,
		served: make(chan struct{}),
		stop:   make(chan struct{}),
		conns:  make(map[uint64]*conn),
		random: rand.New(rand.NewPCG(cfg.Seed, 1)),
	}
	s.idle = sync.NewCond(&s.mu)
	var err error
	if cfg.TLS != nil {
		if s.tls, s.ca, err = cfg.TLS.config(); err != nil {
			return nil, err
		}
	}
	if cfg.Feed != "" {
		if s.tape, err = loadTape(cfg.Feed, cfg.tapeMemory); err != nil {
			return nil, err
		}
	}
	ln, err := listen(cfg.Listen)
	if err != nil {
		return nil, err
	}
	var record *feed.Writer
	if cfg.Record != "" {
		if record, err = feed.Create(cfg.Record); err != nil {
			return nil, errors.Join(err, ln.Close())
		}
	}
	s.addr = ln.Addr()
	s.market = newMarket(s, record)
	s.loop, err = netpoll.NewEventLoop(nil, netpoll.WithOnConnect(func(ctx context.Context, nc netpoll.Connection) context.Context {
		s.serve(nc)
		return ctx
	}))
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	go func() {
		defer close(s.served)
		_ = s.loop.Serve(ln)
	}()
	<-ln.serving // from here on Shutdown finds a server to shut down
	s.wg.Go(s.market.run)
	s.wg.Go(s.keep)
	return s, nil
}

// complete fills in defaults and checks.
func (c *Config) complete() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	orDefault(&c.Rate, defaultRate)
	orDefault(&c.Speed, 1)
	orDefault(&c.PingInterval, defaultPingInterval)
	orDefault(&c.PongTimeout, defaultPongTimeout)
	orDefault(&c.QueueBound, defaultQueueBound)
	orDefault(&c.MaxConns, defaultMaxConns)
	orDefault(&c.tapeMemory, tapeMemory)
	if c.Faults == nil {
		c.Faults = RandomFaults()
	}
	for _, f := range c.Faults {
		if err := f.check(); err != nil {
			return bad("%v", err)
		}
		if f.Kind.onUpgrade() {
			return bad("%s happens to upgrades, not at random to open connections", f.Kind)
		}
	}
	switch {
	case !(c.Rate > 0 && c.Rate <= MaxRate):
		return bad("rate %v messages a second, must be above 0 and at most %d", c.Rate, MaxRate)
	case !(c.Speed > 0):
		return bad("speed %v, must be above 0", c.Speed)
	case c.PingInterval < 0 || c.PongTimeout < 0 || c.FaultsEvery < 0:
		return bad("negative interval")
	case c.QueueBound < 0 || c.MaxConns < 0 || c.RequestRate < 0:
		return bad("negative limit")
	case c.Feed != "" && c.Record != "":
		return bad("nothing is generated while a feed is served, so there is nothing to record")
	}
	return nil
}

func orDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// Addr is the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.addr }

// URL is "ws://host:port", or "wss://host:port" with TLS, without a path.
func (s *Server) URL() string {
	host := s.addr.String()
	if a, ok := s.addr.(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", a.Port)
	}
	if s.tls != nil {
		return "wss://" + host
	}
	return "ws://" + host
}

// CA is the certificate, in PEM, that a client must trust to verify the server.
// nil without TLS, and with a certificate from files.
func (s *Server) CA() []byte { return s.ca }

// Feed is what is known of the feed that is served; false: the market is generated.
func (s *Server) Feed() (feed.Info, bool) {
	if s.tape == nil {
		return feed.Info{}, false
	}
	return s.tape.info, true
}

// Close tells every client that it is going away (1001), ends all connections and
// goroutines, and completes the recording, whose error it returns. It takes at
// most a moment more than 200 ms. A second Close returns ErrClosed.
func (s *Server) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	close(s.stop)
	s.wg.Wait()

	s.mu.Lock()
	s.closing = true
	open := s.open()
	s.mu.Unlock()
	for _, c := range open {
		c.goAway()
	}
	timer := time.AfterFunc(closeGrace, func() {
		for _, c := range open {
			c.abort("")
		}
	})
	defer timer.Stop()
	s.mu.Lock()
	for len(s.conns) > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := s.loop.Shutdown(ctx) // waits for what was accepted meanwhile
	<-s.served
	return errors.Join(err, s.market.close())
}

// open returns the connections, oldest first. s.mu must be held.
func (s *Server) open() []*conn {
	return slices.SortedFunc(maps.Values(s.conns), func(a, b *conn) int { return cmp.Compare(a.id, b.id) })
}
