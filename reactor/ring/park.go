package ring

import "sync/atomic"

// line is two cache lines: the unit that processors with an adjacent-line
// prefetcher pass between cores.
const line = 128

// shared is what both kinds of ring have and neither side writes often.
type shared struct {
	wake   func()
	closed atomic.Bool
	_      [line]byte
	parked atomic.Bool
	_      [line]byte
}

// notify wakes the consumer if it is parked. What it is woken for must have been
// stored sequentially consistent before.
func (s *shared) notify() {
	if s.parked.Load() && s.parked.Swap(false) && s.wake != nil {
		s.wake()
	}
}

// Close ends the ring for its producer; the consumer still gets what was published.
// A parked consumer is woken. Any goroutine may call it, more than once.
func (s *shared) Close() {
	s.closed.Store(true)
	s.notify()
}

// IsClosed says whether Close was called. Any goroutine may call it. A consumer
// that saw it true and then an empty ring is done, once the producer has stopped.
func (s *shared) IsClosed() bool { return s.closed.Load() }

// Unpark takes the flag of Park back after the consumer woke up, by Wake or by
// itself. Consumer only.
func (s *shared) Unpark() { s.parked.Store(false) }
