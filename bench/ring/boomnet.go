package main

import (
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

func inPlace(capacity int) (pair, error) {
	p, _, err := inPlaceOn(capacity)
	return p, err
}

// inPlaceOn returns the ring as well.
func inPlaceOn(capacity int) (pair, *ring.Ring[message], error) {
	r, err := ring.New[message](ring.Config{Capacity: capacity})
	return pair{
		produce: func(n uint64) {
			for i := range n {
				m, res := r.Claim()
				for res != ring.Accepted {
					idle.Pause()
					m, res = r.Claim()
				}
				fill(m, i)
				r.Publish()
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				m := r.Peek()
				for m == nil {
					idle.Pause()
					m = r.Peek()
				}
				sum += check(m, i)
				r.Release()
			}
			return sum
		},
	}, r, err
}

// rings returns one there and one back.
func rings(capacity int) (there, back *ring.Ring[message], err error) {
	if there, err = ring.New[message](ring.Config{Capacity: capacity}); err != nil {
		return nil, nil, err
	}
	back, err = ring.New[message](ring.Config{Capacity: capacity})
	return there, back, err
}

// In a round trip no ring is ever full: one message is under way.
func inPlaceBack(capacity int) (pair, error) {
	there, back, err := rings(capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				m, _ := there.Claim()
				fill(m, i)
				there.Publish()
				for m = back.Peek(); m == nil; m = back.Peek() {
					idle.Pause()
				}
				check(m, i)
				back.Release()
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				m := there.Peek()
				for m == nil {
					idle.Pause()
					m = there.Peek()
				}
				sum += check(m, i)
				answer, _ := back.Claim()
				*answer = *m
				there.Release()
				back.Publish()
			}
			return sum
		},
	}, err
}

func batches(capacity int) (pair, error) {
	const batch = 16
	r, err := ring.New[message](ring.Config{Capacity: capacity})
	return pair{
		produce: func(n uint64) {
			for i := uint64(0); i < n; {
				b, res := r.ClaimBatch(int(min(batch, n-i)))
				if res != ring.Accepted {
					idle.Pause()
					continue
				}
				for j := range b {
					fill(&b[j], i)
					i++
				}
				r.PublishBatch(len(b))
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := uint64(0); i < n; {
				b := r.PeekBatch(batch)
				if len(b) == 0 {
					idle.Pause()
					continue
				}
				for j := range b {
					sum += check(&b[j], i)
					i++
				}
				r.ReleaseBatch(len(b))
			}
			return sum
		},
	}, err
}

// offers builds each message aside and copies it in.
func offers(capacity int) (pair, error) {
	p, r, err := inPlaceOn(capacity)
	p.produce = func(n uint64) {
		for i := range n {
			var m message
			fill(&m, i)
			for r.Offer(m) != ring.Accepted {
				idle.Pause()
			}
		}
	}
	return p, err
}
