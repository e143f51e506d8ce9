package main

import (
	"unsafe"

	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

const (
	kind   = 1
	length = int(unsafe.Sizeof(message{}))
	record = length + 8 // in a ring.Bytes
)

// view is the message in a record: records lie on multiples of 8.
func view(p []byte) *message { return (*message)(unsafe.Pointer(unsafe.SliceData(p))) }

// put sends one message.
func put(b *ring.Bytes, i uint64) {
	p, res := b.TryClaim(length, kind)
	for res != ring.Accepted {
		idle.Pause()
		p, res = b.TryClaim(length, kind)
	}
	fill(view(p), i)
	b.Commit(length)
}

// take receives one, and releases it when it was read.
func take(b *ring.Bytes, i uint64) uint64 {
	k, p := b.Peek()
	for k == 0 {
		idle.Pause()
		k, p = b.Peek()
	}
	last := check(view(p), i)
	b.Release()
	return last
}

// The capacity is for as many messages as the other rings hold, or nearly.
func byteRing(capacity int) (*ring.Bytes, error) {
	return ring.NewBytes(ring.Config{Capacity: max(capacity, 8) * record})
}

func records(capacity int) (pair, error) {
	b, err := byteRing(capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				put(b, i)
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				sum += take(b, i)
			}
			return sum
		},
	}, err
}

func recordsBack(capacity int) (pair, error) {
	there, err := byteRing(capacity)
	if err != nil {
		return pair{}, err
	}
	back, err := byteRing(capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				put(there, i)
				take(back, i)
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				sum += take(there, i)
				put(back, i)
			}
			return sum
		},
	}, err
}
