package reactor

import "sync/atomic"

// A wait that turns in memory ends when one of the watched words changes: the
// mailbox's tail, the stop flag, the published count of each ring in. The words
// belong to others; a wait loads them and never writes.
//
// The order is: sample, find mailbox and rings empty, wait. What was published
// before the sample is found, what is published after it changes a word.

// watched is a word, and what it held at the last sample.
type watched struct {
	at   *uint64
	seen uint64
}

// watch adds a word that ends a wait. Reactor only, or before it runs.
func (r *Reactor) watch(at *uint64) {
	r.watches = append(r.watches, watched{at, atomic.LoadUint64(at)})
}

// unwatch takes a word back. Reactor only.
func (r *Reactor) unwatch(at *uint64) {
	for i := range r.watches {
		if r.watches[i].at == at {
			last := len(r.watches) - 1
			r.watches[i] = r.watches[last]
			r.watches[last] = watched{}
			r.watches = r.watches[:last]
			return
		}
	}
}

// sample notes what the watched words hold. Reactor only.
func (r *Reactor) sample() {
	for i := range r.watches {
		w := &r.watches[i]
		w.seen = atomic.LoadUint64(w.at)
	}
}

// flag is a bool in a word of its own, which can be watched.
type flag struct{ v uint64 }

// Load reports whether the flag is up. Any goroutine.
func (f *flag) Load() bool { return atomic.LoadUint64(&f.v) != 0 }

// Raise puts the flag up. Any goroutine.
func (f *flag) Raise() { atomic.StoreUint64(&f.v, 1) }
