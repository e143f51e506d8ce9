package stream

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// The ring against a plain slice, with random pushes and drops.
func TestQueueKeepsOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const limit = 300_000
	q := queue{limit: limit}
	var model []byte
	for step := range 20_000 {
		if k := min(r.IntN(9000), limit-q.n); r.IntN(2) == 0 || q.n == 0 {
			p := pattern(k, byte(step))
			q.push(p)
			model = append(model, p...)
		} else {
			front := q.front()
			require.True(t, bytes.HasPrefix(model, front))
			require.NotEmpty(t, front)
			k := 1 + r.IntN(len(front))
			q.drop(k)
			model = model[k:]
		}
		require.Equal(t, len(model), q.n)
		require.LessOrEqual(t, cap(q.buf), limit)
	}
	var rest []byte
	for q.n > 0 {
		rest = append(rest, q.front()...)
		q.drop(len(q.front()))
	}
	require.True(t, bytes.Equal(model, rest))
}

func TestQueueMemory(t *testing.T) {
	q := queue{limit: 1 << 20}
	q.push(make([]byte, 10))
	require.Equal(t, queueFirst, cap(q.buf))
	q.drop(10)
	require.Equal(t, queueFirst, cap(q.buf), "kept")
	q.push(make([]byte, queueKeep+1))
	q.drop(1)
	require.NotNil(t, q.buf)
	q.drop(queueKeep)
	require.Nil(t, q.buf, "given back after a burst")
	q.push(make([]byte, 1<<20))
	require.Equal(t, 1<<20, cap(q.buf))
}

// pattern is n bytes in which no shift and no swap goes unseen.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7+i>>8*13+i>>16*31) + seed
	}
	return p
}
