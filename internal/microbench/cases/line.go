package cases

import (
	"sync/atomic"

	"github.com/boomnet-go/boomnet/internal/microbench"
)

// lines is the time it takes to hand a cache line to another CPU and get it back.
func lines() []microbench.Case {
	return []microbench.Case{{
		Name: "line.round-trip", What: "a word on one cache line, stored by one CPU, answered by the other: the line moves twice",
		Needs: microbench.Pairs, Run: lineRoundTrip,
	}}
}

// alone is a word with two lines on either side to itself.
type alone struct {
	_ [128]byte
	v atomic.Uint64
	_ [128]byte
}

func lineRoundTrip(b *microbench.B) error {
	word := new(alone)
	err := b.Beside(func(stop *atomic.Bool) error { // answers each odd value with the next even one
		for want := uint64(1); ; want += 2 {
			for word.v.Load() != want {
				if stop.Load() {
					return nil
				}
			}
			word.v.Store(want + 1)
		}
	})
	if err != nil {
		return err
	}
	at := uint64(0)
	b.Batches(func(n int) {
		for range n {
			word.v.Store(at + 1)
			at += 2
			for word.v.Load() != at {
			}
		}
	})
	return nil
}
