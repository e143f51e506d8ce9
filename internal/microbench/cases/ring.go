package cases

import (
	"sync/atomic"

	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

// rings are what a message between reactors costs: claimed, filled in place,
// published, peeked, read in place, released.
func rings() []microbench.Case {
	return []microbench.Case{
		{Name: "ring.one-thread", What: "a message of 64 bytes into a ring and out of it, by one thread", Run: ringOneThread},
		{Name: "ring.one-way", What: "a message of 64 bytes from CPU to CPU, as many as pass", Needs: microbench.Nearest, Run: ringOneWay(1)},
		{Name: "ring.one-way-16", What: "the same, claimed, published and released 16 at a time", Needs: microbench.Nearest, Run: ringOneWay(16)},
		{Name: "ring.round-trip", What: "a message of 64 bytes through a ring, and its answer through another one", Needs: microbench.Nearest, Run: ringRoundTrip},
	}
}

// message fills a cache line.
type message struct{ seq, a, b, c, d, e, f, g uint64 }

func (m *message) fill(seq uint64) {
	m.seq, m.a, m.b, m.c = seq, seq+1, seq+2, seq+3
	m.d, m.e, m.f, m.g = seq+4, seq+5, seq+6, seq+7
}

func (m *message) sum() uint64 { return m.seq + m.a + m.b + m.c + m.d + m.e + m.f + m.g }

func newRing() (*ring.Ring[message], error) { return ring.New[message](ring.Config{}) }

func ringOneThread(b *microbench.B) error {
	r, err := newRing()
	if err != nil {
		return err
	}
	b.Batches(func(n int) {
		var sum uint64
		for i := range n {
			m, _ := r.Claim() // there is room: it was emptied
			m.fill(uint64(i))
			r.Publish()
			sum += r.Peek().sum()
			r.Release()
		}
		microbench.Sink += sum
	})
	return nil
}

// ringOneWay ends each batch when the consumer has all of it.
func ringOneWay(size int) func(*microbench.B) error {
	return func(b *microbench.B) error {
		r, err := newRing()
		if err != nil {
			return err
		}
		consume := consumeOne
		if size > 1 {
			consume = consumeBatches
		}
		if err := b.Beside(func(stop *atomic.Bool) error { consume(r, size, stop); return nil }); err != nil {
			return err
		}
		b.Batches(func(n int) {
			for left := n; left > 0; {
				if size == 1 {
					if m, res := r.Claim(); res == ring.Accepted {
						m.fill(uint64(left))
						r.Publish()
						left--
					}
					continue
				}
				slots, _ := r.ClaimBatch(min(size, left)) // none while it is full
				for i := range slots {
					slots[i].fill(uint64(left - i))
				}
				r.PublishBatch(len(slots))
				left -= len(slots)
			}
			for r.Len() > 0 {
			}
		})
		return nil
	}
}

func consumeOne(r *ring.Ring[message], _ int, stop *atomic.Bool) {
	var sum uint64
	for {
		if m := r.Peek(); m != nil {
			sum += m.sum()
			r.Release()
		} else if stop.Load() {
			atomic.AddUint64(&consumed, sum)
			return
		}
	}
}

func consumeBatches(r *ring.Ring[message], size int, stop *atomic.Bool) {
	var sum uint64
	for {
		some := r.PeekBatch(size)
		for i := range some {
			sum += some[i].sum()
		}
		r.ReleaseBatch(len(some))
		if len(some) == 0 && stop.Load() {
			atomic.AddUint64(&consumed, sum)
			return
		}
	}
}

// consumed is the Sink of other threads.
var consumed uint64

func ringRoundTrip(b *microbench.B) error {
	there, err := newRing()
	if err != nil {
		return err
	}
	back, err := newRing()
	if err != nil {
		return err
	}
	err = b.Beside(func(stop *atomic.Bool) error {
		for {
			m := there.Peek()
			if m == nil {
				if stop.Load() {
					return nil
				}
				continue
			}
			answer, _ := back.Claim() // one message is under way
			answer.fill(m.sum())
			back.Publish()
			there.Release()
		}
	})
	if err != nil {
		return err
	}
	b.Batches(func(n int) {
		var sum uint64
		for i := range n {
			m, _ := there.Claim()
			m.fill(uint64(i))
			there.Publish()
			answer := back.Peek()
			for answer == nil {
				answer = back.Peek()
			}
			sum += answer.sum()
			back.Release()
		}
		microbench.Sink += sum
	})
	return nil
}
