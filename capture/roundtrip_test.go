package capture

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// Any sequence of records comes back as it was, from one file or from many,
// compressed or not.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 7))
			path := at(t)
			o := Options{Compress: seed%3 == 1}
			if seed%2 == 1 {
				o.MaxBytes = 100_000
			}
			m := newManual(t, path, o)
			var want tape.Memory
			for range 300 {
				r := random(rnd)
				m.put(r)
				r.Seq = m.seq
				want.Keep(&r)
				if rnd.IntN(20) == 0 {
					m.clock.Advance(5e8)
					m.tick(true)
				}
			}
			m.end()
			if o.Compress {
				path += zstdSuffix
			}
			f := openAll(t, path)
			if seed%2 == 1 {
				require.Greater(t, len(f.Info().Files), 1)
			}
			got := readAll(t, f)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i], got[i], "record %d, %v", i, want[i].Kind)
			}
		})
	}
}
