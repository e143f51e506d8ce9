package ring

// Park announces that the consumer is about to sleep. True: it may, and Wake is
// called for the next message or Close; Unpark follows. False: there is something
// to do, a message or a ring closed, and no Wake for this Park is owed; one may
// have come. Consumer only.
//
// On a ring without Wake true only means that nothing was there: nobody will end
// the sleep, so it must be bounded.
func (c *core) Park() bool {
	c.parked.Store(1)
	if c.Empty() && c.closed.Load() == 0 {
		return true
	}
	c.parked.Store(0)
	return false
}

// Unpark takes the flag of Park back after the consumer woke up, by Wake or by
// itself. Consumer only.
func (c *core) Unpark() { c.parked.Store(0) }

// notify wakes the consumer if it is parked. What it is woken for must have been
// stored sequentially consistent before.
func (c *core) notify() {
	if c.parked.Load() == 1 && c.parked.Swap(0) == 1 && c.wake != nil {
		c.wake()
	}
}

// Close ends the ring for its producer; the consumer still gets what was published.
// A parked consumer is woken. Any goroutine may call it, more than once.
func (c *core) Close() {
	c.closed.Store(1)
	c.notify()
}

// IsClosed says whether Close was called. Any goroutine may call it. A consumer
// that saw it true and then an empty ring is done, once the producer has stopped.
func (c *core) IsClosed() bool { return c.closed.Load() != 0 }
