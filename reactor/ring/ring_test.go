package ring

import (
	"fmt"
	"runtime"
	"strconv"
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
	end := uintptr(0) // of the group before
	for i, group := range []struct{ from, last, size uintptr }{
		{unsafe.Offsetof(r.slots), unsafe.Offsetof(r.core) + unsafe.Offsetof(r.closed), 4},
		{unsafe.Offsetof(r.parked), unsafe.Offsetof(r.parked), 4},
		{unsafe.Offsetof(r.published), unsafe.Offsetof(r.published), 8},
		{unsafe.Offsetof(r.tail), unsafe.Offsetof(r.full), 8},
		{unsafe.Offsetof(r.released), unsafe.Offsetof(r.released), 8},
		{unsafe.Offsetof(r.head), unsafe.Offsetof(r.high), 8},
		{unsafe.Sizeof(r.core), unsafe.Sizeof(r.core), 0},
	} {
		if i > 0 { // the first one is in Ring, the others in its core
			group.from += unsafe.Offsetof(r.core)
			group.last += unsafe.Offsetof(r.core)
		}
		require.GreaterOrEqual(t, group.from-end, uintptr(line), "group %d", i)
		end = group.last + group.size
	}
	require.Equal(t, unsafe.Sizeof(r), end)
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
	require.Equal(t, uint64(2), r.Released())
	require.Equal(t, "Accepted BackPressured Closed TooLarge Result(9)", fmt.Sprint(Accepted, BackPressured, Closed, TooLarge, Result(9)))
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
