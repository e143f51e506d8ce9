package reactor

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
)

func TestMailboxKeepsOrderAndRefusesWhenFull(t *testing.T) {
	b := newMailbox(4)
	_, ok := b.pop()
	require.False(t, ok)
	for round := range 10 {
		for i := range 4 {
			require.True(t, b.empty() == (i == 0))
			require.True(t, b.push(mail{state: endpoint.State(round*4 + i)}))
		}
		require.False(t, b.push(mail{}), "full")
		for i := range 4 {
			m, ok := b.pop()
			require.True(t, ok)
			require.Equal(t, endpoint.State(round*4+i), m.state)
		}
		require.True(t, b.empty())
	}
}

func TestMailboxManyWritersLoseAndDoubleNothing(t *testing.T) {
	const writers, each = 8, 2000
	b := newMailbox(64)
	conns := make([]conn, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				for !b.push(mail{conn: &conns[w], slot: &slot{lastConn: uint32(i)}}) {
					runtime.Gosched() // the reader may be on the same core
				}
			}
		})
	}
	next := map[*conn]uint32{}
	for got := 0; got < writers*each; {
		m, ok := b.pop()
		if !ok {
			runtime.Gosched()
			continue
		}
		require.Equal(t, next[m.conn], m.slot.lastConn, "order of one writer")
		next[m.conn]++
		got++
	}
	wg.Wait()
	require.True(t, b.empty())
}

func BenchmarkMailboxPushPop(b *testing.B) {
	box := newMailbox(64)
	for b.Loop() {
		box.push(mail{})
		box.pop()
	}
}

func BenchmarkMailboxEmpty(b *testing.B) {
	box := newMailbox(64)
	for b.Loop() {
		box.pop()
	}
}
