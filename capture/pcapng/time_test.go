package pcapng

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// exact is nanoseconds with numbers of any size.
func exact(units uint64, resolution uint8, offset int64, offsetNS int32) int64 {
	base := int64(10)
	if resolution&0x80 != 0 {
		base = 2
	}
	unit := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(resolution&0x7f)), nil)
	ns := new(big.Int).Mul(new(big.Int).SetUint64(units), big.NewInt(second))
	ns.Quo(ns, unit)
	ns.Add(ns, new(big.Int).Mul(big.NewInt(offset), big.NewInt(second)))
	return clamp(clamp(ns).Add(clamp(ns), big.NewInt(int64(offsetNS)))).Int64()
}

// clamp is x, or what is nearest in an int64.
func clamp(x *big.Int) *big.Int {
	for _, limit := range []int64{math.MinInt64, math.MaxInt64} {
		if l := big.NewInt(limit); !x.IsInt64() && x.Sign() == l.Sign() {
			return l
		}
	}
	return new(big.Int).Set(x)
}

func TestTimes(t *testing.T) {
	const now = 1_790_000_000_123_456_789
	for _, c := range []struct {
		units      uint64
		resolution uint8
		offset     int64
		offsetNS   int32
		want       int64
	}{
		{now, 9, 0, 0, now},
		{now / 1000, 6, 0, 0, now / 1000 * 1000},
		{now / second, 0, 0, 0, now / second * second},
		{1_790_000_000_1, 1, 0, 0, 1_790_000_000_100_000_000},
		{now, 12, 0, 0, now / 1000},
		{now, 19, 0, 0, now / 10_000_000_000},
		{math.MaxUint64, 28, 0, 0, 1}, // 1.8 ns
		{math.MaxUint64, 29, 0, 0, 0},
		{math.MaxUint64, 127, 0, 0, 0},
		{1024, 0x80 | 10, 0, 0, second},
		{1025, 0x80 | 10, 0, 0, second + 976_562},
		{1_790_000_000<<32 | 1<<31, 0x80 | 32, 0, 0, 1_790_000_000_500_000_000}, // NTP's unit
		{1 << 63, 0x80 | 63, 0, 0, second},
		{1 << 63, 0x80 | 64, 0, 0, second / 2},
		{1 << 63, 0x80 | 127, 0, 0, 0},
		{5, 0x80, 0, 0, 5 * second},
		// Offsets.
		{5, 9, 1, 0, second + 5},
		{5, 9, 1, -6, second - 1},
		{5, 9, -1, 0, 5 - second},
		{5_000_000_000, 9, -5, 0, 0},
		{0, 6, 1_790_000_000, 0, 1_790_000_000_000_000_000},
		// What int64 does not hold.
		{math.MaxInt64, 9, 0, 0, math.MaxInt64},
		{math.MaxInt64 + 1, 9, 0, 0, math.MaxInt64},
		{math.MaxUint64, 0, 0, 0, math.MaxInt64},
		{math.MaxUint64, 6, 0, 0, math.MaxInt64},
		{math.MaxUint64, 0, math.MaxInt64, 0, math.MaxInt64},
		{0, 6, math.MinInt64, 0, math.MinInt64},
		{0, 6, -9_223_372_037, 0, math.MinInt64},
		{145_224_192, 9, -9_223_372_037, 0, math.MinInt64},
		{145_224_193, 9, -9_223_372_037, 0, math.MinInt64 + 1},
		{1 << 63, 0, math.MinInt64, 0, 0},
		{math.MaxInt64, 9, 0, 1, math.MaxInt64},
		{0, 6, math.MinInt64, -1, math.MinInt64},
		{0, 6, math.MinInt64, 1, math.MinInt64 + 1},
	} {
		name := fmt.Sprintf("%d of %#x + %d s + %d ns", c.units, c.resolution, c.offset, c.offsetNS)
		require.Equal(t, c.want, nanoseconds(c.units, c.resolution, c.offset, c.offsetNS), name)
		require.Equal(t, c.want, exact(c.units, c.resolution, c.offset, c.offsetNS), "the test is wrong: "+name)
	}
}

func TestTimesAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		units := random.Uint64() >> random.UintN(64)
		offset := int64(random.Uint64()) >> random.UintN(64)
		offsetNS, resolution := random.Int32N(2*second-1)-second+1, uint8(random.Uint32())
		if random.IntN(4) == 0 {
			offset, offsetNS = 0, 0
		}
		if got, want := nanoseconds(units, resolution, offset, offsetNS), exact(units, resolution, offset, offsetNS); got != want {
			t.Fatalf("%d of %#x + %d s + %d ns is %d, not %d", units, resolution, offset, offsetNS, got, want)
		}
	}
}
