package dns

import (
	"container/list"
	"time"
)

// Cache says what a [Stub] keeps, and for how long. The zero value keeps 4096
// answers for as long as their TTLs say, and uses them for a day longer when no
// server answers. Durations below 0 are 0, where nothing else is said.
type Cache struct {
	// Size is how many answers are kept, one for each name and family; the one
	// unused for longest goes first. Default 4096; negative: none are kept.
	Size int
	// MinTTL is the least time that addresses are kept. Default 0.
	MinTTL time.Duration
	// MaxTTL is the most. Default 24 h.
	MaxTTL time.Duration
	// MaxNegativeTTL is the longest that the denial of a name is kept; without
	// it the zone's SOA decides (RFC 2308, section 5). Default 5 min.
	MaxNegativeTTL time.Duration
	// FailureTTL is for how long a name about which all servers have failed is
	// not asked for again (RFC 9520, section 3.2). Default 1 s.
	FailureTTL time.Duration

	// MaxStale is for how long after their TTL addresses are still used when no
	// server gives better ones (RFC 8767). Default 24 h; negative: not at all.
	MaxStale time.Duration
	// StaleAfter is how long a lookup that could be answered so waits for the
	// servers (RFC 8767, section 5: client response timer); half of the time
	// that its ctx has left, if that is less. Default 1.8 s.
	StaleAfter time.Duration
	// StaleRecheck is how long after a failure such addresses are used without
	// asking again (failure recheck timer). Default 30 s.
	StaleRecheck time.Duration

	// Prefetch is the last part of the TTL, in per cent, in which a hit has the
	// answer fetched anew in the background. Default 10, at most 90; negative: none.
	Prefetch int
}

// maxKept keeps every sum of times far from overflow.
const maxKept = 365 * 24 * time.Hour

// filled is c with the defaults in it.
func (c Cache) filled() Cache {
	for _, d := range []struct {
		value *time.Duration
		unset time.Duration
	}{
		{&c.MinTTL, 0},
		{&c.MaxTTL, 24 * time.Hour},
		{&c.MaxNegativeTTL, 5 * time.Minute},
		{&c.FailureTTL, time.Second},
		{&c.MaxStale, 24 * time.Hour},
		{&c.StaleAfter, 1800 * time.Millisecond},
		{&c.StaleRecheck, 30 * time.Second},
	} {
		switch {
		case *d.value == 0:
			*d.value = d.unset
		case *d.value < 0:
			*d.value = 0
		}
		*d.value = min(*d.value, maxKept)
	}
	switch {
	case c.Size == 0:
		c.Size = 4096
	case c.Size < 0:
		c.Size = 0
	}
	switch {
	case c.Prefetch == 0:
		c.Prefetch = 10
	case c.Prefetch < 0:
		c.Prefetch = 0
	}
	c.Prefetch = min(c.Prefetch, 90)
	return c
}

// entry is what is known about a question.
//
//	kept ──── fresh ────→ refresh ── fresh, fetched anew on a hit ──→ expires ── stale ──→ expires + MaxStale
//	                         failedUntil: nobody is asked before
type entry struct {
	question
	answer  *answer // nil: none was ever had
	refresh int64
	expires int64
	stale   int64 // until when

	failure     error
	failedUntil int64
}

func (e *entry) fresh(now int64) bool { return e.answer != nil && now < e.expires }
func (e *entry) usable(now int64) bool {
	return e.answer != nil && len(e.answer.addrs) > 0 && now < e.stale
}
func (e *entry) failed(now int64) bool { return e.failure != nil && now < e.failedUntil }

// store keeps entries, those used last in front. It is not safe for several
// goroutines. Times are those of the Stub's clock.
type store struct {
	policy  Cache // filled
	entries map[question]*list.Element
	used    list.List
}

func newStore(policy Cache) store {
	return store{policy: policy, entries: make(map[question]*list.Element)}
}

// get returns what is known about q, or nil.
func (s *store) get(q question) *entry {
	e, ok := s.entries[q]
	if !ok {
		return nil
	}
	s.used.MoveToFront(e)
	return e.Value.(*entry)
}

// put keeps the answer to q, had at now.
func (s *store) put(q question, a *answer, now int64) {
	ttl := a.ttl
	if len(a.addrs) > 0 {
		ttl = max(min(ttl, s.policy.MaxTTL), s.policy.MinTTL)
	} else {
		ttl = min(ttl, s.policy.MaxNegativeTTL)
	}
	if !a.keep {
		s.drop(q)
		return
	}
	e := s.entry(q)
	if e == nil {
		return
	}
	*e = entry{question: q, answer: a, expires: now + int64(ttl)}
	e.refresh = e.expires - int64(ttl)/100*int64(s.policy.Prefetch)
	e.stale = e.expires + int64(s.policy.MaxStale)
}

// fail notes that the servers have not answered q. What was known stays.
func (s *store) fail(q question, err error, now int64) {
	e := s.entry(q)
	if e == nil {
		return
	}
	pause := s.policy.FailureTTL
	if e.usable(now) {
		pause = s.policy.StaleRecheck
	} else {
		e.answer = nil
	}
	e.failure, e.failedUntil = err, now+int64(pause)
}

// expire ends the time of all answers; stale use of them remains.
func (s *store) expire(now int64) {
	for _, e := range s.entries {
		e := e.Value.(*entry)
		e.expires, e.failure = min(e.expires, now), nil
	}
}

// entry finds or makes the entry of q, in place of the least used one if need be.
func (s *store) entry(q question) *entry {
	if e := s.get(q); e != nil || s.policy.Size == 0 {
		return e
	}
	if len(s.entries) >= s.policy.Size {
		s.drop(s.used.Back().Value.(*entry).question)
	}
	e := &entry{question: q}
	s.entries[q] = s.used.PushFront(e)
	return e
}

func (s *store) drop(q question) {
	if e, ok := s.entries[q]; ok {
		s.used.Remove(e)
		delete(s.entries, q)
	}
}
