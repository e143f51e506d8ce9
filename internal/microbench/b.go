package microbench

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

// Case is one operation to measure.
type Case struct {
	Name   string // a topic, a dot, what is done: "clock.nanotime"
	What   string // one sentence: what one operation is
	Needs  Needs
	Blocks bool // it sleeps in the kernel: that it does not run is no disturbance
	Clock  bool // it reads the machine's clock: a slow clock source is worth a mark
	Run    func(*B) error
}

// Needs says on which CPUs a case is measured.
type Needs uint8

// The needs.
const (
	One     Needs = iota // each CPU
	Served               // each CPU, and the nearest other core for the other side
	Pairs                // each pair of CPUs
	Nearest              // the first pair of each distance
)

// Sink keeps the compiler from dropping work whose result nobody wants: cases
// add to it once a batch. It means nothing.
var Sink uint64

// Bounds of sampling.
const (
	maxSamples   = 1 << 14                // of one round
	maxBatch     = 1 << 30                // operations
	minBatchTime = 20 * time.Microsecond  // so that the two readings of the clock are nothing
	maxBatchTime = 200 * time.Microsecond // so that a batch mostly falls between two interrupts
	perRound     = 500                    // batches that a round is to have, between these two
)

// B is what a case measures with. One goroutine uses it, locked to a thread on CPU.
type B struct {
	CPU  int
	Peer int // the CPU of [B.Beside]; CPU itself: there is no other

	now     func() int64
	time    int64 // to spend, ns
	samples []float64
	batch   int // operations a sample; 0: Each

	ended  func() bool // nobody waits for the rest
	pin    func(int) error
	ran    func(thread int) int64 // CPU time of a thread, ns
	others []*companion
	usage  []usage // of this thread and the others, while samples were taken

	_       [128]byte // what companions look at stays in their caches
	stopped atomic.Bool
	_       [128]byte
}

// Shared says that both sides have one CPU and must give it to each other.
func (b *B) Shared() bool { return b.Peer == b.CPU }

// Batches measures op, which does the work n times, until the time is spent. How
// large n is comes from trying. op must not let the compiler see that a result is
// not wanted, see [Sink].
func (b *B) Batches(op func(n int)) {
	target := min(max(b.time/perRound, int64(minBatchTime)), int64(maxBatchTime))
	warm := b.now() + b.time/10
	n := b.calibrate(op, target)
	for b.now() < warm && !b.ended() {
		op(n)
	}
	b.batch = n
	b.until(func() float64 {
		from := b.now()
		op(n)
		return float64(b.now()-from) / float64(n)
	})
}

// calibrate finds how many operations take the target time, or nearly. An
// interruption, or memory that is touched first, makes a batch look long enough, so
// the shorter of two decides.
func (b *B) calibrate(op func(n int), target int64) int {
	took := func(n int) int64 {
		from := b.now()
		op(n)
		return b.now() - from
	}
	enough := target * 9 / 10
	for n := 1; ; {
		t := took(n)
		if t >= enough {
			t = min(t, took(n))
		}
		if t >= enough || n >= maxBatch {
			return n
		}
		more := 100.0
		if t > 0 {
			more = min(1.1*float64(target)/float64(t), more)
		}
		n = min(max(int(float64(n)*more), n+1), maxBatch)
	}
}

// Each measures one observation a call, in nanoseconds: what op returns.
func (b *B) Each(op func() int64) {
	warm := b.now() + b.time/10
	for op(); b.now() < warm && !b.ended(); {
		op()
	}
	b.batch = 0
	b.until(func() float64 { return float64(op()) })
}

// until takes samples until the time is spent or the run ended, one at least.
func (b *B) until(sample func() float64) {
	b.usage = nil // a case that measures twice keeps the second
	b.samples = b.samples[:0]
	b.look(-1)
	for end := b.now() + b.time; len(b.samples) < cap(b.samples); {
		b.samples = append(b.samples, sample())
		if b.now() >= end || b.ended() {
			break
		}
	}
	b.look(1)
}

// look adds up what each thread had: sign -1 at the start, 1 at the end.
func (b *B) look(sign int64) {
	if b.usage == nil {
		b.usage = make([]usage, 1+len(b.others))
	}
	for i := range b.usage {
		thread := 0
		if i > 0 {
			thread = b.others[i-1].thread
		}
		b.usage[i] = b.usage[i].add(usage{sign * b.now(), sign * b.ran(thread)})
	}
}

// Now is the time in nanoseconds, for what is given to Each.
func (b *B) Now() int64 { return b.now() }

// companion is a goroutine on the CPU of the peer.
type companion struct {
	done   chan struct{}
	thread int
	err    error
}

// Beside starts f on a thread of its own, pinned to Peer, and returns when it is
// there. After the case has returned *stop becomes true and f must return; what
// f may be blocked in, the case ends before it returns.
func (b *B) Beside(f func(stop *atomic.Bool) error) error {
	c := &companion{done: make(chan struct{})}
	ready := make(chan error)
	go func() { // ends locked, and its thread with it
		runtime.LockOSThread()
		defer close(c.done)
		err := b.pin(b.Peer)
		c.thread = threadID()
		ready <- err
		if err == nil {
			c.err = f(&b.stopped)
		}
	}()
	if err := <-ready; err != nil {
		return err
	}
	b.others = append(b.others, c)
	return nil
}

// join ends the companions.
func (b *B) join() (err error) {
	b.stopped.Store(true)
	for _, c := range b.others {
		<-c.done
		if c.err != nil && err == nil {
			err = fmt.Errorf("on CPU %d: %w", b.Peer, c.err)
		}
	}
	return err
}
