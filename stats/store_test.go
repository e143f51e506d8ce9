package stats

import (
	"math"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStore(t *testing.T) {
	var three [3]atomic.Int64
	for _, v := range []int64{1, -1, math.MaxInt64, math.MinInt64, 0, 1 << 32} {
		store(&three[1], v)
		require.Equal(t, v, three[1].Load())
		require.Zero(t, three[0].Load())
		require.Zero(t, three[2].Load())
	}
}

// Stores are seen in their order.
func TestStoresAreInOrder(t *testing.T) {
	const n = 200_000
	var first, second Counter
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			first.Add(1)
			second.Add(1)
		}
	}()
	for last := int64(0); last < n; {
		last = second.Value()
		if got := first.Value(); got < last {
			t.Fatalf("the second is %d, the first %d", last, got)
		}
	}
	<-done
}
