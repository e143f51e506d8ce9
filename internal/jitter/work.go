package jitter

// worker does work like a handler's: it walks through a buffer as a parser does
// and sums it up. It has no system call and allocates nothing.
type worker struct {
	buf [4096]byte
	at  int
	sum uint64
}

// chunk is how much is done between two looks at the clock: some tens of
// nanoseconds.
const chunk = 64

//go:noinline
func (w *worker) step() {
	const prime = 1099511628211 // of FNV-1a
	for _, b := range w.buf[w.at : w.at+chunk] {
		w.sum = (w.sum ^ uint64(b)) * prime
	}
	w.at = (w.at + chunk) % len(w.buf)
	w.buf[w.at] = byte(w.sum)
}

// until works until the time end by the detector's clock and returns the time.
func (w *worker) until(d *Detector, end int64) (now int64) {
	for now = d.last; now < end; now = d.Step() {
		w.step()
	}
	return now
}
