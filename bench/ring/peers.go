package main

import (
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/boomnet-go/boomnet/reactor/idle"
)

// xsync's queue copies in and out, and its capacity may be any number. It panics
// on one below 1, which was refused before.
func xsyncQueue(capacity int) (pair, error) {
	q := xsync.NewSPSCQueue[message](capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				send(q, i)
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				m := receive(q)
				sum += check(&m, i)
			}
			return sum
		},
	}, nil
}

func xsyncQueueBack(capacity int) (pair, error) {
	there, back := xsync.NewSPSCQueue[message](capacity), xsync.NewSPSCQueue[message](capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				send(there, i)
				m := receive(back)
				check(&m, i)
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				m := receive(there)
				sum += check(&m, i)
				send(back, m[7])
			}
			return sum
		},
	}, nil
}

func send(q *xsync.SPSCQueue[message], i uint64) {
	var m message
	fill(&m, i)
	for !q.TryEnqueue(m) {
		idle.Pause()
	}
}

func receive(q *xsync.SPSCQueue[message]) message {
	for {
		if m, ok := q.TryDequeue(); ok {
			return m
		}
		idle.Pause()
	}
}

// A channel parks who waits: that is what it is for, and what it costs.
func channel(capacity int) (pair, error) {
	c := make(chan message, capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				var m message
				fill(&m, i)
				c <- m
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				m := <-c
				sum += check(&m, i)
			}
			return sum
		},
	}, nil
}

func channelBack(capacity int) (pair, error) {
	there, back := make(chan message, capacity), make(chan message, capacity)
	return pair{
		produce: func(n uint64) {
			for i := range n {
				var m message
				fill(&m, i)
				there <- m
				m = <-back
				check(&m, i)
			}
		},
		consume: func(n uint64) (sum uint64) {
			for i := range n {
				m := <-there
				sum += check(&m, i)
				back <- m
			}
			return sum
		},
	}, nil
}
