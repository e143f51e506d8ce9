package dns

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// bubble is the time of a synctest bubble as a clock.Clock.
type bubble struct{}

func (bubble) Now() int64 { return time.Now().UnixNano() }

// script is servers without a network: what each says, by the bubble's time.
type script struct {
	mu    sync.Mutex
	asks  []netip.AddrPort
	kinds []dnsmessage.Type
	says  func(ctx context.Context, n int, server netip.AddrPort, q question) (*answer, error)
}

func (s *script) ask(ctx context.Context, server netip.AddrPort, q question, tcp, edns bool) (*answer, Transport, error) {
	s.mu.Lock()
	s.asks, s.kinds = append(s.asks, server), append(s.kinds, q.kind)
	n := len(s.asks)
	s.mu.Unlock()
	a, err := s.says(ctx, n, server, q)
	return a, UDP, err
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asks)
}

func silent(ctx context.Context) (*answer, error) {
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// after answers so much later, unless ctx ends.
func after(ctx context.Context, d time.Duration, a *answer, err error) (*answer, error) {
	select {
	case <-time.After(d):
		return a, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func yes(ttl time.Duration, list ...string) *answer {
	return &answer{addrs: addrs(list...), exists: true, keep: true, canonical: "feed.example", ttl: ttl}
}

func no(ttl time.Duration) *answer { return &answer{keep: true, canonical: "feed.example", ttl: ttl} }

var one, two = netip.MustParseAddrPort("192.0.2.51:53"), netip.MustParseAddrPort("192.0.2.52:53")

// inBubble runs f with a Stub that asks sc of servers one and two.
func inBubble(t *testing.T, sc *script, f func(t *testing.T, s *Stub), change ...func(*Stub)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &Stub{Config: &Config{Servers: []netip.AddrPort{one, two}}, HostsFile: "/dev/null", Clock: bubble{}, ask: sc.ask}
		for _, c := range change {
			c(s)
		}
		f(t, s)
		require.NoError(t, s.Close())
	})
}

// lookup asks for IPv4 and says whence the answer came.
func lookup(t *testing.T, s *Stub) (first string, from Source, ttl time.Duration) {
	t.Helper()
	r, err := s.Lookup(t.Context(), "ip4", "feed.example.")
	require.NoError(t, err)
	return r.Addrs[0].Addr.String(), r.Addrs[0].From, r.Addrs[0].TTL
}

func requireFrom(t *testing.T, s *Stub, addr string, from Source, ttl time.Duration) {
	t.Helper()
	a, f, l := lookup(t, s)
	require.Equal(t, addr, a)
	require.Equal(t, from, f)
	require.Equal(t, ttl, l)
}

func TestTTL(t *testing.T) {
	sc := &script{says: func(_ context.Context, n int, _ netip.AddrPort, _ question) (*answer, error) {
		return yes(time.Minute, netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).String()), nil
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		requireFrom(t, s, "192.0.2.1", Server, time.Minute)
		time.Sleep(50 * time.Second)
		requireFrom(t, s, "192.0.2.1", Cached, 10*time.Second)
		time.Sleep(10 * time.Second)
		requireFrom(t, s, "192.0.2.2", Server, time.Minute)
		s.Flush()
		requireFrom(t, s, "192.0.2.3", Server, time.Minute)
	})
}

func TestTTLBounds(t *testing.T) {
	ttl := 100 * time.Hour
	sc := &script{says: func(context.Context, int, netip.AddrPort, question) (*answer, error) {
		return yes(ttl, "192.0.2.1"), nil
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		requireFrom(t, s, "192.0.2.1", Server, 24*time.Hour)
		ttl = 0
		s.Flush()
		requireFrom(t, s, "192.0.2.1", Server, 2*time.Second)
	}, func(s *Stub) { s.Cache.MinTTL = 2 * time.Second })
}

// A hit in the last tenth of the TTL has the answer fetched, waits for nothing,
// and does so once.
func TestPrefetch(t *testing.T) {
	sc := &script{says: func(ctx context.Context, n int, _ netip.AddrPort, _ question) (*answer, error) {
		return after(ctx, 100*time.Millisecond, yes(100*time.Second, netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).String()), nil)
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		requireFrom(t, s, "192.0.2.1", Server, 100*time.Second)
		time.Sleep(89 * time.Second)
		requireFrom(t, s, "192.0.2.1", Cached, 11*time.Second)
		require.Equal(t, 1, sc.count())
		time.Sleep(2 * time.Second)
		requireFrom(t, s, "192.0.2.1", Cached, 9*time.Second)
		requireFrom(t, s, "192.0.2.1", Cached, 9*time.Second)
		time.Sleep(time.Second)
		require.Equal(t, 2, sc.count())
		requireFrom(t, s, "192.0.2.2", Cached, 100*time.Second-900*time.Millisecond)
	})
}

// A prefetch that fails costs nobody anything.
func TestPrefetchFails(t *testing.T) {
	sc := &script{says: func(_ context.Context, n int, _ netip.AddrPort, _ question) (*answer, error) {
		if n > 1 {
			return nil, ServFail
		}
		return yes(100*time.Second, "192.0.2.1"), nil
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		lookup(t, s)
		time.Sleep(95 * time.Second)
		requireFrom(t, s, "192.0.2.1", Cached, 5*time.Second)
		time.Sleep(time.Second)
		asked := sc.count()
		requireFrom(t, s, "192.0.2.1", Cached, 4*time.Second)
		synctest.Wait()
		require.Equal(t, asked, sc.count(), "not again for StaleRecheck")
		time.Sleep(10 * time.Second)
		requireFrom(t, s, "192.0.2.1", Stale, 0)
	})
}

func TestStaleWhenServersFail(t *testing.T) {
	failing := false
	sc := &script{}
	sc.says = func(_ context.Context, n int, _ netip.AddrPort, _ question) (*answer, error) {
		if failing {
			return nil, ServFail
		}
		return yes(time.Minute, netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}).String()), nil
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		lookup(t, s)
		failing = true
		time.Sleep(2 * time.Minute)
		requireFrom(t, s, "192.0.2.1", Stale, 0)
		require.Equal(t, 5, sc.count(), "two servers, twice")
		time.Sleep(29 * time.Second)
		requireFrom(t, s, "192.0.2.1", Stale, 0)
		require.Equal(t, 5, sc.count(), "they are left in peace")
		failing = false
		time.Sleep(2 * time.Second)
		requireFrom(t, s, "192.0.2.6", Server, time.Minute)

		failing = true
		time.Sleep(time.Minute + 24*time.Hour)
		_, err := s.LookupNetIP(t.Context(), "ip4", "feed.example.")
		require.ErrorIs(t, err, ServFail, "too old")
	})
}

// Silence is waited for as long as RFC 8767 says, and what comes then is kept.
func TestStaleWhenServersAreSlow(t *testing.T) {
	sc := &script{says: func(ctx context.Context, n int, _ netip.AddrPort, _ question) (*answer, error) {
		if n == 1 {
			return yes(time.Minute, "192.0.2.1"), nil
		}
		return after(ctx, 4*time.Second, yes(time.Minute, "192.0.2.2"), nil)
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		lookup(t, s)
		time.Sleep(2 * time.Minute)
		begin := time.Now()
		requireFrom(t, s, "192.0.2.1", Stale, 0)
		require.Equal(t, 1800*time.Millisecond, time.Since(begin))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		got, err := s.LookupNetIP(ctx, "ip4", "feed.example.")
		require.NoError(t, err)
		require.Equal(t, addrs("192.0.2.1"), got)
		require.Equal(t, 500*time.Millisecond, time.Since(begin), "half of what the caller has")

		time.Sleep(3 * time.Second)
		a, from, _ := lookup(t, s)
		require.Equal(t, "192.0.2.2", a)
		require.Equal(t, Cached, from)
	})
}

// That a name is gone is an answer: stale addresses do not hide it.
func TestGoneIsNotStale(t *testing.T) {
	sc := &script{says: func(_ context.Context, n int, _ netip.AddrPort, _ question) (*answer, error) {
		if n == 1 {
			return yes(time.Minute, "192.0.2.1"), nil
		}
		return no(time.Minute), nil
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		lookup(t, s)
		time.Sleep(2 * time.Minute)
		_, err := s.LookupNetIP(t.Context(), "ip4", "feed.example.")
		requireNotFound(t, err, "feed.example.")
	})
}

func TestNegative(t *testing.T) {
	ttl := 30 * time.Second
	sc := &script{}
	sc.says = func(context.Context, int, netip.AddrPort, question) (*answer, error) {
		a := no(ttl)
		a.keep = ttl > 0
		return a, nil
	}
	miss := func(t *testing.T, s *Stub, asked int) {
		t.Helper()
		_, err := s.LookupNetIP(t.Context(), "ip4", "feed.example.")
		requireNotFound(t, err, "feed.example.")
		require.Equal(t, asked, sc.count())
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		miss(t, s, 1)
		time.Sleep(29 * time.Second)
		miss(t, s, 1)
		time.Sleep(time.Second)
		ttl = time.Hour
		miss(t, s, 2)
		time.Sleep(5*time.Minute - 1)
		miss(t, s, 2)
		ttl = 0 // no SOA
		time.Sleep(time.Nanosecond)
		miss(t, s, 3)
		miss(t, s, 4)
	})
}

func TestFailureIsKeptForAMoment(t *testing.T) {
	sc := &script{says: func(context.Context, int, netip.AddrPort, question) (*answer, error) { return nil, Refused }}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		for _, asked := range []int{4, 4, 8} {
			_, err := s.LookupNetIP(t.Context(), "ip4", "feed.example.")
			require.ErrorIs(t, err, Refused)
			require.Equal(t, asked, sc.count())
			time.Sleep(600 * time.Millisecond)
		}
	})
}

func TestLeastUsedGoesFirst(t *testing.T) {
	s := newStore(Cache{Size: 2}.filled())
	q := func(name string) question { return question{name, dnsmessage.TypeA} }
	s.put(q("a"), yes(time.Minute, "192.0.2.1"), 0)
	s.put(q("b"), yes(time.Minute, "192.0.2.1"), 0)
	require.NotNil(t, s.get(q("a")))
	s.put(q("c"), yes(time.Minute, "192.0.2.1"), 0)
	require.Nil(t, s.get(q("b")))
	require.NotNil(t, s.get(q("a")))
	require.Len(t, s.entries, 2)
	s.fail(q("d"), errors.New("x"), 0)
	require.Len(t, s.entries, 2)

	s = newStore(Cache{Size: -1}.filled())
	s.put(q("a"), yes(time.Minute, "192.0.2.1"), 0)
	s.fail(q("a"), errors.New("x"), 0)
	require.Empty(t, s.entries)
}

// All who ask the same at once wait for one answer.
func TestOneFlight(t *testing.T) {
	sc := &script{says: func(ctx context.Context, _ int, _ netip.AddrPort, _ question) (*answer, error) {
		return after(ctx, 100*time.Millisecond, yes(time.Minute, "192.0.2.1"), nil)
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				c := t.Context()
				if i == 0 {
					c = ctx
				}
				_, err := s.LookupNetIP(c, "ip4", "feed.example.")
				if (err != nil) != (i == 0) {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 1, sc.count())
	})
}

// A dead first server costs one Stagger, once.
func TestDeadServer(t *testing.T) {
	sc := &script{says: func(ctx context.Context, _ int, server netip.AddrPort, _ question) (*answer, error) {
		if server == one {
			return silent(ctx)
		}
		return yes(time.Minute, "192.0.2.1"), nil
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		begin := time.Now()
		lookup(t, s)
		require.Equal(t, DefaultStagger, time.Since(begin))
		s.Flush()
		begin = time.Now()
		lookup(t, s)
		require.Zero(t, time.Since(begin), "it is asked last now")
		time.Sleep(shunned)
		s.Flush()
		begin = time.Now()
		lookup(t, s)
		require.Equal(t, DefaultStagger, time.Since(begin), "it had its chance")
	})
}

// All silent: each is asked Attempts times, each try waits its whole Timeout.
func TestAllSilent(t *testing.T) {
	sc := &script{says: func(ctx context.Context, _ int, _ netip.AddrPort, _ question) (*answer, error) { return silent(ctx) }}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		begin := time.Now()
		_, err := s.LookupNetIP(t.Context(), "ip4", "feed.example.")
		require.ErrorIs(t, err, ErrNoAnswer)
		require.Equal(t, 3*DefaultStagger+DefaultTimeout, time.Since(begin))
		require.Equal(t, []netip.AddrPort{one, two, one, two}, sc.asks)
		var tries *TriesError
		require.ErrorAs(t, err, &tries)
		require.Len(t, tries.Tries, 4)
		require.Equal(t, DefaultTimeout, tries.Tries[0].Time)
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.True(t, dns.IsTimeout)
	})
}

func TestRotate(t *testing.T) {
	sc := &script{says: func(context.Context, int, netip.AddrPort, question) (*answer, error) { return yes(0, "192.0.2.1"), nil }}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		for range 4 {
			lookup(t, s)
		}
		require.Equal(t, []netip.AddrPort{one, two, one, two}, sc.asks)
	}, func(s *Stub) { s.Config.Rotate = true })
}

// The families are asked beside each other; IPv6 may be a little later.
func TestFamilies(t *testing.T) {
	var late4, late6 time.Duration
	sc := &script{}
	sc.says = func(ctx context.Context, _ int, _ netip.AddrPort, q question) (*answer, error) {
		if q.kind == dnsmessage.TypeA {
			return after(ctx, late4, yes(time.Hour, "192.0.2.1", "192.0.2.2", "192.0.2.3"), nil)
		}
		return after(ctx, late6, yes(time.Hour, "2001:db8::1", "2001:db8::2"), nil)
	}
	both := addrs("2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3")
	ask := func(t *testing.T, s *Stub, want []netip.Addr, took time.Duration, missing error) {
		t.Helper()
		s.Flush()
		begin := time.Now()
		r, err := s.Lookup(t.Context(), "ip", "feed.example.")
		require.NoError(t, err)
		require.Equal(t, took, time.Since(begin))
		var got []netip.Addr
		for _, a := range r.Addrs {
			got = append(got, a.Addr)
		}
		require.Equal(t, want, got)
		require.ErrorIs(t, r.Missing, missing)
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		late4, late6 = 20*time.Millisecond, 60*time.Millisecond
		ask(t, s, both, late6, nil)
		late4, late6 = 400*time.Millisecond, 20*time.Millisecond
		ask(t, s, both, late4, nil)
		late4, late6 = 20*time.Millisecond, 500*time.Millisecond
		ask(t, s, addrs("192.0.2.1", "192.0.2.2", "192.0.2.3"), 70*time.Millisecond, ErrLate)
		time.Sleep(time.Second)
		got, err := s.LookupNetIP(t.Context(), "ip", "feed.example.")
		require.NoError(t, err)
		require.Equal(t, both, got, "kept for next time")
	})
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		late4, late6 = 20*time.Millisecond, 500*time.Millisecond
		ask(t, s, addrs("192.0.2.1", "2001:db8::1", "192.0.2.2", "2001:db8::2", "192.0.2.3"), 520*time.Millisecond, nil)
	}, func(s *Stub) { s.Config.SingleRequest, s.PreferIPv4 = true, true })
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		ask(t, s, addrs("192.0.2.1", "192.0.2.2", "192.0.2.3"), late4, nil)
	}, func(s *Stub) { s.Config.NoAAAA = true })
}

// One family that fails is missing; if the other has nothing, that is a failure.
func TestOneFamilyFails(t *testing.T) {
	four := yes(time.Minute, "192.0.2.1")
	sc := &script{}
	sc.says = func(_ context.Context, _ int, _ netip.AddrPort, q question) (*answer, error) {
		if q.kind == dnsmessage.TypeA {
			return four, nil
		}
		return nil, ServFail
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		r, err := s.Lookup(t.Context(), "ip", "feed.example.")
		require.NoError(t, err)
		require.Len(t, r.Addrs, 1)
		require.ErrorIs(t, r.Missing, ServFail)
		four = no(time.Minute)
		s.Flush()
		_, err = s.LookupNetIP(t.Context(), "ip", "feed.example.")
		require.ErrorIs(t, err, ServFail)
	})
}

// A name is searched for while it is not found; a failure ends the search.
func TestSearch(t *testing.T) {
	known := map[string]*answer{"feed.b.example": yes(time.Minute, "192.0.2.1")}
	sc := &script{}
	var asked []string
	sc.says = func(_ context.Context, _ int, _ netip.AddrPort, q question) (*answer, error) {
		asked = append(asked, q.name)
		if q.name == "down.a.example" {
			return nil, ServFail
		}
		if a := known[q.name]; a != nil {
			return a, nil
		}
		return no(time.Minute), nil
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		r, err := s.Lookup(t.Context(), "ip4", "Feed")
		require.NoError(t, err)
		require.Equal(t, "feed.b.example", r.Name)
		require.Equal(t, "Feed", r.Host)
		require.Equal(t, []string{"feed.a.example", "feed.b.example"}, asked)
		_, err = s.LookupNetIP(t.Context(), "ip4", "down")
		require.ErrorIs(t, err, ServFail)
		require.Equal(t, "down.a.example", asked[len(asked)-1])
		_, err = s.LookupNetIP(t.Context(), "ip4", "feed.")
		requireNotFound(t, err, "feed.")
	}, func(s *Stub) { s.Config.Search, s.Config.Attempts = []string{"a.example", "b.example"}, 1 })
}

// Nobody is asked about these.
func TestNobodyIsAsked(t *testing.T) {
	sc := &script{says: func(context.Context, int, netip.AddrPort, question) (*answer, error) {
		return nil, errors.New("asked")
	}}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		for host, want := range map[string][]netip.Addr{
			"localhost": addrs("::1", "127.0.0.1"), "venue.localhost.": addrs("::1", "127.0.0.1"),
			"192.0.2.1": addrs("192.0.2.1"), "fe80::1%eth0": addrs("fe80::1%eth0"), "::ffff:192.0.2.1": addrs("192.0.2.1"),
			"x.onion": nil, "a.invalid": nil, "a..b": nil, "": nil, "with space": nil,
		} {
			got, err := s.LookupNetIP(t.Context(), "ip", host)
			require.Equal(t, want, got, host)
			if want == nil {
				requireNotFound(t, err, host)
			}
		}
		_, err := s.LookupNetIP(t.Context(), "tcp", "feed")
		require.ErrorIs(t, err, net.UnknownNetworkError("tcp"))
		require.Zero(t, sc.count())
	})
}

func TestOpenAliasIsFollowed(t *testing.T) {
	loop := false
	sc := &script{}
	sc.says = func(_ context.Context, _ int, _ netip.AddrPort, q question) (*answer, error) {
		if loop || q.name == "feed.example" {
			return &answer{exists: true, open: true, canonical: "cdn.example", ttl: time.Second}, nil
		}
		a := yes(time.Minute, "192.0.2.1")
		a.canonical = q.name
		return a, nil
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		r, err := s.Lookup(t.Context(), "ip4", "feed.example.")
		require.NoError(t, err)
		require.Equal(t, "cdn.example", r.Addrs[0].Canonical)
		require.Equal(t, time.Second, r.Addrs[0].TTL, "the least on the way")
		loop = true
		_, err = s.LookupNetIP(t.Context(), "ip4", "loop.example.")
		require.ErrorIs(t, err, ErrChain)
	})
}

func TestMaxQuestions(t *testing.T) {
	running, most := 0, 0
	var mu sync.Mutex
	sc := &script{}
	sc.says = func(ctx context.Context, _ int, _ netip.AddrPort, _ question) (*answer, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		defer func() { mu.Lock(); running--; mu.Unlock() }()
		return after(ctx, 10*time.Millisecond, yes(time.Minute, "192.0.2.1"), nil)
	}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				if _, err := s.LookupNetIP(t.Context(), "ip4", string(rune('a'+i))+".example."); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 3, most)
	}, func(s *Stub) { s.MaxQuestions = 3 })
}

func TestClose(t *testing.T) {
	sc := &script{says: func(ctx context.Context, _ int, _ netip.AddrPort, _ question) (*answer, error) { return silent(ctx) }}
	inBubble(t, sc, func(t *testing.T, s *Stub) {
		done := make(chan error)
		go func() {
			_, err := s.LookupNetIP(context.Background(), "ip", "feed.example.")
			done <- err
		}()
		synctest.Wait()
		require.NoError(t, s.Close())
		err := <-done
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = s.LookupNetIP(t.Context(), "ip", "feed.example.")
		require.ErrorIs(t, err, ErrClosed)
	})
}
