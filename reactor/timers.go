package reactor

// timer is something to happen at a time. It lives in what it belongs to, so
// setting one allocates nothing.
type timer struct {
	at   int64
	set  uint64 // which of all settings this was: those of one time fire in the order in which they were set
	pos  int    // place in the heap plus one; 0: not set
	kind timerKind
	conn *conn // for the kinds of a connection
	slot *slot // for the kind of an endpoint
}

type timerKind uint8

const (
	timerState timerKind = iota // the connection's state has lasted too long
	timerHot                    // Attachment.SetTimer
	timerDue                    // Source.Due: read again
	timerStale                  // data has not arrived for too long
	timerRetry                  // the endpoint's back-off is over
	timerRenew                  // the endpoint's renewal goes on
)

// timers is a binary heap by time. One goroutine uses it.
type timers struct {
	heap []*timer
	sets uint64
}

// next is the time of the earliest timer, or false.
func (t *timers) next() (int64, bool) {
	if len(t.heap) == 0 {
		return 0, false
	}
	return t.heap[0].at, true
}

// set sets, moves or (at == 0) takes back a timer.
func (t *timers) set(m *timer, at int64) {
	switch {
	case at == 0:
		t.remove(m)
	case m.pos == 0:
		t.stamp(m, at)
		t.heap = append(t.heap, m)
		m.pos = len(t.heap)
		t.up(m.pos - 1)
	default:
		t.stamp(m, at)
		t.up(m.pos - 1)
		t.down(m.pos - 1)
	}
}

func (t *timers) stamp(m *timer, at int64) {
	t.sets++
	m.at, m.set = at, t.sets
}

// before orders timers by time, then by when they were set.
func (m *timer) before(o *timer) bool { return m.at < o.at || m.at == o.at && m.set < o.set }

// pop removes and returns the earliest timer that is due, or nil.
func (t *timers) pop(now int64) *timer {
	if len(t.heap) == 0 || t.heap[0].at > now {
		return nil
	}
	m := t.heap[0]
	t.remove(m)
	return m
}

func (t *timers) remove(m *timer) {
	if m.pos == 0 {
		return
	}
	i, last := m.pos-1, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	m.pos = 0
	if i < last {
		t.up(i)
		t.down(i)
	}
}

func (t *timers) swap(i, j int) {
	h := t.heap
	h[i], h[j] = h[j], h[i]
	h[i].pos, h[j].pos = i+1, j+1
}

func (t *timers) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !t.heap[i].before(t.heap[parent]) {
			return
		}
		t.swap(i, parent)
		i = parent
	}
}

func (t *timers) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(t.heap) {
			return
		}
		if r := child + 1; r < len(t.heap) && t.heap[r].before(t.heap[child]) {
			child = r
		}
		if !t.heap[child].before(t.heap[i]) {
			return
		}
		t.swap(i, child)
		i = child
	}
}
