package reactor

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTimersAgainstASortedList sets, moves, takes back and fires at random and
// compares with the obvious.
func TestTimersAgainstASortedList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var heap timers
	all := make([]timer, 200)
	due := map[*timer]int64{}
	for step := range 20000 {
		m := &all[random.IntN(len(all))]
		switch random.IntN(4) {
		case 0, 1:
			at := 1 + random.Int64N(1000)
			heap.set(m, at)
			due[m] = at
		case 2:
			heap.set(m, 0)
			delete(due, m)
		case 3:
			now := random.Int64N(1000)
			if got := heap.pop(now); got != nil {
				require.Equal(t, due[got], got.at, "step %d", step)
				for _, at := range due {
					require.LessOrEqual(t, got.at, at, "the earliest comes first")
				}
				require.LessOrEqual(t, got.at, now)
				require.Zero(t, got.pos)
				delete(due, got)
			} else {
				for _, at := range due {
					require.Greater(t, at, now, "step %d: a due timer was kept back", step)
				}
			}
		}
		require.Len(t, heap.heap, len(due))
	}
	var order []int64
	for {
		m := heap.pop(2000)
		if m == nil {
			break
		}
		order = append(order, m.at)
	}
	require.True(t, slices.IsSorted(order))
	require.Len(t, order, len(due))
	_, ok := heap.next()
	require.False(t, ok)
}

func TestTimersDoNotAllocate(t *testing.T) {
	var heap timers
	all := make([]timer, 64)
	for i := range all {
		heap.set(&all[i], int64(i+1))
	}
	at := int64(100)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		m := heap.pop(1 << 60)
		at++
		heap.set(m, at)
	}))
}

func BenchmarkTimersMove(b *testing.B) {
	var heap timers
	all := make([]timer, 1024)
	for i := range all {
		heap.set(&all[i], int64(i+1))
	}
	i := 0
	for b.Loop() {
		i++
		heap.set(&all[i&1023], int64(i*7919&0xffff)+1)
	}
}
