package exchange

import (
	"errors"
	"sync"
)

// Sizes of an outbox, in bytes.
const (
	// writeSize is the most that goes into one write.
	writeSize = 256 << 10
	// waitBound is how much a producer that can wait (echo, a feed) lets pile up.
	waitBound = 1 << 20
	// keepSize is the largest buffer that an outbox keeps when it is empty.
	keepSize = 1 << 20
)

var (
	errEnded = errors.New("exchange: connection takes no more messages")
	errSlow  = errors.New("exchange: client reads too slowly, queue full")
)

// outbox is the bounded queue between those who have something to say to a client
// and the one goroutine that writes it. Events, which are functions, stand at
// exact places between the bytes: everything before is written, then the event
// runs on the writing goroutine, then the writing goes on.
//
//	        put, putControl, at                          take
//	market ───────────────────►┌────────────────────┐
//	reader ───────────────────►│ bytes ▲ bytes ▲ …  │──────────► writer ──► socket
//	keeper ───────────────────►└───────┴───────┴────┘
//	                                 events
//
// A producer that can wait writes by itself when nothing is queued and nobody else
// is writing, see putWrite. All methods may be called by any goroutine, take only by
// the writer.
type outbox struct {
	bound   int
	deflate *deflater // nil: messages are sent as they are

	mu       sync.Mutex
	changed  sync.Cond // on mu: bytes came, bytes went, or the end came
	bytes    []byte
	events   []event
	busy     bool   // somebody writes, or runs an event
	taken    int    // bytes that were taken and are not written yet
	messages uint64 // data messages accepted
	trips    []trip // events waiting for a number of messages
	ended    bool   // nothing more is accepted; what is queued is still written
	dead     bool   // nothing more is written
}

// event runs when the bytes before offset at are written.
type event struct {
	at int
	do func()
}

// trip becomes an event behind the message that makes the count reach messages.
type trip struct {
	messages uint64
	last     bool // nothing follows the event
	do       func()
}

func newOutbox(bound int) *outbox {
	o := &outbox{bound: bound}
	o.changed.L = &o.mu
	return o
}

// put queues whole frames, one data message each; ends are the offsets in frames
// at which they end. It takes all of them, or those up to a trip that
// ends the connection. errSlow: over the bound, nothing was taken. errEnded: the
// connection is ending. frames is not kept.
func (o *outbox) put(frames []byte, ends []int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.append(frames, ends)
}

// putWait is put for a producer that can wait: it returns when the frames were
// taken and less than waitBound was queued before them. errSlow: they are longer
// than the bound.
func (o *outbox) putWait(frames []byte, ends []int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waitRoom(len(frames))
	return o.append(frames, ends)
}

func (o *outbox) waitRoom(n int) {
	for !o.ended && o.queued() > 0 && (o.queued() >= waitBound || o.queued()+n > o.bound) {
		o.changed.Wait()
	}
}

// putWrite is putWait, but writes at once where it can: that spares the client the
// time to wake the writer. Errors: those of putWait and of write.
func (o *outbox) putWrite(frames []byte, ends []int, write func([]byte) error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waitRoom(len(frames))
	if o.deflate != nil || o.busy || o.ended || o.queued() > 0 || len(o.events) > 0 || len(o.trips) > 0 || len(frames) > o.bound {
		return o.append(frames, ends)
	}
	o.busy, o.taken = true, len(frames)
	o.messages += uint64(len(ends))
	o.mu.Unlock()
	err := write(frames)
	o.mu.Lock()
	o.busy, o.taken = false, 0
	if len(o.bytes) > 0 || len(o.events) > 0 {
		o.changed.Broadcast()
	}
	return err
}

func (o *outbox) append(frames []byte, ends []int) error {
	if o.ended {
		return errEnded
	}
	if o.deflate != nil {
		frames, ends = o.deflate.compress(frames, ends)
	}
	if o.queued()+len(frames) > o.bound {
		return errSlow
	}
	start := 0
	for len(o.trips) > 0 && !o.ended {
		// The trips are sorted: the next one to happen is the first.
		t := o.trips[0]
		behind := t.messages - o.messages
		if behind > uint64(len(ends)) {
			break
		}
		end := start
		if behind > 0 {
			end = ends[behind-1]
		}
		o.bytes = append(o.bytes, frames[start:end]...)
		o.messages += behind
		start, ends = end, ends[behind:]
		o.trips = o.trips[1:]
		o.event(t.last, t.do)
	}
	if !o.ended {
		o.bytes = append(o.bytes, frames[start:]...)
		o.messages += uint64(len(ends))
	}
	o.changed.Broadcast()
	return nil
}

// putControl queues bytes that are no data message, at most a few. last: nothing
// is accepted behind them.
func (o *outbox) putControl(frame []byte, last bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return errEnded
	}
	if o.queued()+len(frame) > o.bound {
		return errSlow
	}
	o.bytes = append(o.bytes, frame...)
	o.ended = last
	o.changed.Broadcast()
	return nil
}

// at runs do on the writing goroutine when messages more data messages were
// written, 0: when what is queued now is written. last: nothing is accepted behind it.
func (o *outbox) at(messages uint64, last bool, do func()) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return errEnded
	}
	if messages == 0 {
		o.event(last, do)
		o.changed.Broadcast()
		return nil
	}
	t := trip{o.messages + messages, last, do}
	i := len(o.trips)
	for i > 0 && o.trips[i-1].messages > t.messages {
		i--
	}
	o.trips = append(o.trips, trip{})
	copy(o.trips[i+1:], o.trips[i:])
	o.trips[i] = t
	return nil
}

// final is at for what must follow an end that is already queued.
func (o *outbox) final(do func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.dead {
		o.event(true, do)
		o.changed.Broadcast()
	}
}

// queued is how many bytes are not yet with the kernel.
func (o *outbox) queued() int { return len(o.bytes) + o.taken }

func (o *outbox) event(last bool, do func()) {
	o.events = append(o.events, event{len(o.bytes), do})
	o.ended = o.ended || last
}

// end makes the outbox accept nothing more and the writer stop at once.
func (o *outbox) end() {
	o.mu.Lock()
	o.ended, o.dead = true, true
	o.changed.Broadcast()
	o.mu.Unlock()
}

// sent is how many data messages were accepted.
func (o *outbox) sent() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.messages
}

// take waits for something to write and returns it: bytes, and the events between
// them, either of which may be missing. It swaps the queue with spare, the slice
// that it returned before. The outbox is busy until release. false: it is dead.
func (o *outbox) take(spare []byte) (bytes []byte, events []event, ok bool) {
	if cap(spare) > keepSize {
		spare = nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.dead && (o.busy || len(o.bytes) == 0 && len(o.events) == 0) {
		o.changed.Wait()
	}
	if o.dead {
		return nil, nil, false
	}
	o.busy = true
	bytes, events = o.bytes, o.events
	o.bytes, o.events, o.taken = spare[:0], nil, len(bytes)
	return bytes, events, true
}

// release ends what take began.
func (o *outbox) release() {
	o.mu.Lock()
	o.busy = false
	o.mu.Unlock()
}

// written says that n bytes of what was taken are with the kernel.
func (o *outbox) written(n int) {
	o.mu.Lock()
	o.taken -= n
	o.changed.Broadcast()
	o.mu.Unlock()
}

// drain writes what is queued until the outbox is dead or write fails.
func (o *outbox) drain(write func([]byte) error) error {
	var bytes []byte
	for {
		var (
			events []event
			ok     bool
		)
		if bytes, events, ok = o.take(bytes); !ok {
			return nil
		}
		done := 0
		for upTo := range breaks(events, len(bytes)) {
			for done < upTo {
				n := min(upTo-done, writeSize)
				if err := write(bytes[done : done+n]); err != nil {
					return err
				}
				done += n
				o.written(n)
			}
			for len(events) > 0 && events[0].at == done {
				events[0].do()
				events = events[1:]
			}
			if o.isDead() {
				return nil
			}
		}
		o.release()
	}
}

// breaks yields where the writing pauses: at each event, and at the end.
func breaks(events []event, end int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for _, e := range events {
			if !yield(e.at) {
				return
			}
		}
		yield(end)
	}
}

func (o *outbox) isEnded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended
}

func (o *outbox) isDead() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dead
}
