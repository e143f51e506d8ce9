package dns

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/boomnet-go/boomnet/clock"
)

// Stub is a stub resolver of our own: it asks the machine's name servers and
// keeps what they say. The zero value is ready and reads /etc/resolv.conf and
// /etc/hosts, and again when they change (it looks each 5 s; nsswitch.conf is not
// read). It must not be copied once used, nor its fields changed. Any goroutine
// may use it; one for a process is best, because it is the cache.
//
//	host ─┬→ literal address, hosts file, localhost ──────────────────────────→ addresses
//	      └→ for each name of the search list, A and AAAA:
//	           cache: fresh ──────────────────────────────────────────────────→
//	           else asked of the servers, once for all who wait ── answer ────→
//	                        └─ failure, or no answer in StaleAfter ── stale ──→
//
// A name that does not exist, or has no address of the network asked for, is
// searched for further; a failure of the servers ends the lookup, so that a name
// is never taken from a domain that it was not meant for because its own was
// out of order. Names below .onion and .invalid are asked of nobody (RFC 7686,
// RFC 6761), names that are none neither.
//
// Errors are *net.DNSError, as those of net.Resolver, with IsNotFound, IsTimeout
// and IsTemporary; errors.As finds a *[TriesError] in them, which says what each
// server did, and errors.Is the cause of ctx.
//
// A lookup that is given up leaves nothing behind. What goes on in the
// background (an answer fetched before its time is over, or after a lookup had
// enough) ends by itself within a few Timeouts, or at Close.
type Stub struct {
	// Config is what resolv.conf would say. nil: ConfigFile says it. It is read
	// once and not changed.
	Config *Config
	// ConfigFile is of the form of resolv.conf(5). Default "/etc/resolv.conf".
	ConfigFile string
	// HostsFile is of the form of hosts(5); "/dev/null": none. Default "/etc/hosts".
	HostsFile string

	// Cache says what is kept.
	Cache Cache
	// Stagger is how long a server is given before the next one is asked beside
	// it. Both are listened to; the first answer counts, however late. Default
	// 1 s, at most Config.Timeout.
	Stagger time.Duration
	// ResolutionDelay is how long the IPv6 addresses are waited for when the IPv4
	// addresses are there (RFC 8305, section 3). What comes later is kept for
	// next time. Default 50 ms; negative: until they are there or have failed.
	ResolutionDelay time.Duration
	// PreferIPv4 begins with an IPv4 address where there are both. Default: IPv6
	// (RFC 8305, section 4); the families take turns either way.
	PreferIPv4 bool
	// MaxQuestions is how many questions are put to servers at a time; further
	// ones wait for their turn. Default 64.
	MaxQuestions int
	// Clock is for TTLs. Default: clock.Monotonic.
	Clock clock.Clock

	once    sync.Once
	files   files
	servers servers
	slots   chan struct{}
	ask     func(ctx context.Context, server netip.AddrPort, q question, tcp, edns bool) (*answer, Transport, error)
	policy  Cache           // filled
	life    context.Context // of all flights
	end     context.CancelCauseFunc
	running sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	store   store
	flights map[question]*flight
}

// DefaultResolutionDelay is what RFC 8305, section 3 recommends.
const DefaultResolutionDelay = 50 * time.Millisecond

// DefaultStagger is how long a server is given before the next one is asked.
const DefaultStagger = time.Second

// init fills in what is not set. The fields that a user sets stay as they are.
func (s *Stub) init() {
	s.once.Do(func() {
		if s.ask == nil {
			s.ask = ask
		}
		n := s.MaxQuestions
		if n <= 0 {
			n = 64
		}
		s.slots = make(chan struct{}, n)
		s.life, s.end = context.WithCancelCause(context.Background())
		s.policy = s.Cache.filled()
		s.store = newStore(s.policy)
		s.flights = make(map[question]*flight)
	})
}

func (s *Stub) now() int64 {
	if s.Clock == nil {
		return clock.Nano()
	}
	return s.Clock.Now()
}

func or[T comparable](value, unset T) T {
	if value == *new(T) {
		return unset
	}
	return value
}

// Close ends what goes on in the background and lookups under way, waits until
// it has ended, and forgets everything. Later lookups fail with ErrClosed. A Stub
// that is not used needs no Close.
func (s *Stub) Close() error {
	s.init()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end(ErrClosed)
	s.running.Wait()
	s.Flush()
	return nil
}

// Flush forgets all that is kept, stale answers too.
func (s *Stub) Flush() {
	s.init()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store = newStore(s.policy)
}

// LookupNetIP implements Resolver. A hit in the cache asks nobody; it allocates
// the answer and little else.
func (s *Stub) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	f, err := s.lookup(ctx, network, host)
	if err != nil {
		return nil, err
	}
	out := make([]netip.Addr, 0, len(f.parts[0].addrs)+len(f.parts[1].addrs))
	for part, i := range f.interleaved() {
		out = append(out, f.parts[part].addrs[i])
	}
	return out, nil
}

// lookup finds host. Its error is a *net.DNSError, or that network is none.
func (s *Stub) lookup(ctx context.Context, network, host string) (f found, err error) {
	if err := check(network); err != nil {
		return f, err
	}
	s.init()
	if literal, err := netip.ParseAddr(host); err == nil {
		return f.local(network, host, Literal, hostEntry{[]netip.Addr{literal.Unmap()}, host})
	}
	name, absolute, err := normalize(host)
	if err != nil {
		return f, &net.DNSError{Err: err.Error(), Name: host, IsNotFound: true}
	}
	now := s.now()
	set, changed, err := s.files.current(now, s.Config, or(s.ConfigFile, "/etc/resolv.conf"), or(s.HostsFile, "/etc/hosts"))
	if err != nil {
		return f, failure(host, err)
	}
	if changed {
		s.mu.Lock()
		s.store.expire(now)
		s.mu.Unlock()
	}
	f.preferIPv4 = s.PreferIPv4
	if e, ok := set.hosts[name]; ok {
		return f.local(network, host, HostsFile, e)
	}
	if under(name, "localhost") {
		return f.local(network, host, Localhost, loopback)
	}
	if under(name, "onion") || under(name, "invalid") {
		return f, notFound("ip", host)
	}
	exists := false
	for candidate := range set.config.candidates(name, absolute) {
		f.name, f.parts, f.missing = candidate, [2]part{}, nil
		err := s.resolve(ctx, set.config, network, candidate, &f)
		if err != nil {
			return f, failure(host, err)
		}
		if f.any() {
			return f, nil
		}
		exists = exists || f.exists
	}
	if !exists {
		return f, notFound("ip", host)
	}
	return f, noAddress(network, host)
}

// resolve asks for the addresses of the absolute name. It is an error when there
// are none and not all that were asked for are known.
func (s *Stub) resolve(ctx context.Context, c *Config, network, name string, f *found) error {
	if ctx.Err() != nil {
		return ended(ctx, nil)
	}
	var four, six pending
	ask4, ask6 := network != "ip6", network != "ip4" && !c.NoAAAA
	if ask4 {
		four = s.begin(c, question{name, dnsmessage.TypeA})
	}
	if ask6 && !(ask4 && c.SingleRequest) {
		six = s.begin(c, question{name, dnsmessage.TypeAAAA})
	}
	staleAfter, cancel := s.staleAfter(ctx, four.stale || six.stale)
	defer cancel()
	if ask4 {
		f.take(1, four.wait(ctx, staleAfter, nil))
	}
	if ask6 {
		if ask4 && c.SingleRequest {
			six = s.begin(c, question{name, dnsmessage.TypeAAAA})
		}
		var enough <-chan time.Time
		if delay := or(s.ResolutionDelay, DefaultResolutionDelay); delay > 0 && f.any() && six.flight != nil && !c.SingleRequest {
			t := time.NewTimer(delay)
			defer t.Stop()
			enough = t.C
		}
		f.take(0, six.wait(ctx, staleAfter, enough))
	}
	if f.any() {
		return nil
	}
	return joined(f.missing)
}
