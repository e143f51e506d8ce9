package reactor

import (
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
)

// Renewal replaces a connection of an endpoint before it gets too old: make
// before break. One timer a slot, renew, drives it:
//
//	current opens ── TimeToLive ──► OnExpire? ── not now ──► asked again later
//	                                   │ yes
//	                                   ▼
//	                 next is set up ──lost──► back-off ──► set up again
//	                                   │ opens: both deliver
//	                                   ▼
//	             Overlap, or Ready on next, or the loss of current
//	                                   ▼
//	            next becomes current; the old one is leaving: it is closed

// renewalDue is what the timer does.
func (r *Reactor) renewalDue(s *slot) {
	n, c := s.conns[next], s.conns[current]
	switch {
	case n != nil && n.machine.State() == endpoint.Open:
		r.promote(s)
	case n != nil, c == nil, c.machine.State() != endpoint.Open:
		// A set-up has its own deadlines, and without an open connection there
		// is nothing to renew.
	default:
		if s.renewals == 0 && s.expirer != nil { // not a retry
			again, err := r.callExpire(s.expirer)
			if err != nil {
				r.lose(c, err)
				return
			}
			if again > 0 {
				r.timers.set(&s.renew, r.now+int64(again))
				return
			}
		}
		at := s.reserve(r.now)
		if r.replay != nil {
			at = r.replayRetry(s, at)
		}
		r.recordRetry(s, at)
		if at > r.now {
			r.timers.set(&s.renew, at)
			return
		}
		r.connect(s, next)
	}
}

// opened arms the renewal of a connection that has opened.
func (r *Reactor) opened(c *conn) {
	s := c.slot
	switch c.role {
	case current:
		s.renewals = 0
		if ttl := s.policy.TimeToLive; ttl > 0 {
			r.timers.set(&s.renew, c.machine.OpenedAt()+int64(ttl))
		}
	case next:
		r.timers.set(&s.renew, r.now+max(int64(s.policy.Overlap), 1))
	}
}

// promote makes the next connection the current one, open or not.
func (r *Reactor) promote(s *slot) {
	n, old := s.conns[next], s.conns[current]
	s.conns[next], s.conns[current] = nil, n
	n.role = current
	r.timers.set(&s.renew, 0)
	if n.hot != nil {
		if p, ok := n.hot.(endpoint.Promoter); ok {
			p.OnPromote()
		}
		r.opened(n)
	}
	r.publish(s, endpoint.Event{Conn: n.id, State: n.machine.State()})
	if old == nil || old.dead {
		return
	}
	if last := s.conns[leaving]; last != nil {
		r.lose(last, endpoint.ErrReplaced)
	}
	old.role = leaving
	s.conns[leaving] = old
	r.close(old)
}

// renewalLost goes on after the loss of a connection that was to renew.
func (r *Reactor) renewalLost(s *slot, e endpoint.Event, delay time.Duration, giveUp bool) {
	e.State, e.Delay = endpoint.Backoff, delay
	if giveUp {
		s.renewals = 0
		e.State, e.Delay = endpoint.Closed, s.policy.TimeToLive
	}
	r.timers.set(&s.renew, r.now+max(int64(e.Delay), 1))
	r.observe(s, e)
}

func (r *Reactor) callExpire(h endpoint.ExpireHandler) (again time.Duration, err error) {
	if r.isolate {
		defer recovered(&err)
	}
	return h.OnExpire(), nil
}
