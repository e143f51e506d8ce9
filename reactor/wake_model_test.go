package reactor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The protocol of Reactor.wait and Reactor.wake, with what a link or an inbox does
// before it, as a model of which every interleaving is looked at: one consumer that
// parks without a bound, producers that publish some messages each. A store may
// stay in its thread's buffer, as processors have it, until anything flushes it;
// an atomic store of Go's is flushed at once.
//
//	producer                       consumer
//	0  tail++                      0  parked = 1
//	1  parked == 0: next message   1  tail != head: parked = 0, take all, back to 0
//	2  CAS(parked, 1, 0), else 0   2  asleep until the eventfd has something; take that
//	3  write to the eventfd        3  parked = 0, take all, back to 0
type model struct {
	at       [1 + producers]uint8 // where the consumer and the producers are
	left     [1 + producers]uint8 // messages that each producer still has to publish
	tail     uint8
	buffered [1 + producers]uint8 // counts that are published and still in the producer's buffer
	head     uint8
	parked   bool
	eventfd  bool
	owed     int8 // parks announced, less writes to the eventfd
}

const (
	producers = 2
	perEach   = 2
)

// variant is what the model does otherwise than the code: the mistakes.
type variant struct {
	looksFirst  bool // the consumer looks at the tail, then raises the flag
	wakesFirst  bool // the producer looks at the flag, then publishes
	plain       bool // the publishing store stays in the buffer
	loadAndSet  bool // the producer lowers the flag by a load and a store
	neverLowers bool // the consumer leaves the flag up when it found something
}

// steps are all states that one step of one thread leads to.
func (m model) steps(v variant) (next []model) {
	add := func(n model) { next = append(next, n) }
	take := func(n model) model {
		n.head = n.tail
		n.at[0] = 0
		return n
	}
	raise := func(n model) model {
		n.parked = true
		n.owed++
		return n
	}
	// The consumer.
	switch m.at[0] {
	case 0, 1:
		announces := m.at[0] == 0
		if v.looksFirst {
			announces = !announces
		}
		switch n := m; {
		case announces:
			n = raise(n)
			n.at[0]++
			add(n)
		case m.tail == m.head:
			n.at[0]++
			add(n)
		default:
			if !v.neverLowers {
				n.parked = false
			}
			add(take(n))
		}
	case 2:
		if m.eventfd {
			n := m
			n.eventfd = false
			n.at[0]++
			add(n)
		}
	case 3:
		n := m
		n.parked = false
		add(take(n))
	}
	// The producers.
	for p := 1; p <= producers; p++ {
		if m.buffered[p] > 0 {
			n := m
			n.tail += n.buffered[p]
			n.buffered[p] = 0
			add(n)
		}
		publish := func(n model) model {
			if n.left[p]--; v.plain {
				n.buffered[p]++
			} else {
				n.tail++
			}
			return n
		}
		n := m
		switch m.at[p] {
		case 0:
			if m.left[p] == 0 {
				continue
			}
			if !v.wakesFirst {
				n = publish(n)
			}
			n.at[p] = 1
		case 1:
			n.at[p] = 2
			if !m.parked {
				n.at[p] = 4
			}
		case 2:
			switch {
			case v.loadAndSet: // it has loaded the flag in step 1
				n.parked = false
				n.at[p] = 3
			case m.parked: // an atomic swap flushes the buffer
				n.tail += n.buffered[p]
				n.buffered[p] = 0
				n.parked = false
				n.at[p] = 3
			default:
				n.at[p] = 4
			}
		case 3:
			n.owed--
			n.eventfd = true
			n.at[p] = 4
		case 4:
			if v.wakesFirst {
				n = publish(n)
			}
			n.at[p] = 0
		}
		add(n)
	}
	return next
}

// explore looks at every state that can be reached. lost: the consumer sleeps, all
// is published, something waits, and nobody will wake it. extra: there were more
// writes than parks.
func explore(v variant) (states int, lost, extra bool) {
	start := model{}
	for p := 1; p <= producers; p++ {
		start.left[p] = perEach
	}
	seen := map[model]bool{start: true}
	for todo := []model{start}; len(todo) > 0; {
		m := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		next := m.steps(v)
		extra = extra || m.owed < 0
		if len(next) == 0 && m.head != m.tail {
			lost = true
		}
		for _, n := range next {
			if !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return len(seen), lost, extra
}

func TestNoWakeIsLostInAnyInterleaving(t *testing.T) {
	states, lost, extra := explore(variant{})
	t.Log(states, "states")
	require.Greater(t, states, 1000)
	require.False(t, lost)
	require.False(t, extra, "at most one write a park")
	for name, v := range map[string]variant{
		"the consumer looks before it raises the flag": {looksFirst: true},
		"the producer looks before it publishes":       {wakesFirst: true},
		"a store that stays in the buffer":             {plain: true},
	} {
		_, lost, _ := explore(v)
		require.True(t, lost, name)
	}
	_, _, extra = explore(variant{loadAndSet: true})
	require.True(t, extra, "a flag that is lowered by a load and a store")
	_, lost, _ = explore(variant{neverLowers: true})
	require.False(t, lost, "a flag left up costs a write, not a message")
}
