package ring

import (
	"encoding/binary"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
)

// subject is a ring under stress. Message i is made of its number alone, so that
// what is lost, doubled, out of order or torn is seen at the first look.
type subject struct {
	*core
	send func(i, n uint64) uint64 // sends messages from i on, below n; how many
	take func(got *received) int  // takes some; how many
}

// maker makes a subject that calls wake.
type maker func(t *testing.T, wake func()) subject

// received is what the consumer saw.
type received struct {
	next uint64 // the message that must come
	bad  uint64 // messages that were not what they should have been
}

func (g *received) see(good bool) {
	if !good {
		g.bad++
	}
	g.next++
}

const stressCapacity = 64

// wakeBy wakes by a channel of one place: what an eventfd does.
func wakeBy(wakes chan struct{}) func() {
	if wakes == nil {
		return nil
	}
	return func() {
		select {
		case wakes <- struct{}{}:
		default:
		}
	}
}

type words [8]uint64

func fillWords(w *words, i uint64) {
	for k := range w {
		w[k] = i
	}
}

func (w *words) are(i uint64) bool {
	for _, v := range w {
		if v != i {
			return false
		}
	}
	return true
}

// values claims and peeks one by one, and every third time in batches.
func values(t *testing.T, wake func()) subject {
	s, _ := valuesRing(t, wake)
	return s
}

// valuesRing returns the ring as well.
func valuesRing(t *testing.T, wake func()) (subject, *Ring[words]) {
	r := must[words](t, Config{Capacity: stressCapacity, Wake: wake})
	return subject{
		core: &r.core,
		send: func(i, n uint64) uint64 {
			if i%3 != 0 {
				w, res := r.Claim()
				if res != Accepted {
					return 0
				}
				fillWords(w, i)
				r.Publish()
				return 1
			}
			b, _ := r.ClaimBatch(int(min(7, n-i)))
			for k := range b {
				fillWords(&b[k], i+uint64(k))
			}
			r.PublishBatch(len(b))
			return uint64(len(b))
		},
		take: func(got *received) int {
			if got.next%5 != 0 {
				return r.Drain(16, func(w *words) { got.see(w.are(got.next)) })
			}
			b := r.PeekBatch(16)
			for k := range b {
				got.see(b[k].are(got.next))
			}
			r.ReleaseBatch(len(b))
			return len(b)
		},
	}, r
}

// pointers keeps the collector at work: each message is an object of its own.
func pointers(t *testing.T, wake func()) subject {
	r := must[*words](t, Config{Capacity: stressCapacity, Wake: wake})
	return subject{
		core: &r.core,
		send: func(i, n uint64) uint64 {
			w := new(words)
			fillWords(w, i)
			if r.Offer(w) != Accepted {
				return 0
			}
			return 1
		},
		take: func(got *received) int {
			return r.Drain(16, func(w **words) { got.see(*w != nil && (*w).are(got.next)) })
		},
	}
}

// recordOf is the length and the kind of message i.
func recordOf(i uint64) (n int, kind int32) { return int(i * 7 % 61), int32(i%0x7fff) + 1 }

func fillBytes(p []byte, i uint64) {
	for len(p) >= 8 {
		binary.NativeEndian.PutUint64(p, i)
		p = p[8:]
	}
	for k := range p {
		p[k] = byte(i)
	}
}

func areBytes(kind int32, p []byte, i uint64) bool {
	n, k := recordOf(i)
	if len(p) != n || kind != k {
		return false
	}
	for ; len(p) >= 8; p = p[8:] {
		if binary.NativeEndian.Uint64(p) != i {
			return false
		}
	}
	for _, b := range p {
		if b != byte(i) {
			return false
		}
	}
	return true
}

// byteRecords claims more than it commits, now and then, and gives claims up.
func byteRecords(t *testing.T, wake func()) subject {
	s, _ := byteRecordsRing(t, wake)
	return s
}

// byteRecordsRing returns the ring as well.
func byteRecordsRing(t *testing.T, wake func()) (subject, *Bytes) {
	b := mustBytes(t, Config{Capacity: 64 * stressCapacity, Wake: wake})
	return subject{
		core: &b.core,
		send: func(i, _ uint64) uint64 {
			n, kind := recordOf(i)
			p, res := b.TryClaim(n+int(i%3), kind)
			if res != Accepted {
				return 0
			}
			fillBytes(p[:n], i)
			if i%11 == 0 {
				b.Abort()
				if p, res = b.TryClaim(n, kind); res != Accepted {
					return 0
				}
				fillBytes(p, i)
			}
			b.Commit(n)
			return 1
		},
		take: func(got *received) int {
			return b.Drain(16, func(kind int32, p []byte) { got.see(areBytes(kind, p, got.next)) })
		},
	}, b
}

// pin ties the calling goroutine to a CPU, when this machine lets it. The thread
// ends with the goroutine, which never unlocks it.
func pin(t *testing.T, cpu int) {
	if cpu < 0 {
		return
	}
	runtime.LockOSThread()
	if err := affinity.Pin(cpu); err != nil {
		t.Logf("not pinned to CPU %d: %v", cpu, err)
	}
}

// conditions are what a run is exposed to.
type conditions struct {
	name  string
	cpus  [2]int // of producer and consumer, -1: any
	gc    bool   // collect without end
	wakes bool   // the consumer parks whenever there is nothing
}

// run passes n messages, or as many as go through before the deadline or before
// one was bad, and returns what the consumer saw.
func (c conditions) run(t *testing.T, n uint64, deadline time.Time, of maker) received {
	var wakes chan struct{}
	if c.wakes {
		wakes = make(chan struct{}, 1)
	}
	s := of(t, wakeBy(wakes))
	var wg sync.WaitGroup
	var stop atomic.Bool
	if c.gc {
		wg.Go(func() {
			for !stop.Load() {
				runtime.GC()
			}
		})
	}
	wg.Go(func() {
		pin(t, c.cpus[0])
		for i, full := uint64(0), 0; i < n && !stop.Load(); {
			k := s.send(i, n)
			if i += k; k > 0 {
				full = 0
			} else if full++; full%64 == 0 {
				runtime.Gosched()
			}
		}
		s.Close()
	})
	consumed := make(chan received)
	go func() {
		pin(t, c.cpus[1])
		var got received
		for empty := 0; ; {
			closed := s.IsClosed()
			switch k := s.take(&got); {
			case k > 0:
				empty = 0
				if got.bad > 0 || got.next&0xfff == 0 && time.Now().After(deadline) {
					stop.Store(true)
				}
			case closed:
				consumed <- got
				return
			case c.wakes:
				if s.Park() {
					<-wakes
				}
				s.Unpark()
			default:
				if empty++; empty%64 == 0 {
					runtime.Gosched()
				}
			}
		}
	}()
	got := <-consumed
	stop.Store(true)
	wg.Wait()
	return got
}

// stressMessages is how many pass in each run: BOOMNET_RING_STRESS, else few.
func stressMessages(t *testing.T) uint64 {
	s := os.Getenv("BOOMNET_RING_STRESS")
	switch {
	case s == "" && raceEnabled:
		return 20_000
	case s == "":
		return 100_000
	}
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err, "BOOMNET_RING_STRESS")
	return n
}

// Order kept, nothing lost, doubled or torn.
func TestStress(t *testing.T) {
	n := stressMessages(t)
	for _, c := range []conditions{
		{name: "free", cpus: [2]int{-1, -1}},
		{name: "pinned", cpus: [2]int{1, 0}},
		{name: "one core", cpus: [2]int{0, 0}},
		{name: "collecting", cpus: [2]int{-1, -1}, gc: true},
		{name: "parking", cpus: [2]int{-1, -1}, wakes: true},
	} {
		for name, s := range map[string]maker{
			"values": values, "pointers": pointers, "bytes": byteRecords,
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				start := time.Now()
				got := c.run(t, n, start.Add(time.Hour), s)
				require.Equal(t, received{next: n}, got)
				t.Logf("%d messages, %.1f ns each", n, float64(time.Since(start))/float64(n))
			})
		}
	}
}
