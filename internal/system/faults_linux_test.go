package system

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/dns"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

func TestEveryMessageArrivesInOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 20000})
		r := w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade")
		_, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "5000 trades", func() bool { n, _, _, _ := f.seen(); return n >= 5000 })
		_, gaps, opens, losses := f.seen()
		require.Zero(t, gaps)
		require.Equal(t, 1, opens)
		require.Zero(t, losses)
	})
}

// TestADeadNeighbourCostsNothing puts endpoints that cannot connect, each for
// another reason, beside a healthy one.
func TestADeadNeighbourCostsNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 2000})
		names := &dns.Static{Hosts: map[string][]netip.Addr{"localhost": {netip.MustParseAddr("127.0.0.1")}}}
		r := w.reactor(t, func(c *reactor.Config) { c.Seams.Resolver = names })
		scheme := "ws"
		if w.secure {
			scheme = "wss"
		}
		bad := map[string]*trades{
			"refused":     newTrades(s, ""),
			"black hole":  newTrades(s, ""),
			"dead name":   newTrades(s, ""),
			"no upgrade":  newTrades(s, "/no/such/path"),
			"mute server": newTrades(s, ""),
		}
		bad["refused"].URL = scheme + "://" + closedPort(t)
		bad["black hole"].URL = scheme + "://" + fullBacklog(t)
		bad["dead name"].URL = scheme + "://no.such.venue.example:443"
		bad["mute server"].URL = scheme + "://" + muteServer(t)
		bad["black hole"].Policy.ConnectTimeout = 300 * time.Millisecond
		bad["mute server"].Policy.SecureTimeout, bad["mute server"].Policy.UpgradeTimeout = 300*time.Millisecond, 300*time.Millisecond
		for _, f := range bad { // what ends by itself has its time, however slow the machine
			f.Policy.FirstDelay, f.Policy.MaxDelay = time.Millisecond, 10*time.Millisecond
			_, err := reactor.Register(r, f)
			require.NoError(t, err)
		}
		good := newTrades(s, "/ws/btcusdt@trade")
		_, err := reactor.Register(r, good)
		require.NoError(t, err)
		for name, f := range bad {
			waitFor(t, "three losses of "+name, func() bool { _, _, _, n := f.seen(); return n >= 3 })
		}
		waitFor(t, "2000 trades", func() bool { n, _, _, _ := good.seen(); return n >= 2000 })
		_, gaps, opens, losses := good.seen()
		require.Zero(t, gaps, "the healthy endpoint misses nothing")
		require.Equal(t, 1, opens)
		require.Zero(t, losses)

		require.ErrorIs(t, bad["refused"].loss(0), syscall.ECONNREFUSED)
		require.Equal(t, endpoint.Connecting, bad["refused"].loss(0).Phase)
		var late *endpoint.DeadlineError
		require.ErrorAs(t, bad["black hole"].loss(0), &late)
		require.Equal(t, endpoint.Connecting, late.State)
		var dead *net.DNSError
		require.ErrorAs(t, bad["dead name"].loss(0), &dead)
		require.True(t, dead.IsNotFound)
		require.Equal(t, endpoint.Resolving, bad["dead name"].loss(0).Phase)
		var refused *ws.UpgradeError
		require.ErrorAs(t, bad["no upgrade"].loss(0), &refused)
		require.Equal(t, 404, refused.StatusCode)
		require.Equal(t, 404, bad["no upgrade"].loss(0).Code)
		require.ErrorAs(t, bad["mute server"].loss(0), &late)
		if w.secure {
			require.Equal(t, endpoint.Securing, late.State)
		} else {
			require.Equal(t, endpoint.Upgrading, late.State)
		}
	})
}

// closedPort is an address that refuses.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// muteServer accepts and says nothing.
func muteServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			all = append(all, c)
		}
		for _, c := range all {
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// fullBacklog is an address whose SYNs are dropped: a listener that never
// accepts and whose queue is full.
func fullBacklog(t *testing.T) string {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 0))
	name, err := unix.Getsockname(fd)
	require.NoError(t, err)
	to := name.(*unix.SockaddrInet4)
	for range 4 { // more than the queue takes
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(c) })
		if err := unix.Connect(c, to); err != nil {
			require.ErrorIs(t, err, unix.EINPROGRESS)
		}
	}
	return fmt.Sprintf("127.0.0.1:%d", to.Port)
}

// TestEveryFaultOfAPeerEndsInALossAndAReconnect has the exchange do each thing
// it can do to an open connection, in turn.
func TestEveryFaultOfAPeerEndsInALossAndAReconnect(t *testing.T) {
	codes := map[exchange.Kind]int{
		exchange.Close: 1001, exchange.FIN: 1006, exchange.RST: 1006,
		exchange.BadOpcode: 1002, exchange.BadMask: 1002, exchange.BadRSV: 1002, exchange.BadUTF8: 1007,
		exchange.BadLength: 1002, exchange.BadMinimal: 1002, exchange.BadOversize: 1009,
		exchange.BadUnfinished: 1006, exchange.BadControl: 1002, exchange.BadFragment: 1002,
		exchange.BadOrphan: 1002, exchange.BadInterleaved: 1002, exchange.BadCloseBody: 1002, exchange.BadCloseCode: 1002,
	}
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 500})
		r := w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade")
		f.Policy.FirstDelay, f.Policy.MaxDelay = time.Millisecond, time.Millisecond
		h, err := reactor.Register(r, f)
		require.NoError(t, err)
		bystander := newTrades(s, "/ws/ethusdt@trade")
		// The faults go to the connection of f: it is opened first.
		opens := 0
		next := func() {
			opens++
			waitFor(t, fmt.Sprintf("opening %d with data", opens), func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return f.opens == opens && f.last > 0
			})
		}
		next()
		_, err = reactor.Register(r, bystander)
		require.NoError(t, err)
		waitFor(t, "the bystander", func() bool { n, _, _, _ := bystander.seen(); return n > 0 })
		for i, kind := range exchange.Kinds() {
			if _, ok := codes[kind]; !ok {
				continue
			}
			sent := s.Stats().ClientCloses
			n, err := s.Inject(exchange.Fault{Kind: kind}, exchange.Selector{ID: connectionOf(t, s, "btcusdt")})
			require.NoError(t, err)
			require.Equal(t, 1, n)
			next()
			loss := f.loss(opens - 2)
			require.Equal(t, codes[kind], loss.Code, "%d %s: %v", i, kind, loss)
			if code := codes[kind]; code != 1006 {
				waitFor(t, fmt.Sprintf("our close frame after %s", kind), func() bool {
					now := s.Stats().ClientCloses
					for c, n := range now {
						if int(c) == code && n > sent[c] {
							return true
						}
					}
					return false
				})
			}
			if kind == exchange.RST && !w.secure {
				require.ErrorIs(t, loss, syscall.ECONNRESET)
			}
		}
		_, gaps, opens, losses := bystander.seen()
		require.Zero(t, gaps)
		require.Equal(t, 1, opens)
		require.Zero(t, losses)
		require.NoError(t, reactor.Deregister(r, h))
	})
}

func connectionOf(t *testing.T, s *exchange.Server, symbol string) uint64 {
	for _, c := range s.Connections() {
		if strings.Contains(c.Path, symbol) {
			return c.ID
		}
	}
	t.Fatalf("no connection for %s", symbol)
	return 0
}

// TestAFaultInTheUpgradeIsALossThatKeepsTheResponse has the exchange refuse, or
// spoil, one upgrade in each way it knows.
func TestAFaultInTheUpgradeIsALossThatKeepsTheResponse(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 500})
		r := w.reactor(t)
		for _, fault := range []exchange.Fault{
			{Kind: exchange.Refuse, Code: 401}, {Kind: exchange.Refuse, Code: 429}, {Kind: exchange.Refuse, Code: 503}, {Kind: exchange.Refuse, Code: 302},
			{Kind: exchange.UpgradeGarbage}, {Kind: exchange.UpgradeDrop}, {Kind: exchange.UpgradeHang}, {Kind: exchange.UpgradeAccept},
		} {
			_, err := s.Inject(fault, exchange.Selector{Next: 1})
			require.NoError(t, err)
			f := newTrades(s, "/ws/btcusdt@trade")
			f.Policy.FirstDelay = time.Millisecond
			hangs := fault.Kind == exchange.UpgradeHang
			if hangs {
				f.Policy.UpgradeTimeout = 300 * time.Millisecond
			}
			h, err := reactor.Register(r, f)
			require.NoError(t, err)
			waitFor(t, fmt.Sprintf("data after %s %d", fault.Kind, fault.Code), func() bool { n, _, _, _ := f.seen(); return n > 0 })
			_, _, _, losses := f.seen()
			if !hangs || losses == 0 { // else that time may be too short for the next one, too
				require.Equal(t, 1, losses)
			}
			require.Equal(t, endpoint.Upgrading, f.loss(0).Phase)
			var refused *ws.UpgradeError
			if fault.Kind == exchange.Refuse {
				require.ErrorAs(t, f.loss(0), &refused)
				require.Equal(t, fault.Code, refused.StatusCode)
				if fault.Code == 429 {
					require.NotEmpty(t, refused.Header.Get("Retry-After"))
				}
			}
			require.NoError(t, reactor.Deregister(r, h))
		}
		// A slow answer is no fault.
		_, err := s.Inject(exchange.Fault{Kind: exchange.UpgradeDrip, For: time.Millisecond}, exchange.Selector{Next: 1})
		require.NoError(t, err)
		f := newTrades(s, "/ws/btcusdt@trade")
		_, err = reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "data after a dripping upgrade", func() bool { n, _, _, _ := f.seen(); return n > 0 })
	})
}

func TestSplitWritesChangeNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 5000})
		r := w.reactor(t)
		f := newTrades(s, "/ws/btcusdt@trade?fault=split")
		_, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "1000 trades", func() bool { n, _, _, _ := f.seen(); return n >= 1000 })
		_, gaps, _, losses := f.seen()
		require.Zero(t, gaps)
		require.Zero(t, losses)
	})
}

func TestAPanicOrErrorOfOneEndpointLeavesTheOthersAlone(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 4000})
		r := w.reactor(t)
		good := newTrades(s, "/ws/btcusdt@trade")
		_, err := reactor.Register(r, good)
		require.NoError(t, err)
		bad := newTrades(s, "/ws/ethusdt@trade")
		bad.onTrade = func(uint64) error { panic("a bug of the user's") }
		h, err := reactor.Register(r, bad)
		require.NoError(t, err)
		mine := errors.New("crossed book")
		wrong := newTrades(s, "/ws/xrpusdt@trade")
		wrong.onTrade = func(uint64) error { return mine }
		_, err = reactor.Register(r, wrong)
		require.NoError(t, err)
		waitFor(t, "the panic", func() bool { i, _ := r.Lookup(h.ID()); return i.State == endpoint.Failed })
		waitFor(t, "two errors", func() bool { _, _, _, n := wrong.seen(); return n >= 2 })
		total, _, _, _ := good.seen()
		waitFor(t, "1000 more trades", func() bool { n, _, _, _ := good.seen(); return n >= total+1000 })
		_, gaps, opens, losses := good.seen()
		require.Zero(t, gaps)
		require.Equal(t, 1, opens)
		require.Zero(t, losses)
		var p *endpoint.PanicError
		require.ErrorAs(t, bad.loss(0), &p)
		require.Equal(t, "a bug of the user's", p.Value)
		require.ErrorIs(t, wrong.loss(0), mine)
		require.Equal(t, endpoint.User, wrong.loss(0).Phase)
		waitFor(t, "a close frame with 1000", func() bool { return s.Stats().ClientCloses[1000] > 0 })
	})
}

func TestAHundredLossesAtOnceAreAllMadeGood(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		const n = 100
		s := w.exchange(t, exchange.Config{Rate: 20})
		r := w.reactor(t)
		all := make([]*trades, n)
		for i := range all {
			all[i] = newTrades(s, fmt.Sprintf("/ws/sym%dusdt@trade", i))
			_, err := reactor.Register(r, all[i])
			require.NoError(t, err)
		}
		open := func(times int) func() bool {
			return func() bool {
				for _, f := range all {
					if _, _, opens, _ := f.seen(); opens < times {
						return false
					}
				}
				return true
			}
		}
		waitFor(t, "all open", open(1))
		hit, err := s.Inject(exchange.Fault{Kind: exchange.RST}, exchange.Selector{})
		require.NoError(t, err)
		require.Equal(t, n, hit)
		waitFor(t, "all open again", open(2))
	})
}

func TestACertificateThatIsNotGoodIsRefused(t *testing.T) {
	w := world{secure: true}
	r := w.reactor(t)
	for name, tc := range map[string]struct {
		tls   exchange.TLS
		trust bool
		check func(t *testing.T, err error)
	}{
		"expired": {exchange.TLS{Expired: true}, true, func(t *testing.T, err error) {
			var e x509.CertificateInvalidError
			require.ErrorAs(t, err, &e)
			require.Equal(t, x509.Expired, e.Reason)
		}},
		"wrong name": {exchange.TLS{WrongName: true}, true, func(t *testing.T, err error) {
			var e x509.HostnameError
			require.ErrorAs(t, err, &e)
		}},
		"unknown authority": {exchange.TLS{}, false, func(t *testing.T, err error) {
			var e x509.UnknownAuthorityError
			require.ErrorAs(t, err, &e)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := w.exchange(t, exchange.Config{TLS: &tc.tls})
			f := newTrades(s, "/ws/btcusdt@trade")
			if !tc.trust {
				f.Options.Stream.TLS = nil
			}
			f.stopped = true
			h, err := reactor.Register(r, f)
			require.NoError(t, err)
			waitFor(t, "the refusal", func() bool { i, _ := r.Lookup(h.ID()); return i.State == endpoint.Failed })
			_, _, opens, losses := f.seen()
			require.Zero(t, opens)
			require.Equal(t, 1, losses)
			require.Equal(t, endpoint.Securing, f.loss(0).Phase)
			tc.check(t, f.loss(0))
			require.Zero(t, s.Stats().Upgrades)
		})
	}
}

func TestAnOrderlyEndSaysGoodbye(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		s := w.exchange(t, exchange.Config{Rate: 100})
		r, err := reactor.New(reactor.Config{Selector: w.sel, CloseTimeout: time.Minute})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		var all []*trades
		for _, symbol := range []string{"btcusdt", "ethusdt", "xrpusdt"} {
			f := newTrades(s, "/ws/"+symbol+"@trade")
			_, err := reactor.Register(r, f)
			require.NoError(t, err)
			all = append(all, f)
		}
		for _, f := range all {
			waitFor(t, "data", func() bool { n, _, _, _ := f.seen(); return n > 0 })
		}
		start := time.Now()
		cancel()
		require.NoError(t, <-done)
		require.Less(t, time.Since(start), time.Minute/2, "the time it may take did not have to pass")
		require.Equal(t, uint64(3), s.Stats().ClientCloses[1000])
		for _, f := range all {
			var e *ws.CloseError
			require.ErrorAs(t, f.loss(0), &e)
			require.True(t, e.Clean)
			require.False(t, e.Remote, "we began it")
		}
	})
}
