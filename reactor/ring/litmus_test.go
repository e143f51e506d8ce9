package ring

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a seeded bug may take to show; most need milliseconds.
const patience = 20 * time.Second

// seeded skips what would be found at once, as a data race, or never.
func seeded(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector stops at the seeded bug itself")
	}
	if runtime.NumCPU() < 2 || runtime.GOMAXPROCS(0) < 2 {
		t.Skip("one CPU: each thread sees its own stores in order")
	}
}

// What the stress test must find, it finds: each of these has the steps of one
// side in a wrong order. A store that is not a release and a load that is not an
// acquire cannot be seeded on amd64, which keeps stores, and loads, in order; -race
// finds those, and arm64 may.
func TestStressFindsWrongOrder(t *testing.T) {
	seeded(t)
	for name, wrong := range map[string]maker{
		"published, then filled": func(t *testing.T, wake func()) subject {
			s, r := valuesRing(t, wake)
			s.send = func(i, _ uint64) uint64 {
				w, res := r.Claim()
				if res != Accepted {
					return 0
				}
				r.Publish()
				fillWords(w, i)
				return 1
			}
			return s
		},
		"released, then read": func(t *testing.T, wake func()) subject {
			s, r := valuesRing(t, wake)
			s.take = func(got *received) int {
				w := r.Peek()
				if w == nil {
					return 0
				}
				r.Release()
				got.see(w.are(got.next))
				return 1
			}
			return s
		},
		"one slot too many": func(t *testing.T, wake func()) subject {
			s, r := valuesRing(t, wake)
			send := s.send
			s.send = func(i, n uint64) uint64 {
				if r.tail == r.limit { // what room does, and one more
					r.limit = atomic.LoadUint64(&r.released) + uint64(r.Cap()) + 1
				}
				return send(i, n)
			}
			return s
		},
		"committed, then filled": func(t *testing.T, wake func()) subject {
			s, b := byteRecordsRing(t, wake)
			s.send = func(i, _ uint64) uint64 {
				n, kind := recordOf(i)
				p, res := b.TryClaim(n, kind)
				if res != Accepted {
					return 0
				}
				b.Commit(n)
				fillBytes(p, i)
				return 1
			}
			return s
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := conditions{cpus: [2]int{1, 0}}
			deadline := time.Now().Add(patience)
			for time.Now().Before(deadline) {
				if got := c.run(t, 1<<20, deadline, wrong); got.bad > 0 {
					return
				}
			}
			t.Error("not found")
		})
	}
}

// unwoken plays the moment at which a consumer parks and the producer publishes,
// round after round on two threads, and returns how many were played before one in
// which the consumer went to sleep and nobody woke it; 0 when all went well.
func unwoken(t *testing.T, rounds uint64, deadline time.Time, publish func(r *Ring[uint64])) uint64 {
	woken := false
	r := must[uint64](t, Config{Capacity: 4, Wake: func() { woken = true }})
	var turn, done atomic.Uint64 // turn n begins; the producer has done n
	go func() {
		pin(t, 1)
		for n := uint64(1); ; n++ {
			for spin := 1; turn.Load() < n; spin++ {
				if spin%1024 == 0 {
					runtime.Gosched()
				}
			}
			if turn.Load() == 1<<63 {
				done.Store(1 << 63)
				return
			}
			for range n % 8 * (n / 8 % 4) { // meet the other one at different moments
				_ = turn.Load()
			}
			slot, _ := r.Claim()
			*slot = n
			publish(r)
			done.Store(n)
		}
	}()
	found := make(chan uint64)
	go func() {
		pin(t, 0)
		var at uint64
		for n := uint64(1); at == 0 && n <= rounds; n++ {
			turn.Store(n)
			for range n / 32 % 32 {
				_ = done.Load()
			}
			asleep := r.Park()
			for spin := 1; done.Load() < n; spin++ {
				if spin%1024 == 0 {
					runtime.Gosched()
				}
			}
			if asleep && !woken {
				at = n
			}
			woken = false
			r.Unpark()
			r.Drain(4, func(*uint64) {})
			if n%4096 == 0 && time.Now().After(deadline) {
				break
			}
		}
		turn.Store(1 << 63)
		for done.Load() != 1<<63 {
			runtime.Gosched()
		}
		found <- at
	}()
	return <-found
}

// Store buffering: the one reordering that amd64 does. Publish is seen before parked
// is looked at.
func TestNoWakeIsLost(t *testing.T) {
	rounds := stressMessages(t) / 10 // each costs several round trips of a cache line
	require.Zero(t, unwoken(t, rounds, time.Now().Add(time.Hour), (*Ring[uint64]).Publish))
}

// With a MOV in its place, where a build has one, a wake is lost and that is found.
func TestALostWakeIsFound(t *testing.T) {
	seeded(t)
	if !plainStore {
		t.Skip("this build's store is an atomic one: there is no weaker one to seed")
	}
	at := unwoken(t, 1<<62, time.Now().Add(patience), func(r *Ring[uint64]) {
		r.tail++
		store(&r.published, r.tail)
		r.notify()
	})
	require.NotZero(t, at, "published by MOV, a wake is lost some time")
	t.Logf("found in round %d", at)
}
