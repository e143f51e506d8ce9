package reactor

import (
	"sync"
	"sync/atomic"
	"time"
)

// housekeeper does what would block or wake somebody, on the reactor's behalf:
// it starts set-ups and closes descriptors. The reactor hands it tasks through a
// ring that it polls each millisecond, so that giving it work costs the reactor
// a store, never a wake-up.
type housekeeper struct {
	cells    [housekeeperRing]task
	head     atomic.Uint64 // next to take
	_        [64]byte
	tail     atomic.Uint64 // next to fill
	overflow []task        // the reactor's own: what did not fit
	quit     chan struct{}
	done     chan struct{}
	running  sync.WaitGroup // set-ups under way
}

// task is something to do; apart runs it on a goroutine of its own, for it may
// take long.
type task struct {
	run   func()
	apart bool
}

const (
	housekeeperRing  = 1024 // a power of two
	housekeeperPause = time.Millisecond
)

func newHousekeeper() *housekeeper {
	h := &housekeeper{quit: make(chan struct{}), done: make(chan struct{})}
	go h.loop()
	return h
}

// give hands a task over; later, when the ring is full. Reactor only.
func (h *housekeeper) give(t task) {
	h.refill()
	if len(h.overflow) > 0 || !h.put(t) {
		h.overflow = append(h.overflow, t)
	}
}

// refill moves what did not fit before into the ring. The reactor calls it each
// turn; nearly always there is nothing.
func (h *housekeeper) refill() {
	if len(h.overflow) == 0 {
		return
	}
	n := 0
	for n < len(h.overflow) && h.put(h.overflow[n]) {
		n++
	}
	h.overflow = append(h.overflow[:0], h.overflow[n:]...)
	clear(h.overflow[len(h.overflow):cap(h.overflow)])
}

func (h *housekeeper) put(t task) bool {
	tail := h.tail.Load()
	if tail-h.head.Load() == housekeeperRing {
		return false
	}
	h.cells[tail%housekeeperRing] = t
	h.tail.Store(tail + 1)
	return true
}

func (h *housekeeper) loop() {
	defer close(h.done)
	tick := time.NewTicker(housekeeperPause)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			h.work()
		case <-h.quit:
			h.work()
			return
		}
	}
}

func (h *housekeeper) work() {
	for head := h.head.Load(); head != h.tail.Load(); head++ {
		t := h.cells[head%housekeeperRing]
		h.cells[head%housekeeperRing] = task{}
		h.head.Store(head + 1)
		if !t.apart {
			t.run()
			continue
		}
		h.running.Go(t.run)
	}
}

// stop does what is left and waits for the set-ups to end, which were told to:
// one that does not obey its context within limit is left behind. Nothing may be
// given to it from now on.
func (h *housekeeper) stop(limit time.Duration) {
	close(h.quit)
	<-h.done
	for _, t := range h.overflow {
		t.run()
	}
	h.overflow = nil
	ended := make(chan struct{})
	go func() {
		h.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(limit):
	}
}
