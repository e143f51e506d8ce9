package reactor

import (
	"sync/atomic"

	"github.com/boomnet-go/boomnet/reactor/selector"
)

// A wait that turns in memory ends when one of the watched words changes: the
// mailbox's tail, the stop flag, the published count of each ring in. The words
// belong to others; a wait loads them and never writes.
//
// The order is: sample, find mailbox and rings empty, wait. What was published
// before the sample is found, what is published after it changes a word.

// watch adds a word that ends a wait. Reactor only, or before it runs.
func (r *Reactor) watch(at *uint64) {
	r.waiter.Words = append(r.waiter.Words, selector.Word{At: at, Seen: atomic.LoadUint64(at)})
}

// unwatch takes a word back. Reactor only.
func (r *Reactor) unwatch(at *uint64) {
	for i := range r.waiter.Words {
		if r.waiter.Words[i].At == at {
			last := len(r.waiter.Words) - 1
			r.waiter.Words[i] = r.waiter.Words[last]
			r.waiter.Words[last] = selector.Word{}
			r.waiter.Words = r.waiter.Words[:last]
			return
		}
	}
}

// sample notes what the watched words hold. Reactor only.
func (r *Reactor) sample() {
	for i := range r.waiter.Words {
		w := &r.waiter.Words[i]
		w.Seen = atomic.LoadUint64(w.At)
	}
}

// flag is a bool in a word of its own, which can be watched.
type flag struct{ v uint64 }

// Load reports whether the flag is up. Any goroutine.
func (f *flag) Load() bool { return atomic.LoadUint64(&f.v) != 0 }

// Raise puts the flag up. Any goroutine.
func (f *flag) Raise() { atomic.StoreUint64(&f.v, 1) }
