package ring

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func must[T any](t testing.TB, c Config) *Ring[T] {
	t.Helper()
	r, err := New[T](c)
	require.NoError(t, err)
	return r
}

func TestCapacity(t *testing.T) {
	for _, c := range []struct{ ask, got int }{{0, DefaultCapacity}, {1, 1}, {2, 2}, {3, 4}, {1000, 1024}} {
		require.Equal(t, c.got, must[int](t, Config{Capacity: c.ask}).Cap())
	}
	for _, n := range []int{-1, MaxCapacity + 1} {
		_, err := New[int](Config{Capacity: n})
		require.ErrorIs(t, err, ErrCapacity)
		require.ErrorContains(t, err, strconv.Itoa(n))
	}
}

// What one side writes shares no pair of lines with what the other one touches.
func TestLayout(t *testing.T) {
	var r Ring[[64]byte]
	at := []uintptr{unsafe.Offsetof(r.closed), unsafe.Offsetof(r.parked),
		unsafe.Offsetof(r.tail), unsafe.Offsetof(r.limit), unsafe.Offsetof(r.head), unsafe.Offsetof(r.seen), unsafe.Sizeof(r)}
	require.GreaterOrEqual(t, unsafe.Offsetof(r.base), uintptr(line))
	for i := range at[1:] {
		require.Greater(t, at[i+1], at[i])
	}
	// last byte of a group to first of the next
	end := []uintptr{at[0] + 1, at[1] + 1, at[2] + 8, at[3] + 24, at[4] + 8, at[5] + 16}
	for i, e := range end {
		require.GreaterOrEqual(t, at[i+1]-e, uintptr(line-8), "group %d", i)
	}
}

func TestStoreIsWhatTheBuildSays(t *testing.T) {
	require.Equal(t, runtime.GOARCH == "amd64" && !raceEnabled && !purego, plainStore)
	var v [3]uint64
	store(&v[1], 1<<63|5)
	require.Equal(t, [3]uint64{0, 1<<63 | 5, 0}, v)
}

func TestFullEmptyClosed(t *testing.T) {
	r := must[int](t, Config{Capacity: 2})
	require.Nil(t, r.Peek())
	require.True(t, r.Empty())
	require.Equal(t, Accepted, r.Offer(1))
	require.Equal(t, Accepted, r.Offer(2))
	require.Equal(t, BackPressured, r.Offer(3))
	require.Equal(t, 1, *r.Peek())
	require.Equal(t, 1, *r.Peek(), "Peek does not move")
	r.Release()
	slot, res := r.Claim()
	require.Equal(t, Accepted, res)
	*slot = 4
	require.Equal(t, 1, r.Len(), "a claim is not published")
	r.Close()
	r.Close()
	require.Equal(t, Closed, r.Offer(5))
	require.Equal(t, 2, *r.Peek(), "what was published is still there")
	r.Release()
	require.Nil(t, r.Peek())
	require.True(t, r.IsClosed())
	require.Equal(t, Stats{Offered: 4, Refused: 2, HighWater: 2}, r.Stats())
	require.Equal(t, "Accepted BackPressured Closed Result(9)", fmt.Sprint(Accepted, BackPressured, Closed, Result(9)))
}

func TestPointersAreCleared(t *testing.T) {
	type msg struct {
		_ int
		a [1]struct{ s string }
	}
	r := must[msg](t, Config{Capacity: 4})
	require.True(t, r.pointers)
	require.False(t, must[struct{ a [3]float64 }](t, Config{}).pointers)
	for range 3 {
		r.Offer(msg{a: [1]struct{ s string }{{"x"}}})
	}
	r.Peek()
	r.Release()
	require.Len(t, r.PeekBatch(9), 2)
	r.ReleaseBatch(2)
	require.Equal(t, make([]msg, 4), r.slots)
}

func TestBatchPanics(t *testing.T) {
	r := must[int](t, Config{Capacity: 4})
	for _, n := range []int{-1, 5} {
		require.Panics(t, func() { r.PublishBatch(n) })
		require.Panics(t, func() { r.ReleaseBatch(n) })
	}
}

func TestNoAllocation(t *testing.T) {
	r := must[[8]uint64](t, Config{Capacity: 8, Wake: func() {}})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s, _ := r.Claim()
		s[0] = 1
		r.Publish()
		r.Offer([8]uint64{})
		r.Drain(9, func(*[8]uint64) {})
		r.Park()
		r.Unpark()
	}))
}

func TestWakeOncePerPark(t *testing.T) {
	woken := 0
	r := must[int](t, Config{Capacity: 8, Wake: func() { woken++ }})
	r.Offer(1)
	require.Zero(t, woken, "not parked")
	require.False(t, r.Park(), "there is a message")
	r.Offer(2)
	require.Zero(t, woken)
	r.Drain(8, func(*int) {})
	require.True(t, r.Park())
	r.Offer(3)
	r.Offer(4)
	require.Equal(t, 1, woken)
	r.Unpark()
	r.Drain(8, func(*int) {})
	require.True(t, r.Park())
	r.Close()
	require.Equal(t, 2, woken)
	require.False(t, r.Park(), "closed")
}

// All interleavings of the protocol, sequentially consistent: the consumer never
// sleeps with a message there and no wake on its way, and a park wakes once. The
// same search with the producer's steps swapped finds the lost wake, so it can.
func TestParkInterleavings(t *testing.T) {
	lost := func(swapped bool) (n int) {
		type state struct {
			p, c, sent, wakes, parks int // parks: raised, not yet answered by a wake
			tail, parked             bool
			swap                     bool // what the producer's swap found
		}
		const messages = 3
		seen := map[state]bool{}
		var walk func(s state)
		walk = func(s state) {
			if seen[s] {
				return
			}
			seen[s] = true
			if s.parks < 0 {
				n++
			}
			moved := false
			if s.sent < messages {
				moved = true
				q := s
				step := s.p
				if swapped && step < 2 {
					step = 1 - step
				}
				switch step {
				case 0:
					q.tail = true
				case 1:
					q.swap, q.parked = s.parked, false
				case 2:
					if s.swap {
						q.wakes = 1 // an eventfd
						q.parks--
					}
				}
				if q.p++; q.p == 3 {
					q.p = 0
					q.sent++
				}
				walk(q)
			}
			q := s
			switch s.c {
			case 0: // drain
				q.tail, q.c = false, 1
			case 1: // raise
				q.parked, q.c = true, 2
				q.parks++
			case 2: // look again
				if q.c = 3; s.tail {
					q.c = 4
				}
			case 3: // asleep: only a wake goes on
				if s.wakes == 0 {
					if !moved && s.tail {
						n++
					}
					return
				}
				q.wakes, q.c = 0, 4
			case 4: // lower; a wake that came while not asleep is read away
				q.parked, q.c = false, 0
			}
			walk(q)
		}
		walk(state{})
		return n
	}
	require.Zero(t, lost(false))
	require.NotZero(t, lost(true))
}

// FuzzRing compares with a slice, operation by operation.
func FuzzRing(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 5, 6})
	f.Add([]byte("\x02\x12\x22\x13\x33\x04\x05"))
	f.Fuzz(func(t *testing.T, ops []byte) {
		r := must[int](t, Config{Capacity: 8})
		var model []int
		next := 0
		for _, op := range ops {
			n := int(op >> 4)
			switch op & 7 {
			case 0:
				res := r.Offer(next)
				require.Equal(t, len(model) < 8, res == Accepted)
				if res == Accepted {
					model = append(model, next)
					next++
				}
			case 1:
				p := r.Peek()
				require.Equal(t, len(model) == 0, p == nil)
				if p != nil {
					require.Equal(t, model[0], *p)
					model = model[1:]
					r.Release()
				}
			case 2:
				b, res := r.ClaimBatch(n)
				require.Equal(t, len(model) == 8, res != Accepted)
				require.LessOrEqual(t, len(b), min(n, 8-len(model)))
				for i := range b {
					b[i] = next
					model = append(model, next)
					next++
				}
				r.PublishBatch(len(b))
			case 3:
				b := r.PeekBatch(n)
				require.LessOrEqual(t, len(b), n)
				require.Equal(t, min(n, len(model)) > 0, len(b) > 0)
				require.Equal(t, append([]int{}, model[:len(b)]...), append([]int{}, b...))
				model = model[len(b):]
				r.ReleaseBatch(len(b))
			case 4:
				want := min(n, len(model))
				require.Equal(t, want, r.Drain(n, func(p *int) {
					require.Equal(t, model[0], *p)
					model = model[1:]
				}))
			case 5:
				if s, res := r.Claim(); res == Accepted { // given up
					*s = -1
				}
			}
			require.Equal(t, len(model), r.Len())
			require.Equal(t, len(model) == 0, r.Empty())
		}
	})
}

// messages is how many the stress tests pass: BOOMNET_RING_STRESS, else few.
func messages(t *testing.T) uint64 {
	if s := os.Getenv("BOOMNET_RING_STRESS"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		return n
	}
	return 200_000
}

// wait lets the other side run now and then, also on one CPU.
func wait(i int) {
	if i%64 == 63 {
		runtime.Gosched()
	}
}

// Order kept, nothing lost, doubled or torn: every word of a message is its number.
func TestStress(t *testing.T) {
	for _, c := range []struct {
		name string
		pin  [2]int // CPUs, -1: not pinned
		gc   bool
		park bool
	}{
		{"free", [2]int{-1, -1}, false, false},
		{"pinned", [2]int{0, 1}, false, false},
		{"one core", [2]int{0, 0}, false, false},
		{"collecting", [2]int{-1, -1}, true, false},
		{"parking", [2]int{-1, -1}, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			wakes := make(chan struct{}, 1)
			conf := Config{Capacity: 64}
			if c.park {
				conf.Wake = func() {
					select {
					case wakes <- struct{}{}:
					default:
					}
				}
			}
			r := must[[8]uint64](t, conf)
			n := messages(t)
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
				pin(t, c.pin[1])
				for i := uint64(0); i < n; {
					if i%3 == 0 {
						if b, res := r.ClaimBatch(int(min(7, n-i))); res == Accepted {
							for j := range b {
								for k := range b[j] {
									b[j][k] = i
								}
								i++
							}
							r.PublishBatch(len(b))
							continue
						}
					} else if s, res := r.Claim(); res == Accepted {
						for k := range s {
							s[k] = i
						}
						r.Publish()
						i++
						continue
					}
					runtime.Gosched()
				}
				r.Close()
			})
			pinned := make(chan struct{})
			var got, bad uint64
			go func() {
				defer close(pinned)
				pin(t, c.pin[0])
				for spin := 0; ; spin++ {
					closed := r.IsClosed()
					k := r.Drain(16, func(m *[8]uint64) {
						for _, w := range m {
							if w != got {
								bad++
							}
						}
						got++
					})
					switch {
					case k > 0:
					case closed:
						return
					case c.park:
						if r.Park() {
							<-wakes
						}
						r.Unpark()
					default:
						wait(spin)
					}
				}
			}()
			<-pinned
			stop.Store(true)
			wg.Wait()
			require.Zero(t, bad)
			require.Equal(t, n, got)
		})
	}
}

func BenchmarkClaimPublishPeekRelease(b *testing.B) {
	r := must[[8]uint64](b, Config{})
	var sum uint64
	for i := range b.N {
		s, _ := r.Claim()
		s[0], s[7] = uint64(i), uint64(i)
		r.Publish()
		sum += r.Peek()[7]
		r.Release()
	}
	_ = sum
}

func BenchmarkOffer(b *testing.B) {
	r := must[[8]uint64](b, Config{})
	for i := range b.N {
		r.Offer([8]uint64{uint64(i)})
		r.Peek()
		r.Release()
	}
}
