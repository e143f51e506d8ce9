package dns

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// fetch has q answered by the servers, and follows aliases that their answers
// leave open.
func (s *Stub) fetch(ctx context.Context, c *Config, q question, l *log) (*answer, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	a, err := s.race(ctx, c, q, l)
	for hops := 0; err == nil && a.open; hops++ {
		if hops == MaxChain {
			t := l.begin(Try{Server: a.server, Type: q.kindName()}, s.now())
			l.end(t, a.transport, a.rtt, ErrChain)
			return nil, l.failures(s.now())
		}
		next, e := s.race(ctx, c, question{a.canonical, q.kind}, l)
		if e == nil {
			next.ttl = min(next.ttl, a.ttl)
			next.rtt += a.rtt
		}
		a, err = next, e
	}
	return a, err
}

// race puts q to one server after the other: the next one is asked when the one
// before has failed, or has not answered within Stagger; all are listened to for
// their Timeout. The first answer wins and ends the other tries. It returns when
// all of them have ended. l is told of each.
func (s *Stub) race(ctx context.Context, c *Config, q question, l *log) (*answer, error) {
	order := s.servers.order(c, s.now())
	tries, giveUp := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer giveUp()
	type result struct {
		index  int
		answer *answer
		err    error
	}
	results := make(chan result, len(order)) // room for all: none waits
	delay := min(or(max(0, s.Stagger), DefaultStagger), c.Timeout)
	stagger := time.NewTimer(delay)
	defer stagger.Stop()

	started, failed := 0, 0
	silent := make(map[int]netip.AddrPort) // tries that the next one did not wait for
	start := func() {
		i := started
		started++
		stagger.Reset(delay)
		running.Go(func() {
			a, err := s.try(tries, c, order[i], q, l)
			results <- result{i, a, err}
		})
	}
	start()
	for failed < len(order) {
		select {
		case r := <-results:
			delete(silent, r.index)
			if r.err == nil {
				s.servers.answered(order[r.index])
				for _, server := range silent {
					if server != order[r.index] {
						s.servers.silent(server, s.now())
					}
				}
				return r.answer, nil
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			failed++
			if started < len(order) {
				start()
			}
		case <-stagger.C:
			silent[started-1] = order[started-1]
			if started < len(order) {
				start()
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, l.failures(s.now())
}

// try asks one server, without EDNS if it does not understand it.
func (s *Stub) try(ctx context.Context, c *Config, server netip.AddrPort, q question, l *log) (*answer, error) {
	limited, cancel := context.WithTimeoutCause(ctx, c.Timeout, ErrNoAnswer)
	defer cancel()
	begin := s.now()
	t := l.begin(Try{Server: server, Type: q.kindName(), Transport: UDP}, begin)
	edns := !c.NoEDNS && !s.servers.knowsNoEDNS(server, begin)
	a, transport, err := s.ask(limited, server, q, c.TCP, edns)
	// RFC 6891, section 7; some say NOTIMP or, to a version they do not have, BADVERS.
	if edns && (errors.Is(err, FormErr) || errors.Is(err, NotImp) || errors.Is(err, BadVers)) {
		if a, transport, err = s.ask(limited, server, q, c.TCP, false); err == nil {
			s.servers.withoutEDNS(server, s.now())
		}
	}
	took := time.Duration(s.now() - begin)
	l.end(t, transport, took, err)
	if err != nil {
		if ctx.Err() == nil && !said(err) {
			s.servers.silent(server, s.now())
		}
		return nil, err
	}
	a.origin = origin{server, transport, took}
	return a, nil
}

// said reports whether err is what a server has said, as opposed to silence.
func said(err error) bool {
	_, code := errors.AsType[RCode](err)
	return code || errors.Is(err, ErrMalformed) || errors.Is(err, ErrLame) || errors.Is(err, ErrChain)
}
