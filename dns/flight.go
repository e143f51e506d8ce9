package dns

import (
	"context"
	"errors"
	"time"
)

// flight is a question that is being put to the servers. All who ask the same
// meanwhile wait for the same flight. When the last of them has gone, it ends,
// unless it is in the background.
type flight struct {
	done    chan struct{} // closed at the end
	answer  *answer       // then
	expires int64
	err     error

	waiting int // under Stub.mu
	cancel  context.CancelFunc
	log     log
}

// outcome is what has come of a question.
type outcome struct {
	answer  *answer
	from    Source
	expires int64
	err     error
}

// pending is a question that has been begun: an outcome, or a flight to wait for.
type pending struct {
	outcome
	stub   *Stub
	q      question
	flight *flight // nil: there is the outcome
	stale  bool    // the outcome is there for when the flight is not
}

// begin looks q up in the cache and, where that does not do, has it asked. It
// does not wait.
func (s *Stub) begin(c *Config, q question) pending {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := pending{stub: s, q: q}
	if s.closed {
		p.err = ErrClosed
		return p
	}
	e := s.store.get(q)
	if e != nil && e.fresh(now) {
		p.outcome = outcome{answer: e.answer, from: Cached, expires: e.expires}
		if now >= e.refresh && s.policy.Prefetch > 0 && len(e.answer.addrs) > 0 && !e.failed(now) && s.flights[q] == nil {
			s.start(c, q) // nobody ever leaves it
		}
		return p
	}
	if e != nil && e.usable(now) {
		p.outcome, p.stale = outcome{answer: e.answer, from: Stale, expires: e.expires}, true
	}
	if e != nil && e.failed(now) {
		if !p.stale {
			p.err = e.failure
		}
		return p
	}
	p.flight = s.flights[q]
	if p.flight == nil {
		p.flight = s.start(c, q)
	} else {
		p.flight.waiting++
	}
	return p
}

// start begins a flight that one waits for. s.mu is held.
func (s *Stub) start(c *Config, q question) *flight {
	ctx, cancel := context.WithCancel(s.life)
	f := &flight{done: make(chan struct{}), waiting: 1, cancel: cancel}
	s.flights[q] = f
	s.running.Go(func() {
		defer cancel()
		a, err := s.fetch(ctx, c, q, &f.log)
		now := s.now()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.flights[q] == f {
			delete(s.flights, q)
		}
		switch {
		case err == nil:
			s.store.put(q, a, now)
			if e := s.store.get(q); e != nil {
				f.expires = e.expires
			} else {
				f.expires = now + int64(a.ttl)
			}
		case ctx.Err() == nil:
			s.store.fail(q, err, now)
		}
		f.answer, f.err = a, err
		close(f.done)
	})
	return f
}

// leave says that one waits no longer.
func (s *Stub) leave(q question, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		if s.flights[q] == f {
			delete(s.flights, q)
		}
		f.cancel()
	}
}

// wait waits for the flight until ctx ends, or staleAfter where there is a stale
// answer, or enough. After the latter two the flight goes on in the background.
func (p *pending) wait(ctx, staleAfter context.Context, enough <-chan time.Time) outcome {
	if p.flight == nil {
		return p.outcome
	}
	var late <-chan struct{}
	if p.stale {
		late = staleAfter.Done()
	}
	select {
	case <-p.flight.done:
		return p.landed()
	default:
	}
	select {
	case <-p.flight.done:
		return p.landed()
	case <-ctx.Done():
		p.stub.leave(p.q, p.flight)
		return outcome{err: ended(ctx, p.flight.log.failures(p.stub.now()))}
	case <-late:
		return p.outcome
	case <-enough:
		if p.stale {
			return p.outcome
		}
		return outcome{err: ErrLate}
	}
}

func (p *pending) landed() outcome {
	f := p.flight
	switch {
	case f.err == nil:
		return outcome{answer: f.answer, from: Server, expires: f.expires}
	case p.stale && !errors.Is(f.err, ErrClosed):
		return p.outcome
	}
	return outcome{err: f.err}
}

// staleAfter is the time at which stale answers are taken, as a context so that
// two questions can wait for it.
func (s *Stub) staleAfter(ctx context.Context, stale bool) (context.Context, context.CancelFunc) {
	if !stale {
		return ctx, func() {}
	}
	d := s.policy.StaleAfter
	if end, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(end)/2)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}
