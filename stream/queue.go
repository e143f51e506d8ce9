package stream

// Sizes of a write queue's memory, in bytes.
const (
	queueFirst = 4 << 10  // the first allocation
	queueKeep  = 64 << 10 // what an empty queue may hold on to
)

// queue is a ring of bytes: what was accepted from the user and not yet taken
// by the kernel. Its memory grows by doubling with the bytes that come in, up
// to the most that its owner admits, and is given back when the queue has run
// empty after a burst.
//
//	buf  [ . . . h e a d → t a i l . . . ]   or wrapped   [ t a i l . . . h e a d → ]
type queue struct {
	buf   []byte
	head  int // index of the oldest byte
	n     int // bytes held
	limit int // the most that the owner ever admits
}

// push appends p. The owner has checked that the bound allows it.
func (q *queue) push(p []byte) {
	if need := q.n + len(p); need > len(q.buf) {
		q.grow(need)
	}
	tail := q.head + q.n
	if tail >= len(q.buf) {
		tail -= len(q.buf)
	}
	k := copy(q.buf[tail:], p)
	copy(q.buf, p[k:])
	q.n += len(p)
}

// grow moves the bytes to the start of a larger ring.
func (q *queue) grow(need int) {
	buf := make([]byte, max(need, min(q.limit, max(queueFirst, 2*len(q.buf)))))
	front := q.front()
	k := copy(buf, front)
	copy(buf[k:], q.buf[:q.n-len(front)])
	q.buf, q.head = buf, 0
}

// front is the longest run of the oldest bytes that lie together. It is valid
// until the queue changes.
func (q *queue) front() []byte {
	return q.buf[q.head:min(q.head+q.n, len(q.buf))]
}

// drop removes the k oldest bytes.
func (q *queue) drop(k int) {
	q.n -= k
	if q.n == 0 {
		q.head = 0
		if len(q.buf) > queueKeep {
			q.buf = nil
		}
		return
	}
	if q.head += k; q.head >= len(q.buf) {
		q.head -= len(q.buf)
	}
}

// release gives the memory back. The count of bytes stays, so that the owner
// can still tell how many never left.
func (q *queue) release() { q.buf, q.head = nil, 0 }
