package reactor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// changed reports whether a wait on the watched words would end.
func changed(r *Reactor) bool {
	for _, w := range r.waiter.Words {
		if *w.At != w.Seen {
			return true
		}
	}
	return false
}

func TestWatchedWordsChange(t *testing.T) {
	b := newBench(t)
	b.r.sample()
	require.False(t, changed(b.r))
	require.NoError(t, Each(b.r, nil))
	require.True(t, changed(b.r), "mail")
	b.r.sample()
	require.False(t, changed(b.r))
	require.False(t, b.r.mail.empty(), "what came before the sample is found")
	b.poll()
	b.r.requestStop()
	require.True(t, changed(b.r), "a stop")

	a, c := newBench(t), newBench(t)
	to := linked(t, a.r, c.r, LinkConfig{}, func(*order) {})
	c.poll()
	c.r.sample()
	to.Offer(order{})
	require.True(t, changed(c.r), "a message of a link")

	var one, two uint64
	n := len(b.r.waiter.Words)
	b.r.watch(&one)
	b.r.watch(&two)
	b.r.unwatch(&one)
	b.r.unwatch(&one)
	b.r.sample()
	one++
	require.False(t, changed(b.r))
	two++
	require.True(t, changed(b.r))
	b.r.unwatch(&two)
	require.Len(t, b.r.waiter.Words, n)
}

// An item whose writer has taken a place and not filled it yet is no reason to
// wait: the tail will not change once more.
func TestAnItemBeingWrittenIsNotEmpty(t *testing.T) {
	q := newQueue[int](4)
	q.tail++ // a writer has come so far
	require.Nil(t, q.peek())
	require.False(t, q.empty())
	require.Equal(t, 1, q.length())
}
